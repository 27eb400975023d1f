"""Dates, times and spans."""

from __future__ import annotations

from datasurface.model.base import noun
from datasurface.model.types.base import DataType

__all__ = ["Date", "Interval", "Time", "Timestamp"]


@noun
class Date(DataType):
    """A day of the calendar."""


@noun
class Time(DataType):
    """A time of day without zone, to the microsecond."""


@noun
class Timestamp(DataType):
    """A point in time to the microsecond; with `tz=False` a reading of a calendar and clock somewhere."""

    tz: bool = True


@noun
class Interval(DataType):
    """A span of months, days and microseconds, which are three different things."""
