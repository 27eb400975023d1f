"""One table's rows in batches of bounded size, every value judged by the model's type."""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from datasurface.databases.base import SourceTable
from datasurface.databases.sqlite.catalog import row_number
from datasurface.databases.sqlite.connect import quoted, told
from datasurface.databases.sqlite.unfit import UnfitError
from datasurface.databases.sqlite.values import converter, whole_column
from datasurface.errors import SourceError
from datasurface.model.types import DataType
from datasurface.release.job import JobDataset

__all__ = ["batches"]

_ROWS = 2_000
_BYTES = 4_000_000
_NOT_UTF8 = re.compile(r"Could not decode to UTF-8 column '(?P<column>.*?)' with text", re.DOTALL)


def batches(
    path: Path, cursor: sqlite3.Cursor, dataset: JobDataset, table: SourceTable, lock: threading.Lock
) -> Iterator[Sequence[tuple[object, ...]]]:
    """Yield the rows in the order of the dataset's columns, at most 2,000 or about 4 MB at a time.

    Raises:
        SourceError: a value does not fit its column's type; names table, column, row and what it is.
    """
    where = f"table {dataset.source_table!r} of {path}"
    with lock, told(path):
        label = row_number(cursor.connection, table)
        names = [f"t.{quoted(c.source)}" for c in dataset.columns] + [f"t.{label}" if label else "NULL"]
        cursor.execute(f"SELECT {', '.join(names)} FROM {quoted(table.name)} AS t")
    while True:
        with lock, told(path), _utf8(where):
            rows = _next(cursor)
        if not rows:
            return
        yield _converted(rows, dataset, where, label)


@contextmanager
def _utf8(where: str) -> Iterator[None]:
    """Turn SQLite's complaint about a text that is no UTF-8, which shows the text, into ours, which does not."""
    try:
        yield
    except sqlite3.OperationalError as error:
        found = _NOT_UTF8.match(str(error))
        if found is None:
            raise
        raise SourceError(f"column {found['column']!r} of {where} holds text that is not UTF-8") from None


def _next(cursor: sqlite3.Cursor) -> list[tuple[object, ...]]:
    """Fetch one batch: as many rows as are allowed, fewer if they are large."""
    rows: list[tuple[object, ...]] = []
    size = 0
    for row in cursor:
        rows.append(row)
        size += sum([len(value) for value in row if isinstance(value, (str, bytes))])
        if len(rows) == _ROWS or size >= _BYTES:
            break
    return rows


def _converted(
    rows: list[tuple[object, ...]], dataset: JobDataset, where: str, label: str | None
) -> list[tuple[object, ...]]:
    columns = list(zip(*rows, strict=True))
    made: list[Sequence[object]] = []
    for place, column in enumerate(dataset.columns):
        if whole_column(column.type)(columns[place]):
            made.append(columns[place])
            continue
        values, failed = _one_by_one(column.type, columns[place])
        if failed is not None:
            number, problem = failed
            raise SourceError(
                f"column {column.source!r} of {where} {problem}, the model says {column.type.spelled()}"
                f" ({_row(dataset, rows[number], label)})",
                hint="correct the value, or the model's type",
            )
        made.append(values)
    return list(zip(*made, strict=True))


def _one_by_one(t: DataType, values: Sequence[object]) -> tuple[list[object], tuple[int, UnfitError] | None]:
    """Convert values up to the first that does not fit."""
    convert = converter(t)
    made: list[object] = []
    if convert is None:
        return made, (0, UnfitError("cannot be read"))
    for number, value in enumerate(values):
        try:
            made.append(None if value is None else convert(value))
        except UnfitError as problem:
            return made, (number, problem)
    return made, None


def _row(dataset: JobDataset, row: tuple[object, ...], label: str | None) -> str:
    """Name a row: by its number, else by its key."""
    if label is not None and row[-1] is not None:
        return f"{label} {row[-1]}"
    keys = [f"{c.source}={row[place]!r}"[:80] for place, c in enumerate(dataset.columns) if c.key]
    return f"key {', '.join(keys)}" if keys else "a row without key"
