"""The delta of staged changes on PostgreSQL: the last change of each key, judged against what is current.

Delete and insert of a known key is an update, insert of a known key too, or nothing if the row is the same; an update
of an unknown key is an insert, a delete of one is nothing. Sorting and key lookups make it: nothing is quadratic.
"""

from __future__ import annotations

from datasurface.databases.merge import Tables
from datasurface.databases.postgres.ddl import qualified, quote
from datasurface.databases.postgres.delta import differs, shown_key
from datasurface.release.job import JobDataset

__all__ = ["find_delta", "find_problems"]


def find_delta(tables: Tables, dataset: JobDataset, staging: str) -> str:
    """Return the query whose rows are the delta of staged changes, of the same form as that of a snapshot."""
    keys = [quote(c.name) for c in dataset.key_columns]
    match = " AND ".join(f"s.{key} = c.{key}" for key in keys)
    different = " OR ".join([f"c.{keys[0]} IS NULL", *(differs(c) for c in dataset.columns if not c.key)])
    values = ", ".join(
        f"s.{quote(c.name)}" if c.key else f"CASE WHEN s.ds_op <> 'D' THEN s.{quote(c.name)} END AS {quote(c.name)}"
        for c in dataset.columns
    )
    last = (
        f"SELECT DISTINCT ON ({', '.join(keys)}) * FROM {qualified(tables.schema, staging)} "
        f"ORDER BY {', '.join(keys)}, ds_seq DESC"
    )
    return (
        f"SELECT (CASE WHEN c.{keys[0]} IS NULL THEN 'I' WHEN s.ds_op = 'D' THEN 'D' ELSE 'U' END)::\"char\" AS ds_op, "
        f"c.ctid AS ds_row, {values} "
        f"FROM ({last}) s LEFT JOIN {qualified(tables.schema, tables.current)} c ON {match} "
        f"WHERE CASE WHEN s.ds_op = 'D' THEN c.{keys[0]} IS NOT NULL ELSE {different} END"
    )


def find_problems(schema: str, table: str, dataset: JobDataset) -> str:
    """Return the query for up to ten staged changes that mean nothing, each in words."""
    keys = ", ".join(quote(c.name) for c in dataset.key_columns)
    null = " OR ".join(f"{quote(c.name)} IS NULL" for c in dataset.key_columns)
    return (
        f"SELECT CASE WHEN {null} THEN 'NULL in key: ' || ds_key "
        f"WHEN ds_op IS NULL OR ds_op NOT IN ('I', 'U', 'D') "
        f"THEN 'ds_op is ' || coalesce(quote_literal(left(ds_op, 20)), 'NULL') || ', not I, U or D: ' || ds_key "
        f"WHEN ds_seq IS NULL THEN 'ds_seq is NULL: ' || ds_key "
        f"ELSE 'ds_seq ' || ds_seq || ' twice for one key: ' || ds_key END "
        f"FROM (SELECT {keys}, {shown_key(dataset)} AS ds_key, ds_op, ds_seq, "
        f"lag(ds_seq) OVER (PARTITION BY {keys} ORDER BY ds_seq) AS ds_before FROM {qualified(schema, table)}) s "
        f"WHERE {null} OR ds_op IS NULL OR ds_op NOT IN ('I', 'U', 'D') OR ds_seq IS NULL OR ds_seq = ds_before "
        f"ORDER BY ds_seq LIMIT 10"
    )
