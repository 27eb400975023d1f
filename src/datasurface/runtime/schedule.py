"""When a stream is due: intervals, cron expressions with time zones and daylight saving, spreading. Pure.

Times come in and go out as aware datetimes in UTC. It knows nothing of threads, ledgers or waiting.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from datasurface.errors import ConfigurationError, MissingExtraError
from datasurface.model.capture import Cron, Every, External
from datasurface.model.effective import duration

__all__ = ["is_due", "next_due", "offset"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WIDEST_WINDOW = timedelta(minutes=5)
_CLOCK_SKEW = timedelta(minutes=1)
_CRON_FIELDS = 5


def next_due(
    every: Every, last_started: datetime | None, now: datetime, *, spread: timedelta | None = None
) -> datetime | None:
    """Return when a stream is to run next; a time that is not after `now` means at once, None means never by itself.

    Args:
        every: The stream's schedule.
        last_started: When its last batch started, whatever became of it; None if there was none: it is due now.
        now: The present time.
        spread: What `offset` returns for the stream, to keep it on a grid of its own; None for `last_started + every`.

    Raises:
        ConfigurationError: `every` cannot be understood, or never happens.
        MissingExtraError: `every` is a Cron and the extra for it is not installed.
    """
    if isinstance(every, External):
        return None
    if isinstance(every, Cron):
        following = _occurrence_after(every, min(last_started or now, now))
        return now if last_started is None else following
    interval = _interval(every)
    if last_started is None:
        return now
    return min(_on_grid(last_started + interval, interval, spread), now + interval)


def is_due(every: Every, last_started: datetime | None, now: datetime) -> bool:
    """Return whether a stream is due, for a caller that keeps no state between its calls.

    A last start in the future tells nothing, because the clock was set back: the stream is due.

    Raises:
        ConfigurationError: As `next_due`.
        MissingExtraError: As `next_due`.
    """
    due = next_due(every, last_started, now)
    if due is None:
        return False
    return due <= now or (last_started is not None and last_started > now + _CLOCK_SKEW)


def offset(stream: str, every: Every) -> timedelta:
    """Return where in the window of its interval a stream starts, so that many streams do not start in one second.

    The same for a stream and an interval on every machine. Zero for schedules that name their times themselves.

    Raises:
        ConfigurationError: As `next_due`.
    """
    if not isinstance(every, str):
        return timedelta(0)
    share = int.from_bytes(hashlib.sha256(stream.encode()).digest()[:8], "big") / 2**64
    return share * _window(_interval(every))


def _interval(every: str) -> timedelta:
    interval = duration(every)
    if interval is None:
        raise ConfigurationError(
            f"{every!r} is no interval", hint='write a number and a unit, such as "5 minutes" or "1 day"'
        )
    return interval


def _window(interval: timedelta) -> timedelta:
    """Return the part of the interval that starts are spread over: it, or at most five minutes that divide it."""
    return interval // -(-interval // _WIDEST_WINDOW)


def _on_grid(earliest: datetime, interval: timedelta, spread: timedelta | None) -> datetime:
    """Move `earliest` back to the stream's own grid: less than a window, hence always after the last start."""
    if spread is None:
        return earliest
    return earliest - (earliest - _EPOCH - spread) % _window(interval)


def _occurrence_after(cron: Cron, moment: datetime) -> datetime:
    try:
        from cronsim import CronSim, CronSimError  # noqa: PLC0415 - an extra
    except ImportError:
        raise MissingExtraError("a Cron schedule", "cron") from None
    try:
        occurrences = CronSim(_fixed_minutes(cron), moment.astimezone(_zone(cron)))
    except CronSimError as error:
        raise _bad_cron(cron, str(error).lower()) from None
    for occurrence in occurrences:
        # In the hour that comes twice, cronsim names its first pass also when `moment` is in the second.
        if (due := occurrence.astimezone(UTC)) > moment:
            return due
    raise _bad_cron(cron, "it never happens")


def _fixed_minutes(cron: Cron) -> str:
    """Return the expression with `*` in its minutes spelled out, if its hours are fixed.

    cronsim, as Debian's cron, would take `*/15 2 * * *` for a wildcard entry, and leave it out when 02:00 to 03:00 does
    not exist.
    """
    fields = cron.expression.split()
    if len(fields) != _CRON_FIELDS:
        raise _bad_cron(cron, f"it has {len(fields)} fields, not {_CRON_FIELDS}")
    if not fields[1].startswith("*"):
        fields[0] = ",".join(["0-59" + term[1:] if term.startswith("*") else term for term in fields[0].split(",")])
    return " ".join(fields)


def _zone(cron: Cron) -> tzinfo:
    if cron.tz == "UTC":
        return UTC
    try:
        return ZoneInfo(cron.tz)
    except (KeyError, ValueError, OSError):
        raise ConfigurationError(
            f"Cron {cron.expression!r}: there is no time zone {cron.tz!r}", hint='write a name as "Europe/Berlin"'
        ) from None


def _bad_cron(cron: Cron, reason: str) -> ConfigurationError:
    return ConfigurationError(
        f"Cron {cron.expression!r} cannot be followed: {reason}",
        hint="the five fields are minute, hour, day of month, month, day of week",
    )
