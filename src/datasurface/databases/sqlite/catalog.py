"""A SQLite file's tables and views, read from its schema."""

from __future__ import annotations

import sqlite3
from contextlib import suppress

from datasurface.databases.base import SourceColumn, SourceTable
from datasurface.databases.sqlite.connect import quoted
from datasurface.databases.sqlite.types import dsl_type

__all__ = ["SCHEMA", "has_schema", "read_table", "read_tables", "row_number"]

SCHEMA = "main"
_HIDDEN = 1
_ROW_NUMBERS = ("rowid", "_rowid_", "oid")


def has_schema(schema: str | None) -> bool:
    """Tell whether tables of `schema` can be in a file; there is only `main`."""
    return schema is None or schema.lower() == SCHEMA


def read_tables(connection: sqlite3.Connection) -> tuple[SourceTable, ...]:
    """Return every table and view, sorted by name; not SQLite's own, nor views and virtual tables that do not work."""
    rows = connection.execute(
        "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
    ).fetchall()
    names = sorted({str(name) for (name,) in rows} - _shadows(connection))
    found = [_table(connection, name) for name in names]
    return tuple([table for table in found if table is not None])


def read_table(connection: sqlite3.Connection, name: str) -> SourceTable | None:
    """Return one table, whatever the case of its ASCII letters; None if it is absent."""
    row = connection.execute(
        "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name = ? COLLATE NOCASE", [name]
    ).fetchone()
    return None if row is None else _table(connection, str(row[0]))


def row_number(connection: sqlite3.Connection, table: SourceTable) -> str | None:
    """Return the word for a table's row number; None if it has none, as a view."""
    taken = {column.name.lower() for column in table.columns}
    for word in _ROW_NUMBERS:
        if word in taken:
            continue
        with suppress(sqlite3.OperationalError):
            connection.execute(f"SELECT t.{word} FROM {quoted(table.name)} AS t LIMIT 0")
            return word
    return None


def _shadows(connection: sqlite3.Connection) -> set[str]:
    """Return the tables in which virtual tables keep their data; none where SQLite is too old to tell (3.37)."""
    with suppress(sqlite3.OperationalError):
        rows = connection.execute("SELECT name FROM pragma_table_list WHERE type = 'shadow'").fetchall()
        return {str(name) for (name,) in rows}
    return set()


def _table(connection: sqlite3.Connection, name: str) -> SourceTable | None:
    try:
        rows = connection.execute(
            'SELECT name, type, "notnull", pk FROM pragma_table_xinfo(?) WHERE hidden <> ? ORDER BY cid',
            [name, _HIDDEN],
        ).fetchall()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_ERROR:
            raise
        return None
    columns = tuple([_column(*row) for row in rows])
    return SourceTable(schema=None, name=name, columns=columns) if columns else None


def _column(name: str, declared: str, not_null: int, key: int) -> SourceColumn:
    return SourceColumn(
        name=name,
        physical=declared or "(undeclared)",
        type=dsl_type(declared),
        nullable=not (not_null or key),
        key_position=key or None,
    )
