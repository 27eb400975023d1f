"""PostgreSQL's spelling of types, read: from `format_type`'s words to the DSL type that holds them without loss."""

from __future__ import annotations

import re

from datasurface.model.types import (
    Array,
    BigInt,
    Binary,
    Boolean,
    DataType,
    Date,
    Decimal,
    FixedString,
    Float32,
    Float64,
    Integer,
    Interval,
    Json,
    SmallInt,
    String,
    Time,
    Timestamp,
    Uuid,
    Vector,
)

__all__ = ["ENUM_MARK", "dsl_type"]

ENUM_MARK = " (enum)"
"""What `catalog` writes after the name of an enumeration: the name alone does not tell that it is one."""

_NAMED: dict[str, DataType] = {
    "boolean": Boolean(),
    "smallint": SmallInt(),
    "integer": Integer(),
    "bigint": BigInt(),
    "oid": BigInt(),
    "real": Float32(),
    "double precision": Float64(),
    "text": String(),
    "citext": String(),
    "character varying": String(),
    "bpchar": String(),
    "character": FixedString(1),
    "name": String(63),
    '"char"': String(4),
    "bytea": Binary(),
    "uuid": Uuid(),
    "json": Json(),
    "jsonb": Json(),
    "date": Date(),
    "interval": Interval(),
    "time without time zone": Time(),
    "timestamp with time zone": Timestamp(),
    "timestamp without time zone": Timestamp(tz=False),
    "vector": Array(Float32()),
}
"""`"char"` shows a byte as up to four characters, `name` has at most 63 bytes; both are read as text."""

_SIZED = re.compile(
    r"(?P<name>[a-z ]+?) ?\((?P<first>\d+)(?:,(?P<second>-?\d+))?\)(?P<rest> with(?:out)? time zone)?\Z"
)
_INTERVAL = re.compile(r"interval( (year|month|day|hour|minute|second)( to (month|hour|minute|second))?)?(\(\d\))?\Z")
_QUALIFIED = re.compile(r"(?:[a-z_][a-z0-9_$]*|\"(?:[^\"]|\"\")+\")\.(?=(?:vector|citext)\b)")
"""A type of an extension is printed with its schema where that is not on the search path."""
_MOST_DIGITS = 1000


def dsl_type(physical: str) -> DataType | None:
    """Return the DSL type that holds a column of type `physical` without loss; None if there is none.

    An unconstrained `numeric` has none: no `Decimal` is wide enough. Nor have money, bit, xml, network, range and
    geometric types, `time with time zone`, and types of extensions but `vector` and `citext`.
    """
    if physical.endswith(ENUM_MARK):
        label = String(63)
        return Array(label) if physical.removesuffix(ENUM_MARK).endswith("[]") else label
    if physical.endswith("[]"):
        element = dsl_type(physical[:-2])
        return None if element is None or isinstance(element, (Array, Vector)) else Array(element)
    text = _QUALIFIED.sub("", physical)
    if text in _NAMED:
        return _NAMED[text]
    if _INTERVAL.match(text):
        return Interval()
    sized = _SIZED.match(text)
    return _with_size(sized) if sized else None


def _with_size(found: re.Match[str]) -> DataType | None:
    name, size, rest = found["name"], int(found["first"]), found["rest"] or ""
    if name == "numeric":
        return _decimal(size, int(found["second"] or 0))
    if name in ("time", "timestamp"):
        return _NAMED.get(f"{name}{rest}")
    match name:
        case "character varying":
            return String(size)
        case "character":
            return FixedString(size)
        case "vector":
            return Vector(size)
    return None


def _decimal(precision: int, scale: int) -> Decimal | None:
    """Return the `Decimal` that holds numeric(precision, scale), also for a negative scale or one above precision."""
    whole, behind = max(precision - scale, 0), max(scale, 0)
    return Decimal(whole + behind, behind) if whole + behind <= _MOST_DIGITS else None
