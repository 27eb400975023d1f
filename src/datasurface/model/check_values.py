"""What the values written in checks mean for a column's type: numbers, texts and moments, or what is wanted instead."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal as Exact
from decimal import InvalidOperation

from datasurface.model.effective import duration
from datasurface.model.types import (
    FP4E2M1,
    FP6E2M3,
    FP6E3M2,
    FP8E4M3,
    FP8E5M2,
    FP8E8M0,
    BFloat16,
    BigInt,
    Boolean,
    DataType,
    Date,
    Decimal,
    FixedString,
    Float16,
    Float32,
    Float64,
    Integer,
    Interval,
    SmallInt,
    String,
    Time,
    Timestamp,
    TinyInt,
    Uuid,
)

__all__ = ["ENUMERABLE", "MOMENTS", "ORDERED", "value_for"]

_EXACT = (TinyInt, SmallInt, Integer, BigInt, Decimal)
_SHORT = (Float16, BFloat16, FP8E4M3, FP8E5M2, FP8E8M0, FP6E2M3, FP6E3M2, FP4E2M1, Float32)
_LARGEST_SHORT = 3.4e38

MOMENTS: tuple[type[DataType], ...] = (Date, Timestamp)
"""What can be fresh."""
ORDERED: tuple[type[DataType], ...] = (*_EXACT, *_SHORT, Float64, Date, Time, Timestamp, Interval)
"""What can lie in a range."""
ENUMERABLE: tuple[type[DataType], ...] = (*ORDERED, String, FixedString, Boolean, Uuid)
"""What can be one of some values."""


def value_for(column: DataType, value: str | float) -> object:
    """Return the Python value that a check's value means for a column of this type.

    Raises:
        ValueError: it is none; the message says what is wanted.
    """
    for kinds, wanted, read in _READERS:
        if isinstance(column, kinds):
            try:
                return read(column, value)
            except (ValueError, TypeError, OverflowError, InvalidOperation):
                raise ValueError(wanted) from None
    raise ValueError(f"no value: a {column.spelled()} is not compared with one")


def _exact(_: DataType, value: str | float) -> Exact:
    if isinstance(value, bool):
        raise TypeError
    number = Exact(repr(value) if isinstance(value, float) else value)
    if not number.is_finite():
        raise ValueError
    return number


def _float(column: DataType, value: str | float) -> float:
    if isinstance(value, bool):
        raise TypeError
    number = float(value)
    if isinstance(column, _SHORT) and abs(number) > _LARGEST_SHORT:
        raise ValueError
    return number


def _timestamp(column: DataType, value: str | float) -> datetime:
    found = datetime.fromisoformat(_text(column, value))
    if not getattr(column, "tz", True):
        return found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo else found
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _interval(column: DataType, value: str | float) -> str:
    text = _text(column, value)
    if duration(text) is None:
        raise ValueError
    return text


def _text(_: DataType, value: str | float) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _truth(_: DataType, value: str | float) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


_Reader = Callable[[DataType, str | float], object]
_READERS: tuple[tuple[tuple[type[DataType], ...], str, _Reader], ...] = (
    (_EXACT, 'a number, such as 12 or "0.10"', _exact),
    ((*_SHORT, Float64), "a number, such as 0.5", _float),
    ((Timestamp,), 'a moment, such as "2026-01-31T12:00:00+00:00"', _timestamp),
    ((Date,), 'a day, such as "2026-01-31"', lambda c, v: date.fromisoformat(_text(c, v))),
    ((Time,), 'a time of day, such as "12:00:00"', lambda c, v: time.fromisoformat(_text(c, v))),
    ((Interval,), 'a duration, such as "5 minutes"', _interval),
    ((String,), 'a text, such as "open"', _text),
    ((FixedString,), 'a text, such as "open"', lambda c, v: _text(c, v).rstrip(" ")),
    ((Boolean,), "True or False", _truth),
    ((Uuid,), "a UUID as text", lambda c, v: uuid.UUID(_text(c, v))),
)
