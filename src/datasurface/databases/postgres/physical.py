"""What a merge database's catalog says of tables, views and grants."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg

from datasurface.databases.merge import PhysicalColumn, PhysicalTable, PhysicalView
from datasurface.databases.postgres.ddl import qualified, quote

__all__ = ["read_grants", "read_tables", "read_views"]

_TABLES = """
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull,
       array_position(i.indkey::int2[], a.attnum), pg_total_relation_size(c.oid)
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
WHERE n.nspname = %s AND c.relkind IN ('r', 'p')
ORDER BY c.relname, a.attnum
"""

_VIEWS = """
WITH RECURSIVE standing AS (
    SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = %(schema)s AND c.relkind IN ('r', 'p')
  UNION
    SELECT w.ev_class FROM standing s
    JOIN pg_depend d ON d.refobjid = s.oid AND d.refclassid = 'pg_class'::regclass
                    AND d.classid = 'pg_rewrite'::regclass
    JOIN pg_rewrite w ON w.oid = d.objid
)
SELECT n.nspname, c.relname,
       (SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_attribute a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
       (SELECT array_agg(DISTINCT rn.nspname || '.' || r.relname) FROM pg_rewrite w
        JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
                        AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> c.oid
        JOIN pg_class r ON r.oid = d.refobjid JOIN pg_namespace rn ON rn.oid = r.relnamespace
        WHERE w.ev_class = c.oid)
FROM standing s JOIN pg_class c ON c.oid = s.oid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('v', 'm')
ORDER BY 1, 2
"""

_GRANTS = """
WITH acls AS (
    SELECT c.relowner, NULL::name AS attname, c.relacl AS acl FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %(schema)s AND c.relname = %(name)s
  UNION ALL
    SELECT c.relowner, a.attname, a.attacl FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = %(schema)s AND c.relname = %(name)s AND a.attname = ANY (%(columns)s)
)
SELECT coalesce(quote_ident(r.rolname), 'PUBLIC'), x.privilege_type, x.is_grantable, l.attname
FROM acls l, LATERAL aclexplode(l.acl) x LEFT JOIN pg_roles r ON r.oid = x.grantee
WHERE x.grantee <> l.relowner
ORDER BY 4 NULLS FIRST, 1, 2
"""


def read_tables(raw: psycopg.Connection[Any], schema: str) -> Mapping[str, PhysicalTable]:
    """Return the tables of a schema by name, columns in their physical order."""
    columns: dict[str, list[PhysicalColumn]] = defaultdict(list)
    keys: dict[str, list[tuple[int, str]]] = defaultdict(list)
    sizes: dict[str, int] = {}
    for table, column, kind, nullable, position, size in raw.execute(_TABLES, [schema]):
        columns[table].append(PhysicalColumn(name=column, type=kind, nullable=nullable))
        sizes[table] = size
        if position is not None:
            keys[table].append((position, column))
    return {
        name: PhysicalTable(
            name=name, columns=tuple(found), key=tuple(c for _, c in sorted(keys[name])), bytes=sizes[name]
        )
        for name, found in columns.items()
    }


def read_views(raw: psycopg.Connection[Any], schema: str) -> Sequence[PhysicalView]:
    """Return every view of the database that stands, directly or not, on a table of `schema`."""
    return [
        PhysicalView(schema=view_schema, name=name, columns=tuple(columns or ()), reads=tuple(reads or ()))
        for view_schema, name, columns, reads in raw.execute(_VIEWS, {"schema": schema})
    ]


def read_grants(raw: psycopg.Connection[Any], schema: str, name: str, columns: Sequence[str]) -> Sequence[str]:
    """Return the statements that give a view's present grants again, those on single columns for `columns`."""
    return [
        f"GRANT {privilege}{f' ({quote(column)})' if column else ''} ON {qualified(schema, name)} "
        f"TO {grantee}{' WITH GRANT OPTION' if grantable else ''}"
        for grantee, privilege, grantable, column in raw.execute(
            _GRANTS, {"schema": schema, "name": name, "columns": list(columns)}
        )
    ]
