"""Checksums of typed values, computed inside PostgreSQL: the same rows give the same sums in any of its databases.

A row's text is unambiguous (NULL, '' and every comma are told apart) and depends on values alone: both sides use the
physical types of the model and the pinned settings of `connect`. Sums are over twice 60 bits of each row's MD5.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import psycopg
from psycopg import sql

from datasurface.databases.audit import BucketSum, Change
from datasurface.databases.postgres.ddl import type_of
from datasurface.model.types import Float32, Float64
from datasurface.release.job import JobColumn, JobDataset

__all__ = ["bucket_rows", "checksums"]

_DRILLED = 100_000
"""The most rows of differing buckets that are brought to the client."""


def checksums(
    connection: psycopg.Connection[Any], dataset: JobDataset, table: sql.Composable, buckets: int, *, source: bool
) -> dict[int, BucketSum]:
    """Return count and sums of the rows of each bucket."""
    query = sql.SQL(
        "SELECT {bucket} AS b, count(*), sum(('x' || substr(h, 1, 15))::bit(60)::bigint::numeric), "
        "sum(('x' || substr(h, 16, 15))::bit(60)::bigint::numeric) "
        "FROM (SELECT md5({key}) AS k, md5({row}) AS h FROM {table}) AS hashed GROUP BY 1"
    ).format(bucket=_bucket(buckets), key=_key(dataset, source=source), row=_row(dataset, source=source), table=table)
    return {
        bucket: BucketSum(count=count, first=int(first), second=int(second))
        for bucket, count, first, second in connection.execute(query)
    }


def bucket_rows(
    connection: psycopg.Connection[Any],
    dataset: JobDataset,
    table: sql.Composable,
    buckets: int,
    wanted: Iterable[int],
    *,
    source: bool,
    since: str | None = None,
) -> Mapping[str, Change]:
    """Return the rows of some buckets by key: the row's text, how often it is there, whether it is older than `since`.

    Args:
        connection: Where the rows are.
        dataset: The dataset.
        table: The table, quoted.
        buckets: How many buckets there are.
        wanted: Which are looked into.
        source: Whether columns have the source's names.
        since: A snapshot of the same server, as text; None where rows do not tell their age.
    """
    age = (
        sql.SQL("pg_visible_in_snapshot({xid}, {since}::pg_snapshot)").format(xid=_xid(), since=sql.Literal(since))
        if since
        else sql.SQL("NULL::boolean")
    )
    query = sql.SQL(
        "SELECT key, string_agg(value, E'\\n' ORDER BY value), count(*), bool_and(old) FROM ("
        "SELECT {key} AS key, md5({key}) AS k, {row} AS value, {age} AS old FROM {table}) AS shown "
        "WHERE {bucket} = ANY({wanted}) GROUP BY key LIMIT {limit}"
    ).format(
        key=_key(dataset, source=source),
        row=_row(dataset, source=source),
        age=age,
        table=table,
        bucket=_bucket(buckets),
        wanted=sql.Literal(list(wanted)),
        limit=sql.Literal(_DRILLED),
    )
    return {key: Change(value=value, count=count, old=old) for key, value, count, old in connection.execute(query)}


def _bucket(buckets: int) -> sql.Composable:
    return sql.SQL("(('x' || substr(k, 1, 8))::bit(32)::bigint % {})::int").format(sql.Literal(buckets))


def _xid() -> sql.Composable:
    """Return a row's transaction as the 64-bit number that snapshots hold: of this epoch, or of the one before."""
    return sql.SQL(
        "(SELECT (CASE WHEN x > n % 4294967296 THEN n - n % 4294967296 - 4294967296 + x "
        "ELSE n - n % 4294967296 + x END)::text::xid8 FROM (SELECT xmin::text::numeric AS x, "
        "pg_snapshot_xmax(pg_current_snapshot())::text::numeric AS n) AS t)"
    )


def _key(dataset: JobDataset, *, source: bool) -> sql.Composable:
    return _text(dataset.key_columns or tuple(dataset.columns), source=source)


def _row(dataset: JobDataset, *, source: bool) -> sql.Composable:
    return _text(tuple(dataset.columns), source=source)


def _text(columns: tuple[JobColumn, ...], *, source: bool) -> sql.Composable:
    values = sql.SQL(", ").join(_value(c, source=source) for c in columns)
    return sql.SQL("ROW({})::text").format(values)


def _value(column: JobColumn, *, source: bool) -> sql.Composable:
    """Return a column in the model's physical type; zero has no sign, as equality has it."""
    name = sql.Identifier(column.source if source else column.name)
    typed = sql.SQL("{}::{}").format(name, sql.SQL(type_of(column)))  # pyright: ignore[reportArgumentType]
    return sql.SQL("({} + 0)").format(typed) if isinstance(column.type, Float32 | Float64) else typed
