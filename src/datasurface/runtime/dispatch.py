"""Which of the due streams may start next: priorities that age, limits per source container, inputs before dependents.

Pure bookkeeping for one thread; it must not know what a clock, a thread or a batch is.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta

from datasurface.graph.order import acyclic
from datasurface.model.vocabulary import Priority
from datasurface.release.job import JobSpec

__all__ = ["Dispatch"]

_RANKS = {Priority.LOW: 0, Priority.MEDIUM: 1, Priority.HIGH: 2, Priority.CRITICAL: 3}
_AGE = timedelta(minutes=1)
"""How long a stream must wait to overtake one of the next higher priority that comes now."""

_Place = tuple[datetime, str]


class Dispatch:
    """The streams that are due, until they have run.

    A stream is known from `admit` to `finish`, once at a time. It waits for those of its inputs that were known when it
    was admitted, not for later runs of them, so a busy input never starves it.
    """

    def __init__(self, *, limits: Mapping[str, int], after: Mapping[str, Collection[str]]) -> None:
        self._limits = limits
        self._after = acyclic(after)
        self._queued: dict[str, tuple[JobSpec, _Place]] = {}
        self._ready: dict[str, list[_Place]] = {}
        self._blockers: dict[str, set[str]] = {}
        self._dependents: dict[str, list[str]] = {}
        self._running: dict[str, JobSpec] = {}
        self._load: Counter[str] = Counter()
        self._since: dict[str, datetime] = {}

    @property
    def running(self) -> frozenset[str]:
        """The streams that were picked and have not finished."""
        return frozenset(self._running)

    @property
    def waiting(self) -> frozenset[str]:
        """The streams that were admitted and not picked yet."""
        return frozenset(self._queued)

    @property
    def idle(self) -> bool:
        """Whether nothing waits and nothing runs."""
        return not self._queued and not self._running

    def admit(self, jobs: Iterable[JobSpec], now: datetime) -> None:
        """Take in streams that became due together; those that are known already are left as they are."""
        fresh = [job for job in jobs if job.stream not in self._queued and job.stream not in self._running]
        for job in fresh:
            self._queued[job.stream] = (job, (now - _RANKS[job.priority] * _AGE, job.stream))
            self._since[job.stream] = now
        for job in fresh:
            inputs = self._after.get(job.stream, frozenset())
            blockers = {i for i in inputs if i in self._queued or i in self._running}
            for blocker in sorted(blockers):
                self._dependents.setdefault(blocker, []).append(job.stream)
            if blockers:
                self._blockers[job.stream] = blockers
            else:
                self._make_ready(job.stream)

    def since(self, stream: str) -> datetime:
        """Return when a stream that is known was admitted."""
        return self._since[stream]

    def pick(self) -> JobSpec | None:
        """Return the stream to start now, which then counts as running; None if none may start."""
        free = [(places[0], name) for name, places in self._ready.items() if self._is_free(name, places[0][1])]
        if not free:
            return None
        (_, stream), container = min(free)
        heapq.heappop(self._ready[container])
        if not self._ready[container]:
            del self._ready[container]
        job, _ = self._queued.pop(stream)
        self._running[stream] = job
        self._load[container] += 1
        return job

    def finish(self, stream: str) -> None:
        """Tell that a stream that was picked has ended, well or not."""
        job = self._running.pop(stream)
        self._since.pop(stream, None)
        self._load[job.source.name] -= 1
        for dependent in self._dependents.pop(stream, ()):
            blockers = self._blockers.get(dependent, set())
            blockers.discard(stream)
            if not blockers and self._blockers.pop(dependent, None) is not None:
                self._make_ready(dependent)

    def clear(self, after: Mapping[str, Collection[str]]) -> None:
        """Forget what waits, and follow another order from now on; what runs goes on."""
        self._after = acyclic(after)
        self._since = {stream: since for stream, since in self._since.items() if stream in self._running}
        for waiting in (self._queued, self._ready, self._blockers, self._dependents):
            waiting.clear()

    def _make_ready(self, stream: str) -> None:
        job, place = self._queued[stream]
        heapq.heappush(self._ready.setdefault(job.source.name, []), place)

    def _is_free(self, container: str, stream: str) -> bool:
        job, _ = self._queued[stream]
        return self._load[container] < max(1, self._limits.get(container, job.connections))
