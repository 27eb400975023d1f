"""Truth values, numbers, texts and bytes."""

from __future__ import annotations

from dataclasses import field

from datasurface.model.base import noun
from datasurface.model.types.base import DataType

__all__ = [
    "BigInt",
    "Binary",
    "Boolean",
    "Decimal",
    "FixedString",
    "Float32",
    "Float64",
    "Integer",
    "Json",
    "SmallInt",
    "String",
    "TinyInt",
    "Uuid",
    "Variant",
]


@noun
class Boolean(DataType):
    """True or false."""


@noun
class TinyInt(DataType):
    """A signed integer of 8 bits."""


@noun
class SmallInt(DataType):
    """A signed integer of 16 bits."""


@noun
class Integer(DataType):
    """A signed integer of 32 bits."""


@noun
class BigInt(DataType):
    """A signed integer of 64 bits."""


@noun
class Decimal(DataType):
    """An exact number of `precision` decimal digits, `scale` of them behind the point."""

    precision: int = field(kw_only=False)
    scale: int = field(default=0, kw_only=False)


@noun
class Float32(DataType):
    """An IEEE 754 number of 32 bits."""


@noun
class Float64(DataType):
    """An IEEE 754 number of 64 bits."""


@noun
class String(DataType):
    """A Unicode text of at most `length` characters; None is without bound."""

    length: int | None = field(default=None, kw_only=False)


@noun
class FixedString(DataType):
    """A Unicode text of exactly `length` characters, padded with blanks that do not count."""

    length: int = field(kw_only=False)


@noun
class Binary(DataType):
    """At most `length` bytes; None is without bound."""

    length: int | None = field(default=None, kw_only=False)


@noun
class Uuid(DataType):
    """A universally unique identifier of 128 bits."""


@noun
class Json(DataType):
    """A JSON value; equal if it means the same, whatever its spaces and the order of its keys."""


@noun
class Variant(DataType):
    """A value of any JSON-like structure, as warehouses hold them."""
