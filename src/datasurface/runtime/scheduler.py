"""The local scheduler: runs streams when they are due, in this process, until it is told to stop.

How a batch is executed, which streams there are and when they last ran come in as arguments; it must not know a
database.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

from datasurface.errors import DataSurfaceError
from datasurface.release.job import Changed, JobSpec
from datasurface.runtime.crew import Bell, Crew, Waiter, failure, threads
from datasurface.runtime.dispatch import Dispatch
from datasurface.runtime.report import BatchReport, log_report
from datasurface.runtime.schedule import is_due, next_due, offset
from datasurface.runtime.telemetry.pulse import Pulse
from datasurface.runtime.timetable import Timetable
from datasurface.runtime.triggers import Triggers

__all__ = ["JobSet", "JobsProvider", "Scheduler", "utc_now"]

_LOGGER = logging.getLogger("datasurface")
_HEARTBEAT = timedelta(seconds=1)
"""The longest sleep: how soon a stop without a wake-up, a clock that was set or the end of a suspend is noticed."""
_JUMP = timedelta(seconds=1)
_TRY_AGAIN = timedelta(minutes=5)
"""How long a transformer that runs on change waits after it failed, unless its inputs change before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSet:
    """The streams of a release, and the inputs of those that have any: both by stream name."""

    jobs: Sequence[JobSpec]
    after: Mapping[str, Collection[str]] = field(default_factory=dict)


class JobsProvider(Protocol):
    """Where the loop learns what to run."""

    def version(self) -> str:
        """Return what changes when the active release does; asked every few seconds, so it must be cheap."""
        ...

    def load(self) -> JobSet:
        """Return the streams of the active release."""
        ...

    def changed(self) -> Mapping[str, int]:
        """Return for each stream the number of the merged batch that last changed a row, whoever merged it."""
        ...


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


class Scheduler:
    """Runs streams of one platform, each at most once at a time. For one thread; only `wake` may be called by others.

    Args:
        execute: Runs one batch of a stream; called in worker threads. What it raises is reported as a failed batch.
        workers: How many batches run at once.
        limits: How many batches may read a source container at once, by its name; default the job's `connections`.
        on_report: Called in the scheduler's thread with each result; by default it is logged.
        poll: How often the provider is asked whether the active release has changed.
        clock: The time, in UTC.
        waiter: How to sleep.
        pool: Makes what the batches run in, given the number of workers.
        pulse: Where it shows what it does.
    """

    def __init__(
        self,
        execute: Callable[[JobSpec], BatchReport],
        *,
        workers: int = 4,
        limits: Mapping[str, int] | None = None,
        on_report: Callable[[BatchReport], None] = log_report,
        poll: timedelta = timedelta(seconds=5),
        clock: Callable[[], datetime] = utc_now,
        waiter: Waiter | None = None,
        pool: Callable[[int], Executor] = threads,
        pulse: Pulse | None = None,
    ) -> None:
        self._execute = execute
        self._workers = workers
        self._limits = limits or {}
        self._on_report = on_report
        self._poll = poll
        self._clock = clock
        self._waiter = waiter or Bell()
        self._pool = pool
        self._pulse = pulse or Pulse()

    def wake(self) -> None:
        """Make the loop look up at once, after its `stop` was set; callable from a signal handler."""
        self._waiter.wake()

    def run_once(
        self,
        jobs: Sequence[JobSpec],
        *,
        due_only: bool = False,
        last_started: Mapping[str, datetime] | None = None,
        after: Mapping[str, Collection[str]] | None = None,
        stop: threading.Event | None = None,
    ) -> list[BatchReport]:
        """Run each stream once, or those that are due, and return the results in the order in which they ended.

        A failure ends neither the run nor its dependents. After `stop` nothing more is started.
        """
        results = _Results(self._on_report)
        dispatch = Dispatch(limits=self._limits, after=after or {})
        now = self._clock()
        chosen = [job for job in jobs if not due_only or self._is_due(job, last_started or {}, now, results)]
        dispatch.admit(chosen, now)
        with self._crew() as crew:
            while not dispatch.idle:
                if stop is not None and stop.is_set():
                    dispatch.clear({})
                _start_all(dispatch, crew, self._pulse, self._clock())
                if dispatch.running:
                    self._waiter.wait(_HEARTBEAT.total_seconds())
                for job, report in crew.collect():
                    dispatch.finish(job.stream)
                    results.add(report)
        return results.reports

    def run_forever(
        self, provider: JobsProvider, last_started: Callable[[], Mapping[str, datetime]], stop: threading.Event
    ) -> None:
        """Follow the schedule until `stop` is set; then let what runs finish, and return.

        Args:
            provider: Which streams there are.
            last_started: When each stream's last batch (the one of the highest number) started, whatever became of it.
            stop: Ends the loop within a second, or at once if `wake` is called too.

        Raises:
            DataSurfaceError: The first release cannot be read. Later that is logged, and the streams run on.
        """
        with self._crew() as crew:
            loop = _Loop(
                crew=crew,
                dispatch=Dispatch(limits=self._limits, after={}),
                provider=provider,
                last_started=last_started,
                on_report=self._on_report,
                clock=self._clock,
                waiter=self._waiter,
                poll=self._poll,
                pulse=self._pulse,
            )
            loop.run(stop)

    def _crew(self) -> Crew:
        return Crew(self._execute, size=self._workers, wake=self._waiter.wake, pool=self._pool(self._workers))

    def _is_due(self, job: JobSpec, last: Mapping[str, datetime], now: datetime, results: _Results) -> bool:
        if isinstance(job.capture.every, Changed):
            return True
        try:
            return is_due(job.capture.every, last.get(job.stream), now)
        except DataSurfaceError as error:
            results.add(failure(job, str(error)))
            return False


class _Results:
    """The results so far, each told as it comes."""

    def __init__(self, on_report: Callable[[BatchReport], None]) -> None:
        self._on_report = on_report
        self.reports: list[BatchReport] = []

    def add(self, report: BatchReport) -> None:
        self.reports.append(report)
        self._on_report(report)


class _Loop:
    """One `run_forever`: what it knows between two looks at the clock."""

    def __init__(
        self,
        *,
        crew: Crew,
        dispatch: Dispatch,
        provider: JobsProvider,
        last_started: Callable[[], Mapping[str, datetime]],
        on_report: Callable[[BatchReport], None],
        clock: Callable[[], datetime],
        waiter: Waiter,
        poll: timedelta,
        pulse: Pulse,
    ) -> None:
        self._pulse = pulse
        self._crew = crew
        self._dispatch = dispatch
        self._provider = provider
        self._last_started = last_started
        self._on_report = on_report
        self._clock = clock
        self._waiter = waiter
        self._poll = poll
        self._timetable = Timetable()
        self._triggers = Triggers()
        self._jobs: dict[str, JobSpec] = {}
        self._last: dict[str, datetime] = {}
        self._version: str | None = None
        self._provider_fails = False
        self._seen = self._next_poll = clock()

    def run(self, stop: threading.Event) -> None:
        self._load(self._provider.version(), self._seen)
        while not stop.is_set():
            now = self._clock()
            self._mind_jumps(now)
            self._follow_release(now)
            self._admit(self._timetable.take(now), now)
            self._last.update(dict.fromkeys(_start_all(self._dispatch, self._crew, self._pulse, now), now))
            self._waiter.wait(self._pause())
            self._collect()
        while self._dispatch.running:
            self._waiter.wait(_HEARTBEAT.total_seconds())
            self._collect()

    def _admit(self, streams: Iterable[str], now: datetime) -> None:
        """Let streams run that are due; one that runs already for older inputs runs again afterwards."""
        found = [stream for stream in streams if stream in self._jobs]
        self._triggers.postpone(stream for stream in found if stream in self._dispatch.running)
        self._dispatch.admit([self._jobs[stream] for stream in found], now)

    def _pause(self) -> float:
        now = self._clock()
        times = [now + _HEARTBEAT, self._next_poll, self._timetable.next() or self._next_poll]
        return max(0.0, (min(times) - now).total_seconds())

    def _collect(self) -> None:
        for job, report in self._crew.collect():
            self._dispatch.finish(job.stream)
            if not report.nothing:
                self._on_report(report)
            if job.stream in self._jobs:
                now = self._clock()
                self._plan(self._jobs[job.stream], now)
                self._trigger(job, report, now)

    def _trigger(self, job: JobSpec, report: BatchReport, now: datetime) -> None:
        """After a batch that changed something, let everything run that derives from it, near and far, at once.

        Each waits for its own inputs, so that what two ways lead to runs once. Code that failed is tried again.
        """
        if report.state == "merged":
            self._admit(self._triggers.after(job.stream), now)
        if self._triggers.take_postponed(job.stream):
            self._admit([job.stream], now)
        if report.state == "failed" and isinstance(job.capture.every, Changed):
            self._timetable.set(job.stream, now + _TRY_AGAIN)

    def _mind_jumps(self, now: datetime) -> None:
        """After the clock was set back, take what ran in the future for run now: nothing waits for the old time."""
        if now < self._seen - _JUMP:
            _LOGGER.warning("the clock was set back from %s to %s", self._seen.isoformat(), now.isoformat())
            self._last = {stream: min(last, now) for stream, last in self._last.items()}
            self._next_poll = now
            self._plan_all(now)
        self._seen = now

    def _follow_release(self, now: datetime) -> None:
        if now < self._next_poll:
            return
        self._next_poll = now + self._poll
        try:
            version = self._provider.version()
            if version != self._version:
                self._load(version, now)
                _LOGGER.info("following release %s", version)
            if self._triggers.any:
                self._admit(self._triggers.noticed(self._provider.changed()), now)
        except Exception as error:  # noqa: BLE001 - the streams run on while the release cannot be read, whatever the cause
            if not self._provider_fails:
                _LOGGER.warning("cannot see whether the active release has changed: %s", error)
            self._provider_fails = True
        else:
            self._provider_fails = False

    def _load(self, version: str, now: datetime) -> None:
        work = self._provider.load()
        for stream, started in self._last_started().items():
            self._last[stream] = min(now, max(started, self._last.get(stream, started)))
        self._jobs = {job.stream: job for job in work.jobs}
        self._last = {stream: last for stream, last in self._last.items() if stream in self._jobs}
        self._dispatch.clear(work.after)
        self._triggers = Triggers.of(work.jobs)
        self._plan_all(now)
        for stream in self._triggers.all:
            self._timetable.set(stream, now)
        self._version = version

    def _plan_all(self, now: datetime) -> None:
        self._timetable.clear()
        taken = self._dispatch.running | self._dispatch.waiting
        for stream, job in self._jobs.items():
            if stream not in taken:
                self._plan(job, now)

    def _plan(self, job: JobSpec, now: datetime) -> None:
        every = job.capture.every
        try:
            due = next_due(every, self._last.get(job.stream), now, spread=offset(job.stream, every))
        except DataSurfaceError as error:
            self._on_report(failure(job, str(error)))
            return
        if due is not None:
            self._timetable.set(job.stream, due)


def _start_all(dispatch: Dispatch, crew: Crew, pulse: Pulse, now: datetime) -> list[str]:
    """Start what may start, and return the streams."""
    started: list[str] = []
    while crew.has_room and (job := dispatch.pick()) is not None:
        pulse.started(job.stream, now, since=dispatch.since(job.stream))
        crew.start(job)
        started.append(job.stream)
    pulse.looked(now, due=len(dispatch.waiting), running=len(dispatch.running))
    return started
