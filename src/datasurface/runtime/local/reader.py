"""A read-only login on an embedded server: it sees the given views and nothing else of what the server holds."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg
from psycopg import sql

from datasurface.errors import StoreError
from datasurface.runtime.local.server import LocalServer

__all__ = ["ensure_reader"]

_PRESENT_VIEWS = """
SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'v' AND (n.nspname, c.relname) IN (SELECT * FROM unnest(%s::text[], %s::text[]))
"""
_GRANTED_SCHEMAS = """
SELECT DISTINCT n.nspname FROM pg_catalog.pg_namespace n, aclexplode(n.nspacl) a
JOIN pg_catalog.pg_roles r ON r.oid = a.grantee WHERE r.rolname = %s
"""


def ensure_reader(
    server: LocalServer, database: str, role: str, password: str, views: Sequence[tuple[str, str]]
) -> None:
    """Make a login, or bring it up to date: SELECT on those of `views`, as (schema, name), that are there.

    What it was given before and is no longer among `views` is taken away, in one transaction.

    Raises:
        StoreError: the server refuses.
    """
    try:
        with psycopg.connect(server.uri(database), connect_timeout=10, sslmode="disable") as connection:
            connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"datasurface reader {role}"])
            _login(connection, role, password)
            _revoke(connection, role)
            _grant(connection, role, views)
    except psycopg.Error as error:
        raise StoreError(f"cannot make the login {role!r} in {server.folder}: {' '.join(str(error).split())}") from None


def _login(connection: psycopg.Connection[tuple[object, ...]], role: str, password: str) -> None:
    """Create the role with a password that reaches the server only as its SCRAM verifier."""
    name = sql.Identifier(role)
    found = connection.execute("SELECT FROM pg_catalog.pg_roles WHERE rolname = %s", [role]).fetchone()
    if found is None:
        connection.execute(sql.SQL("CREATE ROLE {}").format(name))
    encrypted = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    connection.execute(
        sql.SQL(
            "ALTER ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT NOREPLICATION NOBYPASSRLS PASSWORD {}"
        ).format(name, sql.Literal(encrypted))
    )
    connection.execute(sql.SQL("ALTER ROLE {} SET default_transaction_read_only = on").format(name))


def _revoke(connection: psycopg.Connection[tuple[object, ...]], role: str) -> None:
    name = sql.Identifier(role)
    for (schema,) in connection.execute(_GRANTED_SCHEMAS, [role]).fetchall():
        place = sql.Identifier(str(schema))
        connection.execute(sql.SQL("REVOKE ALL ON ALL TABLES IN SCHEMA {} FROM {}").format(place, name))
        connection.execute(sql.SQL("REVOKE ALL ON SCHEMA {} FROM {}").format(place, name))


def _grant(connection: psycopg.Connection[tuple[object, ...]], role: str, views: Sequence[tuple[str, str]]) -> None:
    name = sql.Identifier(role)
    schemas, names = [view[0] for view in views], [view[1] for view in views]
    for schema, view in connection.execute(_PRESENT_VIEWS, [schemas, names]).fetchall():
        place = sql.Identifier(str(schema))
        shown = sql.Identifier(str(schema), str(view))
        connection.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(place, name))
        connection.execute(sql.SQL("GRANT SELECT ON {} TO {}").format(shown, name))
