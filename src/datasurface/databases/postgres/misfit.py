"""A value that PostgreSQL refused, told by output, row and column and without the value, which may be classified."""

from __future__ import annotations

import re
from collections.abc import Sequence

import psycopg

from datasurface.databases.postgres.connect import explain
from datasurface.release.job import JobColumn

__all__ = ["refused_value", "without_values"]

_CLASS = "22"
_WORDS = {"22001": "it is too long", "22003": "it is out of range", "22P02": "it is not written as one"}
_QUOTED = re.compile(r"[\"»„].*[\"«“]", re.DOTALL)


def without_values(error: psycopg.Error) -> str:
    """Say an error in one line; of a value that a type cannot hold only that there is one."""
    text = explain(error)
    return _QUOTED.sub("…", text) if (error.sqlstate or "").startswith(_CLASS) else text


def refused_value(error: psycopg.Error, table: str, columns: Sequence[JobColumn]) -> str:
    """Say why a COPY into an output failed; the server tells the row and column, in whatever language it speaks."""
    if not (error.sqlstate or "").startswith(_CLASS):
        return explain(error)
    why = _WORDS.get(error.sqlstate or "", "the column's type has no such value")
    row = re.search(r", \S+ (\d+)(, \S+ .*)?", error.diag.context or "", re.DOTALL)
    place = f"output {table!r}" + (f", row {row[1]}" if row else "")
    named = row[2] if row and row[2] else ""
    for column in sorted(columns, key=lambda c: -len(c.name)):
        if re.match(rf", \S+ {re.escape(column.name)}(:|$)", named):
            kind = column.type.spelled()
            return f"{place}: column {column.name!r} takes {kind}, and the value given does not fit: {why}"
    return f"{place}: a value does not fit its column: {why}"
