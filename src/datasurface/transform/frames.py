"""Rows as Arrow, pandas and polars, and back; each of these libraries is imported where somebody asks for it."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from datasurface.errors import MissingExtraError
from datasurface.model.types import (
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
from datasurface.release.job import JobColumn

__all__ = ["arrow_schema", "arrow_table", "rows_of"]

_ARROW: dict[type[DataType], str] = {
    Boolean: "bool_",
    TinyInt: "int8",
    SmallInt: "int16",
    Integer: "int32",
    BigInt: "int64",
    Float32: "float32",
    Float64: "float64",
    String: "string",
    FixedString: "string",
    Binary: "binary",
    Date: "date32",
    Uuid: "string",
    Json: "string",
    Variant: "string",
    Map: "string",
    Struct: "string",
}
_DECIMAL128, _DECIMAL256 = 38, 76
"""The most digits that Arrow's decimals hold."""
_AS_TEXT = (Uuid, Interval)
_AS_JSON = (Json, Variant, Map, Struct)


def required(module: str) -> Any:
    """Import a library of data frames.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        raise MissingExtraError(f"{module} for inputs and outputs", module) from None


def arrow_schema(columns: Sequence[JobColumn]) -> Any:
    """Return the Arrow schema of columns; decimals and timestamps are exact, documents are JSON texts."""
    pa = required("pyarrow")
    return pa.schema([pa.field(c.name, _arrow_type(pa, c.type), nullable=c.nullable) for c in columns])


def arrow_table(columns: Sequence[JobColumn], batches: Iterable[Sequence[tuple[Any, ...]]]) -> Any:
    """Return rows as one `pyarrow.Table`."""
    pa = required("pyarrow")
    schema = arrow_schema(columns)
    return pa.Table.from_batches([_record_batch(pa, schema, columns, rows) for rows in batches], schema=schema)


def rows_of(data: Any, columns: Sequence[JobColumn]) -> Iterator[Sequence[Any]]:
    """Yield the rows of anything that may be written, in the order of `columns`.

    Takes an Arrow table or record batch, a pandas or polars frame, or an iterable of mappings or of sequences.

    Raises:
        ValueError: a row lacks a column, or has one too many; the message names them.
    """
    names = [c.name for c in columns]
    kind = type(data).__module__.partition(".")[0]
    if kind == "polars":
        data, kind = data.to_arrow(), "pyarrow"
    if kind == "pandas":
        pa = required("pyarrow")
        data, kind = pa.Table.from_pandas(data, preserve_index=False), "pyarrow"
    if kind == "pyarrow":
        yield from _arrow_rows(data, names)
        return
    for row in data:
        yield _row(row, names)


def _arrow_rows(data: Any, names: Sequence[str]) -> Iterator[Sequence[Any]]:
    _refuse(set(data.schema.names), names)
    batches = data.to_batches(max_chunksize=10_000) if hasattr(data, "to_batches") else [data]
    for batch in batches:
        lists = [batch.column(name).to_pylist() for name in names]
        yield from zip(*lists, strict=True)


def _row(row: Any, names: Sequence[str]) -> Sequence[Any]:
    if hasattr(row, "keys"):
        if row.keys() != set(names):
            _refuse(set(row.keys()), names)
        return [row[name] for name in names]
    if len(row) != len(names):
        raise ValueError(f"a row has {len(row)} values where there are {len(names)} columns: {', '.join(names)}")
    values: Sequence[Any] = row
    return values


def _refuse(found: set[str], names: Sequence[str]) -> None:
    """Raise `ValueError` unless exactly the columns are there."""
    missing, extra = [n for n in names if n not in found], sorted(found - set(names))
    if missing or extra:
        parts = [f"lack {', '.join(missing)}"] if missing else []
        parts += [f"have {', '.join(extra)}, which the output does not"] if extra else []
        raise ValueError(f"the rows {' and '.join(parts)}; its columns are {', '.join(names)}")


def _arrow_type(pa: Any, kind: DataType) -> Any:
    if isinstance(kind, Decimal):
        wide = kind.precision > _DECIMAL128
        return (
            pa.decimal256(min(kind.precision, _DECIMAL256), kind.scale)
            if wide
            else pa.decimal128(kind.precision, kind.scale)
        )
    if isinstance(kind, Timestamp):
        return pa.timestamp("us", tz="UTC" if kind.tz else None)
    if isinstance(kind, Time):
        return pa.time64("us")
    name = _ARROW.get(type(kind))
    return getattr(pa, name)() if name else pa.string()


def _record_batch(pa: Any, schema: Any, columns: Sequence[JobColumn], rows: Sequence[tuple[Any, ...]]) -> Any:
    lists = zip(*rows, strict=True) if rows else [[] for _ in columns]
    arrays = [
        pa.array([_value(v, column.type) for v in values], type=field.type)
        for values, column, field in zip(lists, columns, schema, strict=True)
    ]
    return pa.record_batch(arrays, schema=schema)


def _value(value: Any, kind: DataType) -> Any:
    if value is None:
        return None
    if isinstance(kind, _AS_JSON):
        return json.dumps(value)
    return str(value) if isinstance(kind, _AS_TEXT) or type(kind) not in _KNOWN else value


_KNOWN = {*_ARROW, Decimal, Timestamp, Time}
