"""What code may write, as rows: Arrow, pandas and polars data, mappings and sequences, also mixed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from datasurface.databases.documents import load_document
from datasurface.model.types import Array, DataType, Decimal
from datasurface.release.job import JobColumn
from datasurface.transform.arrow import arrow_schema, is_document, required

__all__ = ["count_of", "rows_of"]

_BATCH = 10_000
_LIBRARIES = ("polars", "pandas", "pyarrow")


def rows_of(data: Any, columns: Sequence[JobColumn]) -> Iterator[Sequence[Any]]:
    """Yield the rows of anything that may be written, in the order of `columns`, in bounded memory.

    Takes an Arrow table, record batch or reader, a pandas or polars frame, or an iterable of mappings, of sequences,
    or of any of those.

    Raises:
        ValueError: a row lacks a column, has one too many, or a value that the column cannot have; the message names
            them.
    """
    names = [c.name for c in columns]
    wanted = set(names)
    frame = _library(data)
    if frame is not None:
        yield from _frame_rows(frame, data, columns)
        return
    for row in data:
        if isinstance(row, Mapping) or hasattr(row, "keys"):
            if row.keys() != wanted:
                _refuse(set(row.keys()), names)
            yield [row[name] for name in names]
        elif (inner := _library(row)) is not None:
            yield from _frame_rows(inner, row, columns)
        elif isinstance(row, str) or len(row) != len(names):
            raise ValueError(f"a row has {len(row)} values where there are {len(names)} columns: {', '.join(names)}")
        else:
            yield row


def count_of(data: Any) -> int:
    """Return how many rows there are in anything that may be written; an iterator is exhausted by that."""
    return len(data) if hasattr(data, "__len__") else sum(1 for _ in data)


def _library(data: Any) -> str | None:
    """Return the library of data frames whose data this is; None for rows."""
    if isinstance(data, tuple | list | dict):
        return None
    homes = {c.__module__.partition(".")[0] for c in type(data).__mro__}
    return next((name for name in _LIBRARIES if name in homes), None)


def _frame_rows(library: str, data: Any, columns: Sequence[JobColumn]) -> Iterator[Sequence[Any]]:
    names = [c.name for c in columns]
    types = arrow_schema(columns).types
    if library == "polars":
        data = (data.collect() if hasattr(data, "collect") else data).to_arrow()
    _refuse({str(name) for name in (data.columns if library == "pandas" else data.schema.names)}, names)
    take = _of_series if library == "pandas" else _of_array
    for batch in _pandas_batches(data) if library == "pandas" else _batches(data):
        lists = [take(batch[c.name], c, expected) for c, expected in zip(columns, types, strict=True)]
        yield from zip(*lists, strict=True)


def _pandas_batches(frame: Any) -> Iterator[Any]:
    for start in range(0, len(frame), _BATCH):
        yield frame.iloc[start : start + _BATCH]


def _batches(data: Any) -> Iterator[Any]:
    if hasattr(data, "to_batches"):
        yield from data.to_batches(max_chunksize=_BATCH)
    elif hasattr(data, "read_next_batch"):
        yield from data
    else:
        yield data


def _of_array(array: Any, column: JobColumn, expected: Any) -> list[Any]:
    """Return the values of an Arrow array as the database takes them; a decimal that does not fit is refused there.

    Raises:
        ValueError: it holds what the column cannot.
    """
    pa = required("pyarrow")
    if _is_decimal(column.type):
        return _as_written(pa, array)
    text = pa.types.is_string(array.type) or pa.types.is_large_string(array.type) or pa.types.is_string_view(array.type)
    if is_document(column.type):
        return [load_document(v) if text and v is not None else v for v in array.to_pylist()]
    if array.type == expected or (text and expected == pa.string()):
        values = array.to_pylist()
    else:
        values = _cast(array, column, expected).to_pylist()
    if isinstance(column.type, Array) and _holds_documents(column.type):
        return [None if v is None else [None if e is None else load_document(e) for e in v] for v in values]
    found: list[Any] = values
    return found


def _is_decimal(kind: DataType) -> bool:
    return isinstance(kind.element if isinstance(kind, Array) else kind, Decimal)


def _as_written(pa: Any, array: Any) -> list[Any]:
    """Return numbers without a cast, which would round them: binary floats as the shortest texts that mean them."""
    floats = pa.types.is_floating(array.type)
    found: list[Any] = (array.cast(pa.string()) if floats else array).to_pylist()
    return found


def _holds_documents(kind: Array) -> bool:
    return isinstance(kind.element, DataType) and is_document(kind.element)


def _cast(array: Any, column: JobColumn, expected: Any) -> Any:
    pa = required("pyarrow")
    if pa.types.is_timestamp(expected) and expected.tz is None and getattr(array.type, "tz", None) is not None:
        raise ValueError(f"column {column.name!r} is a Timestamp(tz=False), but the rows have a time zone")
    try:
        return array.cast(expected)
    except pa.ArrowException:
        raise _misfit(column, str(array.type)) from None


def _misfit(column: JobColumn, given: str) -> ValueError:
    """Return the error for a value that a column cannot have; Arrow's own would show it, and it may be classified."""
    return ValueError(f"column {column.name!r} takes {column.type.spelled()}, and a value of {given} does not fit")


def _of_series(series: Any, column: JobColumn, expected: Any) -> list[Any]:
    """Return the values of a pandas column as the database takes them; what pandas has for a missing value is NULL."""
    pa = required("pyarrow")
    objects = str(series.dtype) == "object"
    if objects and is_document(column.type):
        values = _objects(series)
        return [load_document(v) if isinstance(v, str) else v for v in values]
    if objects and _is_decimal(column.type):
        return _objects(series)
    if objects and expected == pa.string():
        series = series.map(str, na_action="ignore")
    try:
        array = pa.Array.from_pandas(series, type=expected) if objects else pa.Array.from_pandas(series)
    except (pa.ArrowException, OverflowError):
        raise _misfit(column, str(series.dtype)) from None
    return _of_array(array, column, expected)


def _objects(series: Any) -> list[Any]:
    found: list[Any] = series.where(series.notna(), None).tolist()
    return found


def _refuse(found: set[str], names: Sequence[str]) -> None:
    """Raise `ValueError` unless exactly the columns are there."""
    missing, extra = [n for n in names if n not in found], sorted(found - set(names))
    if missing or extra:
        parts = [f"lack {', '.join(missing)}"] if missing else []
        parts += [f"have {', '.join(extra)}, which the output does not"] if extra else []
        raise ValueError(f"the rows {' and '.join(parts)}; its columns are {', '.join(names)}")
