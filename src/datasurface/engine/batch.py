"""A batch as a pure state machine: from where a stream stands, which steps a run has to take. Knows no database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from datasurface.store.checks import CheckResult
from datasurface.store.ledger import BatchState, DatasetCounts

__all__ = ["BatchResult", "Outcome", "Situation", "Step", "steps"]


class Step(StrEnum):
    """One transaction's worth of work, or the reading of the source."""

    ABANDON = "abandon"
    """Give up the unfinished batch and what it staged."""
    OPEN = "open"
    """Take the next number and write the ledger row."""
    CLEAR = "clear"
    """Drop what an earlier attempt of this batch left behind."""
    STAGE = "stage"
    """Read the source into staging and record what is there."""
    MERGE = "merge"
    """Publish, in one transaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Where a stream stands when a run has taken it.

    Attributes:
        last: The state of its newest batch; None if it never had one.
        same_job: Whether that batch was opened for the same job digest.
        intact: Whether its staging tables exist and hold the rows recorded.
        accepting: Whether a parked batch is to be let through.
    """

    last: BatchState | None
    same_job: bool = True
    intact: bool = False
    accepting: bool = False


_FRESH = (Step.OPEN, Step.STAGE, Step.MERGE)
_REDO = (Step.CLEAR, Step.STAGE, Step.MERGE)


def steps(situation: Situation) -> tuple[Step, ...]:
    """Return the steps of a run, in order.

    A batch that is still open is redone under its number. A staged one is merged if its staging is intact, else redone.
    One whose job has changed is abandoned. A parked one is superseded by a new read, unless it is accepted.
    """
    match situation.last:
        case BatchState.OPEN | BatchState.STAGED | BatchState.PARKED if not situation.same_job:
            return (Step.ABANDON, *_FRESH)
        case BatchState.OPEN:
            return _REDO
        case BatchState.STAGED:
            return (Step.MERGE,) if situation.intact else _REDO
        case BatchState.PARKED:
            return (Step.MERGE,) if situation.accepting else (Step.ABANDON, *_FRESH)
        case BatchState.FAILED | BatchState.ABANDONED:
            return (Step.OPEN, Step.CLEAR, Step.STAGE, Step.MERGE)
    return _FRESH


class Outcome(StrEnum):
    """How a run of a stream ended."""

    MERGED = "merged"
    PARKED = "parked"
    FAILED = "failed"
    BUSY = "busy"
    WAITING = "waiting"
    """Staged, but a reader's or somebody else's lock was in the way; the next run merges it without reading again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchResult:
    """What a run of a stream did.

    Attributes:
        batch_id: The batch's number; None if none was opened.
        counts: The sum over all datasets; rows read also if nothing was merged.
        error: Why it is not well, without secrets.
        warnings: What checks found that do not stop the batch.
        transient: Whether what went wrong may pass by itself.
        datasets: The counts by dataset, as far as the batch came.
        checks: What the checks of its datasets said.
        read_at: The time of the source that was read; None if it was not.
        platform: Where it ran; empty if nobody says.
        trace_id: The trace that it is a part of; empty if nobody says.
    """

    stream: str
    batch_id: int | None
    outcome: Outcome
    counts: DatasetCounts
    seconds: float
    error: str = ""
    warnings: tuple[str, ...] = ()
    transient: bool = False
    datasets: Mapping[str, DatasetCounts] = field(default_factory=dict)
    checks: tuple[CheckResult, ...] = ()
    read_at: datetime | None = None
    platform: str = ""
    trace_id: str = ""

    @property
    def ok(self) -> bool:
        """Whether consumers see what was read."""
        return self.outcome is Outcome.MERGED
