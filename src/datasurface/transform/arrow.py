"""Rows as Arrow, exactly: which of Arrow's types holds a column, and rows as its batches.

The library is imported where somebody asks for it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from datasurface.databases.documents import dump_document
from datasurface.errors import MissingExtraError
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
    Float16,
    Float32,
    Float64,
    Integer,
    Json,
    Map,
    SmallInt,
    Struct,
    Time,
    Timestamp,
    TinyInt,
    Uuid,
    Variant,
    Vector,
)
from datasurface.release.job import JobColumn
from datasurface.transform.folders import without_folders

__all__ = ["arrow_schema", "arrow_table", "is_document", "required"]

_ARROW: dict[type[DataType], str] = {
    Boolean: "bool_",
    TinyInt: "int8",
    SmallInt: "int16",
    Integer: "int32",
    BigInt: "int64",
    **dict.fromkeys((Float16, BFloat16, FP8E4M3, FP8E5M2, FP8E8M0, FP6E2M3, FP6E3M2, FP4E2M1, Float32), "float32"),
    Float64: "float64",
    Binary: "binary",
    Date: "date32",
}
"""The types that are one of Arrow's; texts, and what is given as text, are the rest."""
_EXTRAS = {"pyarrow": "arrow"}
_DECIMAL128, _DECIMAL256 = 38, 76
"""The most digits that Arrow's decimals hold; longer ones are given as texts."""
_DOCUMENTS = (Json, Variant, Map, Struct)


def required(module: str) -> Any:
    """Import a library of data frames.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        with without_folders():
            return importlib.import_module(module)
    except ImportError:
        raise MissingExtraError(f"{module} for inputs and outputs", _EXTRAS.get(module, module)) from None


def is_document(kind: DataType) -> bool:
    """Tell whether values are JSON documents, which Arrow has as their texts."""
    return isinstance(kind, _DOCUMENTS)


def arrow_schema(columns: Sequence[JobColumn]) -> Any:
    """Return the Arrow schema of columns; decimals and timestamps are exact, documents are JSON texts.

    Raises:
        MissingExtraError: pyarrow is not installed.
    """
    pa = required("pyarrow")
    return pa.schema([pa.field(c.name, _arrow_type(pa, c.type), nullable=c.nullable) for c in columns])


def arrow_table(columns: Sequence[JobColumn], batches: Iterable[Sequence[tuple[Any, ...]]]) -> Any:
    """Return rows as one `pyarrow.Table`.

    Raises:
        ValueError: Arrow has no such value, as its decimals have no NaN; the message names the column.
    """
    pa = required("pyarrow")
    schema = arrow_schema(columns)
    makers = [_maker(c.type) for c in columns]
    return pa.Table.from_batches([_record_batch(pa, schema, makers, rows) for rows in batches], schema=schema)


def _arrow_type(pa: Any, kind: DataType) -> Any:  # noqa: PLR0911 - one line a family of types
    match kind:
        case Decimal(precision=precision) if precision <= _DECIMAL128:
            return pa.decimal128(precision, kind.scale)
        case Decimal(precision=precision) if precision <= _DECIMAL256:
            return pa.decimal256(precision, kind.scale)
        case Timestamp():
            return pa.timestamp("us", tz="UTC" if kind.tz else None)
        case Time():
            return pa.time64("us")
        case Vector():
            return pa.list_(pa.float32())
        case Array(element=DataType() as element):
            return pa.list_(_arrow_type(pa, element))
    name = _ARROW.get(type(kind))
    return getattr(pa, name)() if name else pa.string()


def _record_batch(
    pa: Any, schema: Any, makers: Sequence[Callable[[Any], Any] | None], rows: Sequence[tuple[Any, ...]]
) -> Any:
    lists: Iterable[Sequence[Any]] = zip(*rows, strict=True) if rows else [[] for _ in schema]
    arrays = []
    for values, field, make in zip(lists, schema, makers, strict=True):
        made = values if make is None else [None if v is None else make(v) for v in values]
        try:
            arrays.append(pa.array(made, type=field.type))
        except (pa.ArrowException, OverflowError) as error:
            raise ValueError(f"column {field.name!r} has a value that Arrow's {field.type} has not: {error}") from None
    return pa.record_batch(arrays, schema=schema)


def _maker(kind: DataType) -> Callable[[Any], Any] | None:
    """Return what to make of a value before Arrow takes it; None for nothing."""
    if is_document(kind):
        return dump_document
    if isinstance(kind, Uuid) or (isinstance(kind, Decimal) and kind.precision > _DECIMAL256):
        return str
    if isinstance(kind, Array) and isinstance(kind.element, DataType):
        make = _maker(kind.element)
        return None if make is None else lambda values: [None if v is None else make(v) for v in values]
    return None
