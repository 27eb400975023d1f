"""What a user's query would read and call, as the server itself understands it: asked before it ever runs.

The query becomes a view in a savepoint that is rolled back. The view's stored tree names every relation and function.
Nothing but the dataset, which stands in as a subquery without rows, may be read; of functions only the server's own
that change nothing may be called. So no query text is trusted, however it is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from datasurface.databases.postgres.connect import explain
from datasurface.databases.postgres.ddl import qualified, quote, type_of
from datasurface.release.job import JobDataset

__all__ = ["framed", "in_savepoint", "query_fault"]

_RELATION = re.compile(r":relid (\d+)")
_FUNCTION = re.compile(r":(?:funcid|opfuncid|aggfnoid|winfnoid) (\d+)")
_TYPE = re.compile(r":\w*type(?:id)? (\d+)")
_TREE = "SELECT ev_class::int8, ev_action::text FROM pg_rewrite WHERE ev_class = %s::regclass"
_FOREIGN = (
    "SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE c.oid = ANY (%s::oid[]) ORDER BY 1"
)
_FORBIDDEN = (
    "SELECT DISTINCT p.proname FROM pg_proc p WHERE p.oid = ANY (%s::oid[]) AND "
    "(p.pronamespace <> 'pg_catalog'::regnamespace OR p.provolatile = 'v' OR (p.provolatile = 's' AND "
    "p.proname ~ '^(pg_|has_|inet_)|_to_xml|xmlschema|setting|description')) ORDER BY 1"
)
"""Volatile functions change or see more than their arguments; so do some that are called stable."""
_STRANGE = (
    "SELECT t.typname FROM pg_type t WHERE t.oid = ANY (%s::oid[]) AND t.typnamespace <> 'pg_catalog'::regnamespace "
    "AND t.typrelid <> %s ORDER BY 1"
)
"""A domain's constraints call functions that no tree shows."""


def framed(query: str, dataset: str, rows: str, around: str) -> str:
    """Return a user's query inside of ours: `around` has `{}` where it goes, `rows` is what it finds as the dataset."""
    name = quote(dataset)
    inside = query.replace("{table}", name) + "\n"  # which ends a comment that the query may end with
    return f"WITH {name} AS ({rows}) {around.replace('{}', inside)}"


@contextmanager
def in_savepoint(raw: psycopg.Connection[Any], *, read_only: bool, seconds: float) -> Iterator[None]:
    """Open a savepoint with bounds of its own; whatever happens in it is undone, and so are the bounds."""
    with raw.transaction() as savepoint:
        raw.execute(
            f"SET LOCAL statement_timeout = {max(1, int(seconds * 1000))}; "
            f"SET LOCAL transaction_read_only = {'on' if read_only else 'off'}".encode()
        )
        yield
        raise psycopg.Rollback(savepoint)


def query_fault(raw: psycopg.Connection[Any], schema: str, dataset: JobDataset, query: str) -> str:
    """Return why a query may not run as a check of a dataset; empty if it may."""
    view = qualified(schema, f"ds_proof.{raw.info.backend_pid}")
    empty = ", ".join(f"NULL::{type_of(c)} AS {quote(c.name)}" for c in dataset.columns)
    text = framed(query, dataset.name, f"SELECT {empty} WHERE false", "SELECT count(*) FROM ({}) ds_found")
    try:
        with in_savepoint(raw, read_only=False, seconds=30):
            if raw.execute("SELECT FROM pg_namespace WHERE nspname = %s", [schema]).fetchone() is None:
                raw.execute(f"CREATE SCHEMA {quote(schema)}".encode())  # before the first apply
            raw.execute(f"CREATE VIEW {view} AS {text}".encode(), prepare=True)
            oid, tree = raw.execute(_TREE, [view]).fetchall()[0]
            return _judge(raw, int(oid), str(tree))
    except psycopg.Error as error:
        if (error.sqlstate or "")[:2] not in ("42", "22", "21", "0A", "54"):
            raise
        return f"PostgreSQL cannot read its query: {explain(error)}"


def _judge(raw: psycopg.Connection[Any], own: int, tree: str) -> str:
    relations = sorted({int(number) for number in _RELATION.findall(tree)} - {0, own})
    if relations:
        names = ", ".join(str(row[0]) for row in raw.execute(_FOREIGN, [relations]))
        return f"its query reads {names}; it may read nothing but {{table}}"
    functions = sorted({int(number) for number in _FUNCTION.findall(tree)} - {0})
    names = ", ".join(str(row[0]) for row in raw.execute(_FORBIDDEN, [functions]))
    if names:
        return f"its query calls {names}; only PostgreSQL's own functions that change nothing may be called"
    types = sorted({int(number) for number in _TYPE.findall(tree)})
    names = ", ".join(str(row[0]) for row in raw.execute(_STRANGE, [types, own]))
    return f"its query uses the type {names}; only PostgreSQL's own types are allowed" if names else ""
