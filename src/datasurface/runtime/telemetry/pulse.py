"""What a scheduler does, for whoever watches it: when it looked last, what is due, what runs, how late it starts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from datasurface.runtime.telemetry.events import StreamDispatched

__all__ = ["Pulse"]


class Pulse:
    """The pulse of one scheduler: written by its thread, read by others.

    Args:
        platform: Whose streams it runs.
        tell: Hears of each stream that is started; None for nobody.

    Attributes:
        looked_at: When it looked at its timetable last; None before it has.
        due: How many streams are due and not started.
        running: How many run.
    """

    def __init__(self, platform: str = "", tell: Callable[[StreamDispatched], None] | None = None) -> None:
        self._platform = platform
        self._tell = tell
        self.looked_at: datetime | None = None
        self.due = 0
        self.running = 0

    def looked(self, at: datetime, *, due: int, running: int) -> None:
        """The scheduler has looked, and started what it could."""
        self.looked_at, self.due, self.running = at, due, running

    def started(self, stream: str, at: datetime, *, since: datetime) -> None:
        """A stream was started that is due since a time."""
        if self._tell is not None:
            waited = max(0.0, (at - since).total_seconds())
            self._tell(StreamDispatched(platform=self._platform, stream=stream, at=at, waited=waited))
