"""What is told of batches and of the scheduler: plain values, whose texts hold no secret that this process knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from datasurface.model.infrastructure import Container
from datasurface.release.job import JobSpec
from datasurface.runtime.telemetry.trace import Trace
from datasurface.store.checks import CheckResult
from datasurface.store.ledger import DatasetCounts

__all__ = ["BatchFinished", "BatchStarted", "Event", "LogLine", "Platform", "StepDone", "StreamDispatched", "Subject"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """The platform that a batch runs on.

    Attributes:
        epoch: What differs if the platform was made anew, so that its batches are numbered from 1 again.
        schema: Its own schema in the merge database.
        table: Gives the name of the table that holds the current rows of `store.dataset`.
        views: Gives the consumers' views, as `schema.view`, of a dataset of a stream.
    """

    ecosystem: str
    environment: str | None
    name: str
    epoch: str
    container: Container
    schema: str
    table: Callable[[str], str]
    views: Callable[[str, str], Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The batch that an event is about.

    Attributes:
        batch_id: Its number; None if none was opened.
        release: The digest of the release that its job is of.
        owner: The process that runs it.
    """

    platform: Platform
    job: JobSpec
    batch_id: int | None
    release: str
    owner: str
    trace: Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchStarted:
    """A batch is worked on: it was opened, or what an earlier run left of it is gone on with."""

    subject: Subject
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StepDone:
    """A step of a batch, or an attempt at it."""

    name: str
    at: datetime
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFinished:
    """A run of a stream has ended, well or not.

    Attributes:
        outcome: `merged`, `idle`, `parked`, `failed`, `busy`, `waiting`, `abandoned` or `unreachable`.
        lag: Seconds from the time of the source that was read to the end; None if nothing was merged.
        error: Why it is not well; may be empty.
    """

    subject: Subject
    started_at: datetime
    at: datetime
    seconds: float
    outcome: str
    counts: DatasetCounts = field(default_factory=DatasetCounts)
    datasets: Mapping[str, DatasetCounts] = field(default_factory=dict)
    checks: Sequence[CheckResult] = ()
    steps: Sequence[StepDone] = ()
    lag: float | None = None
    error: str = ""
    warnings: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamDispatched:
    """A scheduler has started a stream.

    Attributes:
        waited: Seconds since it was due.
    """

    platform: str
    stream: str
    at: datetime
    waited: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """A line of this process's log.

    Attributes:
        severity: Its level as `logging` numbers it.
        fields: What it tells besides, and which batch it is of.
    """

    at: datetime
    severity: int
    level: str
    logger: str
    message: str
    fields: Mapping[str, str | int | float]
    exception: str = ""


Event = BatchStarted | BatchFinished | StreamDispatched | LogLine
