"""Rows as tests give them: mappings, tuples, Arrow tables, data frames, or the path of a CSV file."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from datasurface.release.job import JobColumn
from datasurface.transform.frames import rows_of

__all__ = ["Given", "columns_given", "rows_given"]

Given: TypeAlias = Any
"""An iterable of mappings or of tuples, an Arrow table, a pandas or polars frame, or the path of a CSV file."""


def rows_given(data: Given, columns: Sequence[JobColumn]) -> Iterator[Sequence[Any]]:
    """Yield rows in the order of `columns`; a mapping may leave columns away that may be NULL.

    In a CSV file the first line names the columns, and an empty field is NULL.

    Raises:
        ValueError: a row lacks a column or has one too many; the message names them.
    """
    if isinstance(data, str | Path):
        yield from rows_of(_whole(_csv(Path(data)), columns), columns)
    elif isinstance(data, Mapping):
        raise TypeError("the rows are one mapping: give a list of mappings, one a row")
    elif hasattr(data, "schema") or hasattr(data, "columns"):
        yield from rows_of(data, columns)
    else:
        yield from rows_of(_whole(data, columns), columns)


def columns_given(rows: Sequence[Mapping[str, Any]], columns: Sequence[JobColumn]) -> list[JobColumn]:
    """Return the columns that all of these rows have, in order.

    Raises:
        ValueError: rows differ in their columns, or have one that is none.
    """
    names = set(rows[0]) if rows else set()
    if any(set(row) != names for row in rows):
        raise ValueError("the rows have different columns: give all of them the same ones")
    extra = sorted(names - {c.name for c in columns})
    if extra:
        raise ValueError(f"there is no column {', '.join(extra)}; there are {', '.join(c.name for c in columns)}")
    return [c for c in columns if c.name in names]


def _whole(rows: Iterable[Any], columns: Sequence[JobColumn]) -> Iterator[Any]:
    absent = {c.name: None for c in columns if c.nullable}
    for row in rows:
        yield {**absent, **row} if hasattr(row, "keys") else row


def _csv(path: Path) -> Iterator[dict[str, str | None]]:
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            yield {name: value or None for name, value in row.items()}
