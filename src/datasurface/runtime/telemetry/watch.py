"""What one run of a stream tells while it goes on: that a batch was begun, its steps, and how it ended."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from datasurface.engine.batch import BatchResult, Outcome, Step
from datasurface.errors import StoreError
from datasurface.release.job import JobSpec
from datasurface.runtime.telemetry.events import BatchFinished, BatchStarted, Platform, StepDone, Subject
from datasurface.runtime.telemetry.telemetry import Telemetry
from datasurface.runtime.telemetry.trace import Scope
from datasurface.secrets.masking import masked
from datasurface.store.ledger import DatasetCounts

__all__ = ["BatchWatch", "NoWatch", "outcome_of"]

_ABANDONED = "abandoned"
_CLAIM = "claim"


def outcome_of(result: BatchResult) -> str:
    """Return in one word how a run ended; a batch that changed nothing is idle."""
    counts = result.counts
    changed = counts.inserted or counts.updated or counts.deleted
    return "idle" if result.outcome is Outcome.MERGED and not changed else result.outcome.value


class NoWatch:
    """Only the log lines of a run know its batch."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def step(self, step: Step) -> None:
        """Ignore it."""

    def begun(self, batch_id: int) -> None:
        """Let log lines carry the number."""
        self._scope.batch = batch_id

    def abandoned(self, batch_id: int) -> None:
        """Ignore it."""

    def ended(self, result: BatchResult) -> None:
        """Ignore it."""

    def broke(self, error: BaseException) -> None:
        """Ignore it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mark:
    """The beginning of a step."""

    name: str
    at: datetime
    clock: float


class BatchWatch(NoWatch):
    """Tells of one run, in the thread of its batch.

    Args:
        telemetry: Who is told.
        platform: Where it runs.
        job: Its stream.
        release: The digest of the release that the job is of.
        owner: The process that runs it.
        scope: What its log lines carry.
        now: The time.
    """

    def __init__(
        self,
        telemetry: Telemetry,
        *,
        platform: Platform,
        job: JobSpec,
        release: str,
        owner: str,
        scope: Scope,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__(scope)
        self._telemetry = telemetry
        self._platform = platform
        self._job = job
        self._release = release
        self._owner = owner
        self._now = now
        self._steps: list[StepDone] = []
        self._mark = self._began = _Mark(name=_CLAIM, at=now(), clock=time.monotonic())

    def step(self, step: Step) -> None:
        """A step begins, and with it the one before has ended."""
        self._close_step()
        self._mark = _Mark(name=step.value, at=self._now(), clock=time.monotonic())

    def begun(self, batch_id: int) -> None:
        """The number of the batch is known; told again, it is another attempt at it."""
        if self._scope.batch != batch_id:
            super().begun(batch_id)
            self._telemetry.emit(BatchStarted(subject=self._subject(batch_id), at=self._began.at))

    def abandoned(self, batch_id: int) -> None:
        """A batch that an earlier run left is given up."""
        self._finish(batch_id, _ABANDONED, error="given up: a new read supersedes it, or the model has changed")

    def ended(self, result: BatchResult) -> None:
        """The run has ended."""
        self._close_step()
        merged = result.outcome is Outcome.MERGED and result.read_at is not None
        lag = max(0.0, (self._now() - result.read_at).total_seconds()) if merged and result.read_at else None
        self._finish(result.batch_id, outcome_of(result), result=result, lag=lag, error=result.error)

    def broke(self, error: BaseException) -> None:
        """The run ended with an error that says nothing of the batch."""
        self._close_step()
        outcome = "unreachable" if isinstance(error, StoreError) else "failed"
        self._finish(self._scope.batch, outcome, error=f"{type(error).__name__}: {error}")

    def _close_step(self) -> None:
        seconds = time.monotonic() - self._mark.clock
        self._steps.append(StepDone(name=self._mark.name, at=self._mark.at, seconds=seconds))

    def _finish(
        self,
        batch_id: int | None,
        outcome: str,
        *,
        result: BatchResult | None = None,
        lag: float | None = None,
        error: str = "",
    ) -> None:
        own = outcome != _ABANDONED
        self._telemetry.emit(
            BatchFinished(
                subject=self._subject(batch_id),
                started_at=self._began.at,
                at=self._now(),
                seconds=time.monotonic() - self._began.clock,
                outcome=outcome,
                counts=result.counts if result else DatasetCounts(),
                datasets=result.datasets if result else {},
                checks=result.checks if result else (),
                steps=tuple(self._steps) if own else (),
                lag=lag,
                error=masked(error),
                warnings=[masked(warning) for warning in result.warnings] if result else (),
            )
        )

    def _subject(self, batch_id: int | None) -> Subject:
        return Subject(
            platform=self._platform,
            job=self._job,
            batch_id=batch_id,
            release=self._release,
            owner=self._owner,
            trace=self._scope.trace,
        )
