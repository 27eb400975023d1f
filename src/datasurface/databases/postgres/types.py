"""PostgreSQL's type map: which of its types holds a DSL type, how values compare there, what a source column can feed.

Pure text and values; knows no driver. Physical types are written exactly as `format_type` prints them, so that a
column of the catalog and a column of the model compare by equality.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from datasurface.databases.postgres.spelling import dsl_type
from datasurface.model.types import (
    FP4E2M1,
    FP6E2M3,
    FP6E3M2,
    FP8E4M3,
    FP8E5M2,
    FP8E8M0,
    Array,
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
    Interval,
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
    Vector,
)

__all__ = ["Canonical", "Reads", "canonical", "comparison", "dsl_type", "keyable", "physical_type", "reads_as"]

_SIMPLE: dict[type[DataType], str] = {
    Boolean: "boolean",
    TinyInt: "smallint",
    SmallInt: "smallint",
    Integer: "integer",
    BigInt: "bigint",
    Float16: "real",
    BFloat16: "real",
    FP8E4M3: "real",
    FP8E5M2: "real",
    FP8E8M0: "real",
    FP6E2M3: "real",
    FP6E3M2: "real",
    FP4E2M1: "real",
    Float32: "real",
    Float64: "double precision",
    Binary: "bytea",
    Uuid: "uuid",
    Json: "jsonb",
    Variant: "jsonb",
    Date: "date",
    Time: "time without time zone",
    Interval: "interval",
}
_INTEGERS: tuple[tuple[type[DataType], int], ...] = ((TinyInt, 3), (SmallInt, 5), (Integer, 10), (BigInt, 19))
"""Each integer type, narrowest first, with its most decimal digits."""
_IN_JSON = (Boolean, TinyInt, SmallInt, Integer, BigInt, Decimal, String, Json)
"""What a JSON document holds without loss; its numbers are exact decimals in jsonb."""
_KEYS = (Boolean, Decimal, Float64, String, FixedString, Binary, Uuid, Date, Time, Timestamp)
_LONGEST_TEXT = 10_485_760
_MOST_DIGITS = 1000


class Reads(StrEnum):
    """What a source column can do for a column of the model."""

    EXACT = "exact"
    """It is of the very type that holds the model's."""
    CAST = "cast"
    """Every value of it has an equal one in the model's type; it is cast in the read."""
    REFUSED = "refused"
    """It is wider, or something else."""


@dataclass(frozen=True, slots=True)
class Canonical:
    """How values of a type compare: by `=` as they are, or by `=` of the canonical form that `function` gives."""

    function: str | None = None

    @property
    def exact(self) -> bool:
        """Whether the type's own equality is exact."""
        return self.function is None

    def of(self, expression: str) -> str:
        """Return SQL text whose `=` and `IS DISTINCT FROM` tell whether two values are the same; NULL stays NULL."""
        return expression if self.function is None else f"{self.function}({expression})"


def physical_type(t: DataType) -> str | None:  # noqa: PLR0911 - one line a family of types
    """Return the type that holds `t` without loss, as `format_type` prints it; None if there is none."""
    if type(t) in _SIMPLE:
        return _SIMPLE[type(t)]
    match t:
        case Decimal():
            fits = 1 <= t.precision <= _MOST_DIGITS and 0 <= t.scale <= t.precision
            return f"numeric({t.precision},{t.scale})" if fits else None
        case String(length=None):
            return "text"
        case String() | FixedString():
            return _sized_text(t)
        case Timestamp():
            return f"timestamp {'with' if t.tz else 'without'} time zone"
        case Array():
            return _array(t.element)
        case Vector():
            return "real[]" if t.dimensions > 0 else None
        case Map() | Struct():
            return "jsonb" if _json_exact(t) else None
    return None


def _sized_text(t: String | FixedString) -> str | None:
    if t.length is None or not 1 <= t.length <= _LONGEST_TEXT:
        return None
    return f"{'character varying' if isinstance(t, String) else 'character'}({t.length})"


def _array(element: object) -> str | None:
    """Return the array of `element`; an array of arrays has no type of its own in PostgreSQL."""
    if not isinstance(element, DataType) or isinstance(element, (Array, Vector)):
        return None
    held = physical_type(element)
    return None if held is None else f"{held}[]"


def _json_exact(t: object) -> bool:
    match t:
        case Array():
            return _json_exact(t.element)
        case Map():
            return isinstance(t.key, String) and _json_exact(t.value)
        case Struct():
            return all(_json_exact(field) for field in t.fields.values())
    return isinstance(t, _IN_JSON) and physical_type(t) is not None


def keyable(t: DataType) -> bool:
    """Tell whether `t` may be part of a key."""
    scalar = isinstance(t, _KEYS) or type(t) in dict(_INTEGERS) or _SIMPLE.get(type(t)) == "real"
    return scalar and physical_type(t) is not None


def comparison(t: DataType) -> Canonical:
    """Return how values of `t` compare.

    PostgreSQL's `=` takes '1 mon' and '30 days' for equal; the binary form holds months, days and microseconds apart.
    """
    if isinstance(t, Interval):
        return Canonical("interval_send")
    if isinstance(t, Array) and isinstance(t.element, Interval):
        return Canonical("array_send")
    return Canonical()


def canonical(t: DataType, expression: str) -> str:
    """Return SQL text by which to compare `expression` of type `t`: itself where the type's own equality is exact."""
    return comparison(t).of(expression)


def reads_as(physical: str, model: DataType) -> Reads:
    """Judge whether a source column of type `physical` can feed a column of the model.

    `physical` is what `catalog` reports: `format_type`'s words, domains resolved, ` (enum)` after the name of an
    enumeration. Where one type of PostgreSQL stands for several of ours (smallint for `TinyInt`, real for `Float16`,
    bytea for `Binary(n)`), the declared bound is the producer's word and not checked.
    """
    wanted = physical_type(model)
    if wanted is None:
        return Reads.REFUSED
    if physical == wanted:
        return Reads.EXACT
    given = dsl_type(physical)
    return Reads.CAST if given is not None and _widens(given, model) else Reads.REFUSED


def _widens(given: DataType, model: DataType) -> bool:  # noqa: C901, PLR0911 - one line a pair of families
    """Tell whether every value of `given` has an equal one in `model`.

    Blanks at the end of a fixed text do not count, so it feeds `String` without them; never the other way round.
    """
    if given == model:
        return True
    match given, model:
        case ((TinyInt() | SmallInt() | Integer() | BigInt()), Decimal()):
            return dict(_INTEGERS)[type(given)] <= model.precision - model.scale
        case Decimal(), Decimal():
            return given.scale <= model.scale and given.precision - given.scale <= model.precision - model.scale
        case ((String() | FixedString()), String(length=None)):
            return True
        case (String(length=int(n)), String(length=int(m))) | (FixedString(length=n), (String(length=int(m)))):
            return n <= m
        case FixedString(), FixedString():
            return given.length <= model.length
        case Float32(), Float64():
            return True
        case Json(), Variant():
            return True
        case Array(element=DataType() as inner), Array(element=DataType() as outer):
            return _widens(inner, outer)
        case Vector(), Array(element=Float32()):
            return True
    return any((type(given), type(model)) == (narrow, wide) for narrow, wide in _WIDER_INTEGERS)


_WIDER_INTEGERS = tuple(
    (narrow, wide) for position, (narrow, _) in enumerate(_INTEGERS) for wide, _ in _INTEGERS[position + 1 :]
)
