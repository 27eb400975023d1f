"""The hot statements on PostgreSQL: find what differs between staging and current, and apply it.

Rows are matched by key and compared column by column, by the type's own equality or its canonical form. No statement
can become quadratic, with or without statistics: a full join is hashed or merged, and rows to close are found by their
physical address, which holds because nobody else writes while the stream's row is locked.
"""

from __future__ import annotations

from datasurface.databases.merge import MOST_KEYS, Tables
from datasurface.databases.postgres.ddl import qualified, quote, type_of
from datasurface.databases.postgres.types import canonical
from datasurface.release.job import JobColumn, JobDataset

__all__ = [
    "COUNTS",
    "close_versions",
    "delta_columns",
    "differs",
    "find_delta",
    "find_duplicates",
    "find_nulls",
    "open_versions",
    "shown_key",
]


COUNTS = (
    "SELECT count(*) FILTER (WHERE ds_op = 'I'), count(*) FILTER (WHERE ds_op = 'U'), "
    "count(*) FILTER (WHERE ds_op = 'D') FROM"
)
"""Counts a delta by its operations; the delta's name follows."""


def delta_columns(dataset: JobDataset) -> str:
    """Return the column definitions of a delta table: the operation, the row it is about, the new values."""
    values = ", ".join(f"{quote(c.name)} {type_of(c)}" for c in dataset.columns)
    return f'ds_op "char", ds_row tid, {values}'


def find_delta(tables: Tables, dataset: JobDataset, staging: str) -> str:
    """Return the query whose rows are the delta: `I`, `U`, `D` with the address of the current row it is about."""
    return _keyed(tables, dataset, staging) if dataset.key_columns else _multiset(tables, dataset, staging)


def _keyed(tables: Tables, dataset: JobDataset, staging: str) -> str:
    keys = dataset.key_columns
    first = quote(keys[0].name)
    match = " AND ".join(f"s.{quote(c.name)} = c.{quote(c.name)}" for c in keys)
    different = "".join(f" OR {differs(c)}" for c in dataset.columns if not c.key)
    values = ", ".join(_value(c) for c in dataset.columns)
    return (
        f"SELECT (CASE WHEN c.{first} IS NULL THEN 'I' WHEN s.{first} IS NULL THEN 'D' ELSE 'U' END)::\"char\" "
        f"AS ds_op, "
        f"c.ctid AS ds_row, {values} "
        f"FROM {qualified(tables.schema, staging)} s FULL JOIN {qualified(tables.schema, tables.current)} c ON {match} "
        f"WHERE c.{first} IS NULL OR s.{first} IS NULL{different}"
    )


def _value(column: JobColumn) -> str:
    name = quote(column.name)
    return f"coalesce(s.{name}, c.{name}) AS {name}" if column.key else f"s.{name}"


def differs(column: JobColumn) -> str:
    """Return the condition that a column of `s` and of `c` hold different values."""
    name = quote(column.name)
    new, old = canonical(column.type, f"s.{name}"), canonical(column.type, f"c.{name}")
    return f"{new} IS DISTINCT FROM {old}"


def _multiset(tables: Tables, dataset: JobDataset, staging: str) -> str:
    """Match grouped counts: n copies are n rows. When copies go, those that came last go first.

    Each value is grouped by its canonical form, where NULL meets NULL. New copies are numbered after the old ones, so
    copy number i of staging is a new row exactly if current has fewer than i; the newest of current are surplus.
    """
    group = ", ".join(canonical(c.type, quote(c.name)) for c in dataset.columns)
    names = ", ".join(quote(c.name) for c in dataset.columns)
    current = qualified(tables.schema, tables.current)
    return (
        f"WITH both_sides AS ("
        f"SELECT true AS ds_new, NULL::tid AS ds_row, NULL::bigint AS ds_batch_in, {names} "
        f"FROM {qualified(tables.schema, staging)} "
        f"UNION ALL SELECT false, ctid, ds_batch_in, {names} FROM {current}), "
        f"numbered AS (SELECT *, "
        f"row_number() OVER (PARTITION BY {group}, ds_new ORDER BY ds_batch_in, ds_row) AS ds_copy, "
        f"count(*) FILTER (WHERE ds_new) OVER (PARTITION BY {group}) AS ds_wanted, "
        f"count(*) FILTER (WHERE NOT ds_new) OVER (PARTITION BY {group}) AS ds_present FROM both_sides) "
        f"SELECT (CASE WHEN ds_new THEN 'I' ELSE 'D' END)::\"char\" AS ds_op, ds_row, {names} FROM numbered "
        f"WHERE (ds_new AND ds_copy > ds_present) OR (NOT ds_new AND ds_copy > ds_wanted)"
    )


def close_versions(tables: Tables, dataset: JobDataset, delta: str, *, to_history: bool) -> str:
    """Return the statement that removes ended versions from current, into history if it has begun.

    Bound values, if `to_history`: batch_id, read_at, history_from, history_from_at.
    """
    current = qualified(tables.schema, tables.current)
    gone = f"DELETE FROM {current} c USING {qualified(tables.schema, delta)} d WHERE c.ctid = d.ds_row"
    if not to_history:
        return gone
    names = ", ".join(quote(c.name) for c in dataset.columns)
    returned = ", ".join(f"c.{quote(c.name)}" for c in dataset.columns)
    return (
        f"WITH gone AS ({gone} RETURNING {returned}, c.ds_batch_in, c.ds_valid_from) "
        f"INSERT INTO {qualified(tables.schema, tables.history)} "
        f"({names}, ds_batch_in, ds_batch_out, ds_valid_from, ds_valid_to) "
        f"SELECT {names}, greatest(ds_batch_in, %(history_from)s::bigint), %(batch_id)s::bigint, "
        f"greatest(ds_valid_from, %(history_from_at)s::timestamptz), %(read_at)s::timestamptz FROM gone"
    )


def open_versions(tables: Tables, dataset: JobDataset, delta: str) -> str:
    """Return the statement that adds the versions that began. Bound values: batch_id, read_at."""
    names = ", ".join(quote(c.name) for c in dataset.columns)
    return (
        f"INSERT INTO {qualified(tables.schema, tables.current)} ({names}, ds_batch_in, ds_valid_from) "
        f"SELECT {names}, %(batch_id)s::bigint, %(read_at)s::timestamptz "
        f"FROM {qualified(tables.schema, delta)} WHERE ds_op <> 'D'"
    )


def find_duplicates(schema: str, table: str, dataset: JobDataset) -> str:
    """Return the query for up to ten keys that occur more than once, each as one text."""
    keys = ", ".join(quote(c.name) for c in dataset.key_columns)
    shown = shown_key(dataset)
    where = " AND ".join(f"{quote(c.name)} IS NOT NULL" for c in dataset.key_columns)
    return (
        f"SELECT {shown} || ' (' || count(*) || ' times)' FROM {qualified(schema, table)} "
        f"WHERE {where} GROUP BY {keys} HAVING count(*) > 1 ORDER BY {keys} LIMIT {MOST_KEYS}"
    )


def find_nulls(schema: str, table: str, dataset: JobDataset) -> str:
    """Return the query for up to ten keys with a NULL in them, each as one text."""
    where = " OR ".join(f"{quote(c.name)} IS NULL" for c in dataset.key_columns)
    return f"SELECT {shown_key(dataset)} FROM {qualified(schema, table)} WHERE {where} LIMIT {MOST_KEYS}"


def shown_key(dataset: JobDataset) -> str:
    """Return the expression that shows a row's key as one text."""
    parts = [
        f"'{c.name.replace(chr(39), chr(39) * 2)}=' || coalesce({quote(c.name)}::text, 'NULL')"
        for c in dataset.key_columns
    ]
    return " || ', ' || ".join(parts)
