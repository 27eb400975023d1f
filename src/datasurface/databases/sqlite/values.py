"""From what SQLite stored to exact values of the model's types. What does not fit is refused, never changed.

SQLite lets any column hold any value, so every value is judged when it is read. A whole column of a batch is first
tested at once; only where that says no are its values taken one by one.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Callable, Sequence
from decimal import Decimal as Number
from typing import TypeAlias

from datasurface.databases.sqlite.documents import document
from datasurface.databases.sqlite.moments import to_date, to_time, to_timestamp
from datasurface.databases.sqlite.unfit import UnfitError, kind_of
from datasurface.model.types import (
    FP4E2M1,
    FP6E2M3,
    FP6E3M2,
    FP8E4M3,
    FP8E5M2,
    FP8E8M0,
    BFloat16,
    BigInt,
    Binary,
    Boolean,
    DataType,
    Date,
    Decimal,
    FixedString,
    Float16,
    Float32,
    Float64,
    Integer,
    Json,
    Map,
    SmallInt,
    String,
    Struct,
    Time,
    Timestamp,
    TinyInt,
    Uuid,
    Variant,
)

__all__ = ["Convert", "converter", "whole_column"]

Convert: TypeAlias = Callable[[object], object]
"""Takes a value that is not None; raises `UnfitError` if the type cannot hold it."""

_BITS: dict[type[DataType], int] = {TinyInt: 8, SmallInt: 16, Integer: 32, BigInt: 64}
_SINGLE = (Float16, BFloat16, FP8E4M3, FP8E5M2, FP8E8M0, FP6E2M3, FP6E3M2, FP4E2M1, Float32)
_TRUE, _FALSE = frozenset({"true", "t", "1"}), frozenset({"false", "f", "0"})
_SIGNIFICANT = 2**53
_UUID_BYTES = 16
_MOST_CHARACTERS = 1000


def converter(t: DataType) -> Convert | None:  # noqa: PLR0911 - one line a family of types
    """Return what turns a stored value into one of `t`; None if SQLite has no values of that type."""
    if type(t) in _PLAIN:
        return _PLAIN[type(t)]
    match t:
        case Decimal():
            return _decimal(t.precision, t.scale)
        case String():
            return _text(t.length)
        case FixedString():
            return _fixed_text(t.length)
        case Binary():
            return _bytes(t.length)
        case Timestamp():
            return to_timestamp(tz=t.tz)
    return None


def whole_column(t: DataType) -> Callable[[Sequence[object]], bool]:
    """Return a quick test that is true only if all values of a column are exact values of `t` already."""
    if type(t) in _BITS:
        return _all_integers(_BITS[type(t)])
    if isinstance(t, Float64):
        return lambda values: set(map(type, values)) <= {float, type(None)}
    if isinstance(t, String) and (t.length is None or t.length <= _MOST_CHARACTERS):
        return _all_texts(t.length)
    return lambda values: set(map(type, values)) <= {type(None)}


def _all_integers(bits: int) -> Callable[[Sequence[object]], bool]:
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1

    def test(values: Sequence[object]) -> bool:
        kinds = set(map(type, values))
        if kinds == {int}:
            return bits == 64 or (low <= min(values) and max(values) <= high)  # type: ignore[type-var,operator]  # noqa: PLR2004
        return bits == 64 and kinds <= {int, type(None)}  # noqa: PLR2004 - all of SQLite's integers have 64 bits

    return test


def _all_texts(length: int | None) -> Callable[[Sequence[object]], bool]:
    def test(values: Sequence[object]) -> bool:
        if not set(map(type, values)) <= {str, type(None)}:
            return False
        texts = [v for v in values if isinstance(v, str)]
        if length is not None and max(map(len, texts), default=0) > length:
            return False
        return not any("\0" in text for text in texts)

    return test


def _integer(bits: int) -> Convert:
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1

    def convert(value: object) -> int:
        if isinstance(value, float) and value.is_integer() and abs(value) <= _SIGNIFICANT:
            value = int(value)
        if not isinstance(value, int):
            raise UnfitError(f"holds {kind_of(value)}")
        if not low <= value <= high:
            raise UnfitError(f"holds an integer of more than {bits} bits")
        return value

    return convert


def _boolean(value: object) -> bool:
    if value in (0, 1):
        return bool(value)
    if isinstance(value, str) and value.lower() in _TRUE | _FALSE:
        return value.lower() in _TRUE
    raise UnfitError(f"holds {kind_of(value)} that is neither true nor false")


def _double(value: object) -> float:
    if isinstance(value, float):
        return value
    if isinstance(value, int) and int(float(value)) == value:
        return float(value)
    raise UnfitError(f"holds {kind_of(value)}" + (" of too many digits" if isinstance(value, int) else ""))


def _single(value: object) -> float:
    number = _double(value)
    try:
        exact = struct.unpack("f", struct.pack("f", number))[0] == number
    except OverflowError:
        exact = False
    if not exact:
        raise UnfitError("holds a real of more digits than 32 bits can")
    return number


def _decimal(precision: int, scale: int) -> Convert:
    """Convert integers, texts and reals; of a real the shortest digits that mean it are taken."""

    def convert(value: object) -> Number:
        number = _number(value)
        _, digits, exponent = number.as_tuple()
        if not isinstance(exponent, int):
            raise UnfitError(f"holds {kind_of(value)} that is no finite number")
        if number == 0:
            return Number(0)
        text = "".join(map(str, digits)).rstrip("0")
        exponent += len(digits) - len(text)
        if -exponent > scale or len(text) + exponent > precision - scale:
            raise UnfitError(f"holds {kind_of(value)} of more digits than the type has")
        return number

    return convert


def _number(value: object) -> Number:
    if isinstance(value, float):
        return Number(repr(value))
    if isinstance(value, int):
        return Number(value)
    if isinstance(value, str) and value.isascii() and "_" not in value:
        try:
            return Number(value)
        except ArithmeticError as error:
            raise UnfitError("holds text that is no number") from error
    raise UnfitError(f"holds {kind_of(value)}")


def _text(length: int | None) -> Convert:
    def convert(value: object) -> str:
        if not isinstance(value, str):
            raise UnfitError(f"holds {kind_of(value)}")
        if length is not None and len(value) > length:
            raise UnfitError(f"holds text of {len(value)} characters")
        if "\0" in value:
            raise UnfitError("holds text with a NUL character, which no merge database can hold")
        return value

    return convert


def _fixed_text(length: int) -> Convert:
    text = _text(None)

    def convert(value: object) -> str:
        kept = str(text(value)).rstrip(" ")
        if len(kept) > length:
            raise UnfitError(f"holds text of {len(kept)} characters")
        return kept

    return convert


def _bytes(length: int | None) -> Convert:
    def convert(value: object) -> bytes:
        if not isinstance(value, bytes):
            raise UnfitError(f"holds {kind_of(value)}")
        if length is not None and len(value) > length:
            raise UnfitError(f"holds {len(value)} bytes")
        return value

    return convert


def _uuid(value: object) -> uuid.UUID:
    if isinstance(value, bytes) and len(value) == _UUID_BYTES:
        return uuid.UUID(bytes=value)
    if isinstance(value, str):
        try:
            return uuid.UUID(value)
        except ValueError as error:
            raise UnfitError("holds text that is no UUID") from error
    raise UnfitError(f"holds {kind_of(value)}")


def _object(value: object) -> str:
    text = document(value)
    if not text.lstrip(" \t\r\n").startswith("{"):
        raise UnfitError("holds JSON that is no object")
    return text


_PLAIN: dict[type[DataType], Convert] = {
    **{t: _integer(bits) for t, bits in _BITS.items()},
    **dict.fromkeys(_SINGLE, _single),
    Boolean: _boolean,
    Float64: _double,
    Uuid: _uuid,
    Json: document,
    Variant: document,
    Map: _object,
    Struct: _object,
    Date: to_date,
    Time: to_time,
}
