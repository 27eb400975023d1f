"""Dates and times as SQLite stores them: ISO 8601 texts, and integers as seconds since 1970 (`unixepoch`).

A text without zone is a reading of some calendar and clock and needs `Timestamp(tz=False)`; one with a zone is a point
in time and needs `Timestamp`. Reals (Julian days) are refused, because they are not exact to the microsecond.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone

from datasurface.databases.sqlite.unfit import UnfitError, kind_of

__all__ = ["to_date", "to_time", "to_timestamp"]

_CLOCK = r"(\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,6})0*)?)?"
_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:[ T]00:00(?::00(?:[.,]0+)?)?)?\Z", re.ASCII)
_TIME = re.compile(_CLOCK + r"\Z", re.ASCII)
_STAMP = re.compile(rf"(\d{{4}})-(\d\d)-(\d\d)(?:[ T]{_CLOCK})? ?(?:(Z|z)|([+-])(\d\d):?(\d\d)?)?\Z", re.ASCII)
_PLAIN = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d\Z", re.ASCII)
"""What nearly all are: read by the fast path."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_date(value: object) -> date:
    """Convert `2024-02-29`, also with midnight behind it."""
    found = _DATE.match(_text(value))
    if found is None:
        raise UnfitError("holds text that is no date YYYY-MM-DD")
    try:
        return date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError as error:
        raise UnfitError("holds a day that is not in the calendar") from error


def to_time(value: object) -> time:
    """Convert `23:59` and `23:59:59.123456`."""
    found = _TIME.match(_text(value))
    if found is None:
        raise UnfitError("holds text that is no time HH:MM:SS")
    return _clock(found[1], found[2], found[3], found[4])


def to_timestamp(*, tz: bool) -> Callable[[object], datetime]:
    """Return what converts to a point in time in UTC, or without `tz` to a reading without zone."""

    def convert(value: object) -> datetime:
        if isinstance(value, int):
            moment = _since_epoch(value)
            return moment if tz else moment.replace(tzinfo=None)
        moment = _stamp(_text(value))
        if tz and moment.tzinfo is None:
            raise UnfitError("holds a timestamp without zone, which is a Timestamp(tz=False)")
        if not tz and moment.tzinfo is not None:
            raise UnfitError("holds a timestamp with zone, which is a Timestamp")
        return moment

    return convert


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise UnfitError(f"holds {kind_of(value)}")
    return value


def _since_epoch(seconds: int) -> datetime:
    try:
        return _EPOCH + timedelta(seconds=seconds)
    except OverflowError as error:
        raise UnfitError("holds an integer that is no time in seconds since 1970") from error


def _stamp(text: str) -> datetime:
    if _PLAIN.match(text):
        try:
            return datetime.fromisoformat(text)
        except ValueError as error:
            raise UnfitError("holds a moment that is not in the calendar") from error
    found = _STAMP.match(text)
    if found is None:
        raise UnfitError("holds text that is no ISO 8601 timestamp to the microsecond")
    year, month, day, hour, minute, second, fraction, zulu, sign, hours, minutes = found.groups()
    clock = _clock(hour or "0", minute or "0", second, fraction)
    try:
        moment = datetime.combine(date(int(year), int(month), int(day)), clock)
        if zulu:
            return moment.replace(tzinfo=UTC)
        if sign:
            offset = timedelta(hours=int(hours), minutes=int(minutes or 0)) * (-1 if sign == "-" else 1)
            return moment.replace(tzinfo=timezone(offset)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise UnfitError("holds a moment that is not in the calendar") from error
    return moment


def _clock(hour: str, minute: str, second: str | None, fraction: str | None) -> time:
    try:
        return time(int(hour), int(minute), int(second or 0), int((fraction or "0").ljust(6, "0")))
    except ValueError as error:
        raise UnfitError("holds a time that is not on the clock") from error
