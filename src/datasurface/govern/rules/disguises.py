"""Whether a method of de-identification fits a column's type, and if not, why. Pure."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal as Number

from datasurface.model.deidentification import (
    LONGEST_HASH,
    NUMBERS,
    PERIODS,
    PSEUDONYMISED_TYPES,
    SHORTEST_HASH,
    DeIdentification,
    Generalise,
    KeyedHash,
    Redact,
    Tokenise,
)
from datasurface.model.types import (
    BigInt,
    Boolean,
    DataType,
    Date,
    Decimal,
    FixedString,
    Float32,
    Float64,
    Integer,
    SmallInt,
    String,
    Time,
    Timestamp,
    TinyInt,
    Uuid,
)

__all__ = ["unfit"]

Problem = tuple[str, str] | None
"""What is wrong and what to do; None if nothing is."""
_BITS: dict[type[DataType], int] = {TinyInt: 8, SmallInt: 16, Integer: 32, BigInt: 64}
_LONGEST_DOMAIN = 128
_READ: dict[type[DataType], Callable[[str], object]] = {
    Date: date.fromisoformat,
    Time: time.fromisoformat,
    Timestamp: datetime.fromisoformat,
    Uuid: uuid.UUID,
}


def unfit(method: DeIdentification, kind: DataType) -> Problem:
    """Return why a method cannot be used for values of a type; None if it can."""
    if isinstance(method, Tokenise | KeyedHash):
        return _pseudonym(method, kind)
    if isinstance(method, Redact):
        return _constant(method, kind)
    if isinstance(method, Generalise):
        return _coarser(method, kind)
    return None


def _pseudonym(method: Tokenise | KeyedHash, kind: DataType) -> Problem:
    if not isinstance(kind, PSEUDONYMISED_TYPES):
        return f"values of {kind.spelled()} are not tokenised or hashed", "redact it"
    if isinstance(method, KeyedHash) and not SHORTEST_HASH <= method.length <= LONGEST_HASH:
        return f"a hash has no {method.length} digits", f"keep {SHORTEST_HASH} to {LONGEST_HASH} of them"
    if isinstance(method, Tokenise) and not 0 < len(method.domain) <= _LONGEST_DOMAIN:
        return "the name of its domain is empty or too long", f"use 1 to {_LONGEST_DOMAIN} characters"
    return None


def _constant(method: Redact, kind: DataType) -> Problem:
    if method.to is None or _holds(kind, method.to):
        return None
    return f"{kind.spelled()} cannot hold {method.to!r}", "redact it to a value of its type, or to NULL: Redact()"


def _holds(kind: DataType, value: str | bool | float) -> bool:
    """Tell whether a constant is a value of a type."""
    if isinstance(value, bool) or isinstance(kind, Boolean):
        return isinstance(value, bool) and isinstance(kind, Boolean)
    if isinstance(value, str):
        return _holds_text(kind, value)
    if type(kind) in _BITS:
        return isinstance(value, int) and -(1 << _BITS[type(kind)] - 1) <= value < 1 << _BITS[type(kind)] - 1
    if isinstance(kind, Decimal):
        return _fits_decimal(kind, Number(str(value)))
    return isinstance(kind, Float32 | Float64)


def _holds_text(kind: DataType, value: str) -> bool:
    if "\0" in value:
        return False
    if isinstance(kind, String | FixedString):
        return kind.length is None or len(value) <= kind.length
    read = _READ.get(type(kind))
    try:
        return read is not None and read(value) is not None
    except ValueError:
        return False


def _fits_decimal(kind: Decimal, value: Number) -> bool:
    shape = value.as_tuple()
    if not isinstance(shape.exponent, int):
        return False
    return -shape.exponent <= kind.scale and abs(value) < Number(10) ** (kind.precision - kind.scale)


def _coarser(method: Generalise, kind: DataType) -> Problem:
    given = [name for name in ("period", "width", "prefix") if getattr(method, name) is not None]
    if len(given) != 1:
        return "it is not said by what it is generalised", "give one of period=, width= and prefix="
    if method.period is not None:
        return _period(method.period, kind)
    if method.prefix is not None:
        if not isinstance(kind, String | FixedString):
            return f"{kind.spelled()} has no first characters", "prefix= is for texts"
        return None if method.prefix > 0 else ("no character would be left", "redact it instead")
    return _width(Number(str(method.width)), kind)


def _period(period: str, kind: DataType) -> Problem:
    allowed = PERIODS if isinstance(kind, Timestamp) else PERIODS[1:]
    if not isinstance(kind, Date | Timestamp):
        return f"{kind.spelled()} has no {period}", "period= is for dates and timestamps"
    return None if period in allowed else (f"there is no period {period!r}", f"periods are {', '.join(allowed)}")


def _width(width: Number, kind: DataType) -> Problem:
    if not isinstance(kind, NUMBERS):
        return f"{kind.spelled()} has no ranges", "width= is for numbers"
    if not width.is_finite() or width <= 0:
        return f"no range is {width} wide", "give a width above 0"
    exact = Decimal(1000, kind.scale) if isinstance(kind, Decimal) else Decimal(1000)
    if not isinstance(kind, Float32 | Float64) and not _fits_decimal(exact, width):
        return f"ranges that are {width} wide have ends that {kind.spelled()} cannot hold", "give a rounder width"
    return None
