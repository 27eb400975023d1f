"""Events on their way to one exporter: a bounded queue and a thread, so that no collector slows a batch or fails it."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable

from datasurface.runtime.telemetry.base import Exporter
from datasurface.runtime.telemetry.events import Event
from datasurface.secrets.masking import masked

__all__ = ["Pipe"]

_LOGGER = logging.getLogger("datasurface.telemetry")
_ROOM = 2000
"""Events that may wait; more are dropped."""
_TOGETHER = 100
"""Events that are sent at once."""


class Pipe:
    """One exporter and what waits for it. What goes wrong with it is said once, until it goes well again.

    Attributes:
        dropped: How many events there was no room for.

    Args:
        name: The exporter's name, for the warning.
        exporter: Where events go.
        room: How many may wait.
    """

    def __init__(self, name: str, exporter: Exporter, *, room: int = _ROOM) -> None:
        self._name = name
        self._exporter = exporter
        self._queue: queue.Queue[Event | None] = queue.Queue(room)
        self._told = False
        self._given_up = False
        self.dropped = 0
        self._thread = threading.Thread(target=self._run, name=f"datasurface-{name}", daemon=True)
        self._thread.start()

    @property
    def idle(self) -> bool:
        """Whether everything that was taken in has been sent, or given up."""
        return self._queue.unfinished_tasks == 0

    def put(self, event: Event) -> None:
        """Take an event in, or drop it if there is no room."""
        try:
            self._queue.put_nowait(event)
        except queue.Full:
            self.dropped += 1
            self._tell("its collector is too slow: events are dropped")

    def close(self, until: float) -> None:
        """Send what waits; what is not sent by the moment `until` of the monotonic clock is given up for good."""
        if self._given_up:
            return
        with contextlib.suppress(queue.Full):
            self._queue.put(None, timeout=max(0.0, until - time.monotonic()))
        self._thread.join(max(0.0, until - time.monotonic()))
        if self._thread.is_alive():
            self._given_up = True
            self._tell("its collector does not take what is left: it is given up")

    def _run(self) -> None:
        while (found := self._gather())[0] is not None and not self._given_up:
            self._export([event for event in found if event is not None])
            for _ in found:
                self._queue.task_done()
            if found[-1] is None:
                break
        self._guarded(self._exporter.close)

    def _gather(self) -> list[Event | None]:
        """Wait for an event, and return it with what came since; None is the end."""
        found = [self._queue.get()]
        while found[-1] is not None and len(found) < _TOGETHER:
            try:
                found.append(self._queue.get_nowait())
            except queue.Empty:
                break
        return found

    def _export(self, events: list[Event]) -> None:
        if self._guarded(lambda: self._exporter.export(events)):
            self._told = False

    def _guarded(self, work: Callable[[], None]) -> bool:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - an exporter, whosever it is, must not end this thread
            self._tell(f"{type(error).__name__}: {error}")
            return False
        return True

    def _tell(self, reason: str) -> None:
        if not self._told:
            self._told = True
            _LOGGER.warning("telemetry to %s: %s; batches go on without it", self._name, masked(reason))
