"""The peak of a process's memory, with that of all it has started, while it runs one batch; as Linux tells it.

It knows nothing of batches. Where two run at once nobody can say whose the memory is, so neither is told.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["measuring"]

_PROC = Path("/proc")
_EVERY = 0.1
"""Seconds between two looks."""


class _Measured:
    """What is known of one piece of work."""

    def __init__(self) -> None:
        self.peak = 0
        self.shared = False
        self._before = _high_water()

    def look(self) -> None:
        """Take the memory of this moment."""
        self.peak = max(self.peak, _resident(os.getpid()))

    def result(self) -> int | None:
        """Return the peak so far; None if it is somebody else's too, or the system does not say."""
        self.look()
        high = _high_water()
        own = high if high > self._before else 0
        return None if self.shared else max(self.peak, own) or None


class _Watch:
    """Looks from time to time, as long as work is measured that nothing runs beside."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: list[_Measured] = []

    @contextmanager
    def measuring(self) -> Iterator[Callable[[], int | None]]:
        measured = _Measured()
        with self._lock:
            self._open.append(measured)
            if len(self._open) > 1:
                for each in self._open:
                    each.shared = True
        done = threading.Event()
        if not measured.shared:
            threading.Thread(target=_watch, args=(measured, done), daemon=True, name="memory").start()
        try:
            yield measured.result
        finally:
            done.set()
            with self._lock:
                self._open.remove(measured)


def _watch(measured: _Measured, done: threading.Event) -> None:
    while not measured.shared and not done.wait(_EVERY):
        measured.look()


_watch_of_this_process = _Watch()


@contextmanager
def measuring() -> Iterator[Callable[[], int | None]]:
    """Measure what runs in this context; what is yielded returns the peak so far in bytes, or None if unknown.

    It is unknown where something else is measured at the same time in this process, and on other systems than Linux.
    """
    with _watch_of_this_process.measuring() as peak:
        yield peak


def _resident(pid: int) -> int:
    """Return the resident bytes of a process and of all that it has started."""
    return _own_resident(pid) + sum(_resident(child) for child in _children(pid))


def _own_resident(pid: int) -> int:
    with suppress(OSError, ValueError, IndexError):
        return int((_PROC / str(pid) / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with suppress(OSError):
        for task in (_PROC / str(pid) / "task").iterdir():
            with suppress(OSError):
                found += [int(child) for child in (task / "children").read_text().split()]
    return found


def _high_water() -> int:
    """Return the most that this process alone ever had, in bytes; 0 where nobody says."""
    with suppress(OSError, ValueError, IndexError):
        for line in (_PROC / "self" / "status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0
