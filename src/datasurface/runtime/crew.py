"""The threads that run batches, and the bell that wakes the scheduler when one has ended.

It must not know schedules or priorities. Threads suffice: the work is input and output, and C.
"""

from __future__ import annotations

import queue
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from types import TracebackType
from typing import Protocol, Self

from datasurface.errors import DataSurfaceError
from datasurface.release.job import JobSpec
from datasurface.runtime.report import BatchReport

__all__ = ["Bell", "Crew", "Waiter", "failure", "threads"]


class Waiter(Protocol):
    """How the scheduler sleeps."""

    def wait(self, seconds: float) -> None:
        """Return after `seconds`, or at once if it was or is woken."""

    def wake(self) -> None:
        """End the wait, or the next one; callable from any thread and from a signal handler."""


class Bell:
    """A Waiter on real time. A `SimpleQueue`, unlike an `Event`, may be used by a signal handler of its own waiter."""

    def __init__(self) -> None:
        self._rings: queue.SimpleQueue[None] = queue.SimpleQueue()

    def wait(self, seconds: float) -> None:
        """Return after `seconds`, or at once if it was or is woken."""
        try:
            self._rings.get(timeout=seconds)
            while True:
                self._rings.get_nowait()
        except queue.Empty:
            return

    def wake(self) -> None:
        """End the wait, or the next one."""
        self._rings.put(None)


class Crew:
    """A fixed number of workers; leaving its context waits for what runs."""

    def __init__(
        self, execute: Callable[[JobSpec], BatchReport], *, size: int, wake: Callable[[], None], pool: Executor
    ) -> None:
        self._execute = execute
        self._wake = wake
        self._size = size
        self._busy = 0
        self._pool = pool
        self._ended: deque[tuple[JobSpec, BatchReport]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    @property
    def has_room(self) -> bool:
        """Whether a worker is free."""
        return self._busy < self._size

    def start(self, job: JobSpec) -> None:
        """Have a worker run a batch of a stream."""
        self._busy += 1
        self._pool.submit(self._perform, job)

    def collect(self) -> list[tuple[JobSpec, BatchReport]]:
        """Return what has ended since the last call, in that order."""
        ended: list[tuple[JobSpec, BatchReport]] = []
        while self._ended:
            ended.append(self._ended.popleft())
        self._busy -= len(ended)
        return ended

    def _perform(self, job: JobSpec) -> None:
        began = time.monotonic()
        report = failure(job, "the batch ended without a result")
        try:
            report = self._execute(job)
        except Exception as error:  # noqa: BLE001 - one stream's failure, of whatever kind, must not end the others
            report = failure(job, _told(error), seconds=time.monotonic() - began)
        finally:
            self._ended.append((job, report))
            self._wake()


def threads(size: int) -> Executor:
    """Return a pool of threads."""
    return ThreadPoolExecutor(max_workers=size, thread_name_prefix="datasurface")


def failure(job: JobSpec, error: str, *, seconds: float = 0.0) -> BatchReport:
    """Return the report of a run that could not even open a batch."""
    return BatchReport(stream=job.stream, batch_id=None, state="failed", seconds=seconds, error=error)


def _told(error: Exception) -> str:
    return str(error) if isinstance(error, DataSurfaceError) else f"{type(error).__name__}: {error}"
