"""How far behind a stream may be before it is late: what its schedule and its consumers' latency allow. Pure."""

from __future__ import annotations

from datetime import datetime

from datasurface.errors import DataSurfaceError
from datasurface.model.capture import Every, External
from datasurface.model.vocabulary import Latency
from datasurface.runtime.schedule import next_due

__all__ = ["TOLERATED", "lag_limit"]

TOLERATED = {Latency.SECONDS: 60.0, Latency.MINUTES: 3600.0, Latency.HOURS: 86400.0, Latency.DAYS: 604800.0}
"""Seconds behind the source that a consumer tolerates: the upper end of the order of magnitude that he names."""
_GRACE = 60.0
_LONGER = 1.5
"""A batch may take half of the time between two of them before its stream counts as late."""


def lag_limit(every: Every, latency: Latency, read_at: datetime) -> float | None:
    """Return after how many seconds since the last read a stream is late; None if it has no schedule of its own.

    Args:
        every: Its schedule.
        latency: The tightest that anybody asks for; it never makes a source be read more often than its schedule.
        read_at: The time of the source that consumers see.
    """
    if isinstance(every, External):
        return None
    try:
        due = next_due(every, read_at, read_at)
    except DataSurfaceError:
        return None
    apart = max(0.0, (due - read_at).total_seconds()) if due is not None else 0.0
    return max(apart * _LONGER, apart + _GRACE, TOLERATED[latency])
