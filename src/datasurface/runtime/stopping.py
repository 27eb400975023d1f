"""How a process that runs batches is asked to stop: gracefully by SIGTERM and the first SIGINT, at once by the second.

It must not know what runs.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from types import FrameType, TracebackType
from typing import Self

__all__ = ["Stopping"]

_LOGGER = logging.getLogger("datasurface")
_INTERRUPTED = 130
_GLANCE = 0.2
_SHOW_CURSOR = b"\x1b[?25h\n"


class Stopping:
    """While its context is open, signals set `event` instead of ending the process.

    The main thread must not wait on `event` itself, because the handler, which runs in that thread, sets it.
    """

    def __init__(self) -> None:
        self.event = threading.Event()
        self._signal: int | None = None
        self._wakes: list[Callable[[], None]] = []
        self._before: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGTERM, signal.SIGINT):
            self._before[number] = signal.signal(number, self._received)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def also_wake(self, wake: Callable[[], None]) -> None:
        """Call `wake`, which must be safe in a signal handler, when a signal comes."""
        self._wakes.append(wake)

    def stop(self) -> None:
        """Stop without a signal, because something else has ended."""
        self.event.set()
        for wake in self._wakes:
            wake()

    @property
    def interrupted(self) -> bool:
        """Whether SIGINT came."""
        return self._signal == signal.SIGINT

    def exit_code(self, otherwise: int) -> int:
        """Return 130 after SIGINT, 0 after SIGTERM, else what is given."""
        if self._signal is None:
            return otherwise
        return _INTERRUPTED if self._signal == signal.SIGINT else 0

    def run(self, works: Sequence[Callable[[], None]]) -> None:
        """Run each in a thread of its own until all have ended; the first error stops the others and is raised."""
        errors: list[BaseException] = []
        threads = [threading.Thread(target=self._work, args=(work, errors), daemon=True) for work in works]
        for thread in threads:
            thread.start()
        told = False
        while any(thread.is_alive() for thread in threads):
            for thread in threads:
                thread.join(_GLANCE)
            if self._signal is not None and not told and any(thread.is_alive() for thread in threads):
                told = True
                _LOGGER.info("stopping when the batches that run have ended; SIGINT (Ctrl-C) ends them at once")
        if errors:
            raise errors[0]

    def _work(self, work: Callable[[], None], errors: list[BaseException]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised again in the main thread
            errors.append(error)
            self.stop()

    def _received(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT and self._signal is not None:
            if sys.stderr.isatty():
                os.write(2, _SHOW_CURSOR)
            os._exit(_INTERRUPTED)
        self._signal = self._signal or number
        self.stop()
