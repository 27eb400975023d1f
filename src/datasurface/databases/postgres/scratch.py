"""Schemas that live as long as one run of code: copies of its inputs, and room for tables of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import psycopg

from datasurface.databases.code import StandIn
from datasurface.databases.postgres import ddl

__all__ = ["copy_inputs", "drop_scratch", "make_work"]


def copy_inputs(
    raw: psycopg.Connection[Any], snapshot: str | None, views: Sequence[StandIn], *, role: str | None
) -> None:
    """Copy views into unlogged tables of the same names, as a moment saw them; begins its transaction with that."""
    _run(raw, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    if snapshot is not None:
        _run(raw, f"SET TRANSACTION SNAPSHOT {ddl.literal(snapshot)}")
    reader = _existing(raw, role)
    for schema in sorted({view.into for view in views}):
        _make(raw, schema, "USAGE", reader)
    for view in views:
        table = ddl.qualified(view.into, view.name)
        _run(raw, f"CREATE UNLOGGED TABLE {table} AS SELECT * FROM {ddl.qualified(view.schema, view.name)}")
        _run(raw, f"ANALYZE {table}")
        if reader is not None:
            _run(raw, f"GRANT SELECT ON {table} TO {ddl.quote(reader)}")


def make_work(raw: psycopg.Connection[Any], schema: str, *, role: str | None) -> None:
    """Make an empty schema in which a role may create."""
    _make(raw, schema, "USAGE, CREATE", _existing(raw, role))


def drop_scratch(raw: psycopg.Connection[Any], schemas: Sequence[str]) -> None:
    """Drop schemas with what is in them; nobody but the run itself can have put something there."""
    for schema in schemas:
        _run(raw, f"DROP SCHEMA IF EXISTS {ddl.quote(schema)} CASCADE")


def _make(raw: psycopg.Connection[Any], schema: str, rights: str, role: str | None) -> None:
    _run(raw, f"CREATE SCHEMA {ddl.quote(schema)}")
    if role is not None:
        _run(raw, f"GRANT {rights} ON SCHEMA {ddl.quote(schema)} TO {ddl.quote(role)}")


def _existing(raw: psycopg.Connection[Any], role: str | None) -> str | None:
    found = raw.execute("SELECT FROM pg_catalog.pg_roles WHERE rolname = %s", [role]).fetchone()
    return None if found is None else role


def _run(raw: psycopg.Connection[Any], statement: str) -> None:
    raw.execute(cast("Any", statement))
