"""PostgreSQL's catalog of who may read views: privileges of tables and columns, memberships, and superusers."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, cast

import psycopg
from sqlalchemy import Connection

from datasurface.databases.access import PUBLIC, SUPERUSER, ReadAccess

__all__ = ["PostgresAccess"]

_QUERY = """
WITH RECURSIVE shown AS MATERIALIZED (
    SELECT c.oid, c.relname, c.relowner, c.relacl, n.oid AS schema_oid, n.nspname
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = ANY(%(schemas)s) AND c.relkind IN ('v', 'm', 'r', 'p')
), granted AS (
    SELECT s.oid, a.grantee, NULL::text[] AS columns
    FROM shown s, LATERAL pg_catalog.aclexplode(coalesce(s.relacl, pg_catalog.acldefault('r', s.relowner))) a
    WHERE a.privilege_type = 'SELECT'
    UNION ALL
    SELECT s.oid, a.grantee, pg_catalog.array_agg(t.attname::text ORDER BY t.attnum)
    FROM shown s JOIN pg_catalog.pg_attribute t ON t.attrelid = s.oid AND t.attacl IS NOT NULL,
         LATERAL pg_catalog.aclexplode(t.attacl) a
    WHERE a.privilege_type = 'SELECT'
    GROUP BY s.oid, a.grantee
), member (role, through) AS (
    SELECT r.oid, r.oid FROM pg_catalog.pg_roles r
    UNION
    SELECT m.member, x.through
    FROM pg_catalog.pg_auth_members m JOIN member x ON x.role = m.roleid
    WHERE coalesce((to_jsonb(m) ->> 'inherit_option')::boolean OR (to_jsonb(m) ->> 'set_option')::boolean, true)
), reading AS (
    SELECT x.role, g.oid, g.grantee AS through, g.columns
    FROM granted g JOIN member x ON x.through = g.grantee
), entering AS MATERIALIZED (
    SELECT p.role, p.schema_oid FROM (
        SELECT DISTINCT d.role, s.schema_oid FROM reading d JOIN shown s ON s.oid = d.oid) p
    WHERE pg_catalog.has_schema_privilege(p.role, p.schema_oid, 'USAGE')
       OR EXISTS (SELECT FROM member x WHERE x.role = p.role
                  AND pg_catalog.has_schema_privilege(x.through, p.schema_oid, 'USAGE'))
)
SELECT r.rolname, s.nspname, s.relname, t.rolname, d.columns,
       r.rolcanlogin AND coalesce(r.rolvaliduntil > now(), true)
FROM reading d
JOIN shown s ON s.oid = d.oid
JOIN entering e ON e.role = d.role AND e.schema_oid = s.schema_oid
JOIN pg_catalog.pg_roles r ON r.oid = d.role
JOIN pg_catalog.pg_roles t ON t.oid = d.through
WHERE NOT r.rolsuper
UNION ALL
SELECT %(public)s, s.nspname, s.relname, %(public)s, g.columns, true
FROM granted g JOIN shown s ON s.oid = g.oid
WHERE g.grantee = 0 AND pg_catalog.has_schema_privilege('public', s.schema_oid, 'USAGE')
UNION ALL
SELECT r.rolname, s.nspname, s.relname, %(superuser)s, NULL,
       r.rolcanlogin AND coalesce(r.rolvaliduntil > now(), true)
FROM shown s CROSS JOIN pg_catalog.pg_roles r
WHERE r.rolsuper
ORDER BY 1, 2, 3, 4
"""
"""A member that may only `SET ROLE` can read as well as one that inherits; before PostgreSQL 16 every member could.
Without the right to use a view's schema nobody reads the view."""


class PostgresAccess:
    """The catalog of one database, with the roles of its server."""

    def read_access(self, connection: Connection, schemas: Collection[str]) -> Iterator[ReadAccess]:
        """Yield who may read the views of some schemas, memberships followed, sorted."""
        raw = cast("psycopg.Connection[Any]", connection.connection.driver_connection)
        values = {"schemas": sorted(schemas), "public": PUBLIC, "superuser": SUPERUSER}
        with raw.cursor() as cursor:
            cursor.execute(_QUERY, values)
            for grantee, schema, view, through, columns, can_login in cursor:
                yield ReadAccess(
                    grantee=grantee,
                    schema=schema,
                    view=view,
                    through=through,
                    columns=None if columns is None else tuple(columns),
                    can_login=can_login,
                )
