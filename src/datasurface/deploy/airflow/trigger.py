"""When a DAG runs by the clock, as the DAG file reads it: a cron expression, an interval in seconds, or never. Pure."""

from __future__ import annotations

import hashlib
from datetime import timedelta

from datasurface.errors import ConfigurationError
from datasurface.model.capture import Cron, Every, External
from datasurface.model.effective import duration

__all__ = ["Trigger", "interval_of", "seconds_of", "trigger_of"]

Trigger = dict[str, str | int]

_HOUR, _DAY, _WEEK = 60, 24 * 60, 7 * 24 * 60


def trigger_of(name: str, every: Every) -> Trigger | None:
    """Return when something runs by the clock; None if never.

    An interval that divides an hour, a day or a week becomes a grid of minutes, which the name's own offset shifts, so
    that many streams do not start in one minute. Another is counted from run to run.

    Args:
        name: Whose offset it is: the same on every machine.
        every: The schedule.

    Raises:
        ConfigurationError: `every` cannot be understood.
    """
    if isinstance(every, External):
        return None
    if isinstance(every, Cron):
        return {"cron": every.expression, "tz": every.tz}
    seconds = seconds_of(every)
    expression = None if seconds % 60 else _grid(seconds // 60, name)
    return {"seconds": seconds} if expression is None else {"cron": expression, "tz": "UTC"}


def seconds_of(every: str) -> int:
    """Return an interval in seconds.

    Raises:
        ConfigurationError: it is none.
    """
    found = duration(every)
    if not found:
        raise ConfigurationError(
            f"{every!r} is no interval", hint='write a number and a unit, such as "5 minutes" or "1 day"'
        )
    return int(found / timedelta(seconds=1))


def interval_of(every: Every) -> int | None:
    """Return the seconds between two runs, if they are always the same."""
    return seconds_of(every) if isinstance(every, str) else None


def _grid(minutes: int, name: str) -> str | None:
    """Return the cron expression of an interval in minutes, or None if it does not divide an hour, a day or a week."""
    share = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / 2**64
    shift = int(share * min(minutes, _HOUR))
    if minutes == 1:
        return "* * * * *"
    if minutes < _HOUR and _HOUR % minutes == 0:
        return f"{shift}-59/{minutes} * * * *"
    hours, rest = divmod(minutes, _HOUR)
    if rest == 0 and minutes <= _DAY and _DAY % minutes == 0:
        return f"{shift} {'*' if hours == 1 else '0' if minutes == _DAY else f'*/{hours}'} * * *"
    return f"{shift} 0 * * 0" if minutes == _WEEK else None
