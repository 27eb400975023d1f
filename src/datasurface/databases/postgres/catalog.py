"""PostgreSQL's catalog, read: tables and views with their columns, types, nullability and primary key.

One query whatever the number of tables. Domains are resolved to their base types; enumerations are marked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any, TypeAlias

import psycopg
from psycopg.rows import tuple_row

from datasurface.databases.base import SourceColumn, SourceTable
from datasurface.databases.postgres.spelling import ENUM_MARK, dsl_type

__all__ = ["read_table", "read_tables"]

_Row: TypeAlias = tuple[str, str, str, bool, bool, int | None]

_COLUMNS = """
WITH RECURSIVE domain (oid, base, typmod, not_null) AS (
    SELECT oid, typbasetype, typtypmod, typnotnull FROM pg_catalog.pg_type WHERE typtype = 'd'
  UNION ALL
    SELECT d.oid, t.typbasetype, t.typtypmod, d.not_null OR t.typnotnull
    FROM domain d JOIN pg_catalog.pg_type t ON t.oid = d.base AND t.typtype = 'd'
)
SELECT c.relname::text, a.attname::text,
       pg_catalog.format_type(t.oid, CASE WHEN d.oid IS NULL THEN a.atttypmod ELSE d.typmod END),
       t.typtype = 'e' OR COALESCE(e.typtype = 'e', false),
       a.attnotnull OR COALESCE(d.not_null, false),
       pg_catalog.array_position(k.conkey, a.attnum)
FROM pg_catalog.pg_namespace n
JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN domain d ON d.oid = a.atttypid
JOIN pg_catalog.pg_type t ON t.oid = COALESCE(d.base, a.atttypid) AND t.typtype <> 'd'
LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem AND t.typcategory = 'A'
LEFT JOIN pg_catalog.pg_constraint k ON k.conrelid = c.oid AND k.contype = 'p'
WHERE n.nspname = %(schema)s
  AND (%(name)s::text IS NULL AND NOT c.relispartition OR c.relname = %(name)s::text)
  AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
  AND pg_catalog.has_column_privilege(c.oid, a.attnum, 'SELECT')
ORDER BY c.relname, a.attnum
"""
"""Of a domain over a domain only the row that reaches a base type is joined. Partitions are read by name only."""


def read_tables(connection: psycopg.Connection[Any], schema: str) -> tuple[SourceTable, ...]:
    """Return every table, view, materialized view and foreign table of `schema` that may be read, sorted by name."""
    found = _tables(schema, _rows(connection, schema, None))
    return tuple(sorted(found, key=lambda table: table.name))


def read_table(connection: psycopg.Connection[Any], schema: str, name: str) -> SourceTable | None:
    """Return one table, also a partition; None if it is absent or none of its columns may be read."""
    return next(_tables(schema, _rows(connection, schema, name)), None)


def _rows(connection: psycopg.Connection[Any], schema: str, name: str | None) -> list[_Row]:
    with connection.cursor(row_factory=tuple_row) as cursor:
        return cursor.execute(_COLUMNS, {"schema": schema, "name": name}).fetchall()


def _tables(schema: str, rows: Iterable[_Row]) -> Iterator[SourceTable]:
    for name, columns in groupby(rows, key=itemgetter(0)):
        yield SourceTable(schema=schema, name=name, columns=tuple(_column(row) for row in columns))


def _column(row: _Row) -> SourceColumn:
    _, name, physical, is_enum, not_null, key_position = row
    words = physical + ENUM_MARK if is_enum else physical
    return SourceColumn(
        name=name, physical=words, type=dsl_type(words), nullable=not not_null, key_position=key_position
    )
