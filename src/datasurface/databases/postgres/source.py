"""PostgreSQL as a source: read at one exported snapshot, over several connections, as binary COPY."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg import sql

from datasurface.databases.audit import BucketSum, Change
from datasurface.databases.base import CopyFeed, Feed, Login, SourceTable
from datasurface.databases.postgres import checksum
from datasurface.databases.postgres.catalog import read_table, read_tables
from datasurface.databases.postgres.connect import connect, explain, is_transient
from datasurface.databases.postgres.ddl import type_of
from datasurface.databases.postgres.types import Reads, reads_as
from datasurface.errors import DataSurfaceError, SourceError, TransientError
from datasurface.release.job import JobColumn, JobDataset

__all__ = ["PostgresSource"]

_LOCK_WAIT = "30s"
"""How long a read waits for somebody who is changing a source table's shape."""


class PostgresSource:
    """Reads one PostgreSQL database; keeps idle connections for the next batch."""

    def __init__(self, login: Login) -> None:
        self._login = login
        self._idle: list[psycopg.Connection[Any]] = []
        self._lock = threading.Lock()

    def tables(self, schema: str | None) -> Sequence[SourceTable]:
        """Return all tables of a schema that may be read."""
        with self._borrowed() as connection:
            return read_tables(connection, schema or self._schema())

    def table(self, schema: str | None, name: str) -> SourceTable | None:
        """Return one table, or None if it is absent or may not be read."""
        with self._borrowed() as connection:
            return read_table(connection, schema or self._schema(), name)

    def verify(self, dataset: JobDataset) -> None:
        """Raise `SourceError` unless the table has every column, none wider than the model says."""
        table = self.table(dataset.source_schema, dataset.source_table)
        if table is None:
            raise SourceError(
                f"{self._login.container.label()} has no table {self._shown(dataset)} that may be read",
                hint="correct `source=` of the dataset, or grant SELECT on the table to the credential's user",
            )
        _casts(dataset, table, self._shown(dataset))

    @contextmanager
    def reading(self, datasets: Sequence[JobDataset], *, connections: int) -> Iterator[_Reading]:
        """Open one snapshot, verified against the model, from which feeds may be taken in parallel."""
        leader = self.take()
        try:
            with self.own_errors():
                reading = _Reading(self, leader, datasets, connections)
            try:
                yield reading
            finally:
                reading.finish()
        except BaseException:
            leader.close()
            raise
        self.give_back(leader)

    def close(self) -> None:
        """Close every idle connection."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _schema(self) -> str:
        return str(getattr(self._login.container, "schema", "public"))

    def _shown(self, dataset: JobDataset) -> str:
        return f"{dataset.source_schema or self._schema()}.{dataset.source_table}"

    @contextmanager
    def _borrowed(self) -> Iterator[psycopg.Connection[Any]]:
        """Lend a connection in a fresh transaction; it is rolled back and kept, or closed if anything went wrong."""
        connection = self.take()
        try:
            with self.own_errors():
                yield connection
        except BaseException:
            connection.close()
            raise
        self.give_back(connection)

    @contextmanager
    def own_errors(self) -> Iterator[None]:
        """Make the driver's errors ours; only around what the source alone is asked: a target has the same driver."""
        try:
            yield
        except psycopg.Error as error:
            raise self.error(error) from error

    def take(self) -> psycopg.Connection[Any]:
        """Return an idle connection that still answers, or a new one, in a transaction that keeps one snapshot."""
        while True:
            with self._lock:
                idle = self._idle.pop() if self._idle else None
            connection = idle or connect(self._login)
            try:
                connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            except psycopg.Error:
                connection.close()
                if idle is None:
                    raise
            else:
                return connection

    def give_back(self, connection: psycopg.Connection[Any]) -> None:
        """Keep a connection for the next batch."""
        try:
            connection.rollback()
        except psycopg.Error:
            connection.close()
            return
        with self._lock:
            self._idle.append(connection)

    def error(self, error: psycopg.Error) -> DataSurfaceError:
        """Return our error for a driver's one."""
        kind = TransientError if is_transient(error) else SourceError
        return kind(f"reading {self._login.container.label()}: {explain(error)}")


class _Reading:
    """One snapshot of the source. The leader exports it once a second connection is needed."""

    def __init__(
        self, source: PostgresSource, leader: psycopg.Connection[Any], datasets: Sequence[JobDataset], connections: int
    ) -> None:
        self._source = source
        self._leader = leader
        self._limit = max(1, connections)
        self._free: queue.SimpleQueue[psycopg.Connection[Any]] = queue.SimpleQueue()
        self._free.put(leader)
        self._opened = 1
        self._lock = threading.Lock()
        self._snapshot_id: str | None = None
        self._lock_tables(datasets)
        row = leader.execute("SELECT pg_catalog.clock_timestamp(), pg_catalog.pg_current_snapshot()::text").fetchone()
        moment, snapshot = row if row is not None else (datetime.now(UTC), "")
        self.read_at: datetime = moment.astimezone(UTC)
        self.position: Mapping[str, Any] = {"snapshot": snapshot}
        if len(datasets) > 1 and self._limit > 1:
            self._export()
        self._casts = {d.name: self._verified(d) for d in datasets}

    def _lock_tables(self, datasets: Sequence[JobDataset]) -> None:
        """Keep tables as they are until they are read.

        Truncating or rewriting a table hides its rows from snapshots that are older: it would look empty. Taking a lock
        takes no snapshot. What cannot be locked, such as a materialized view, is read all the same.
        """
        tables = [self._table(d) for d in datasets]
        if not self._lock_all(tables):
            for table in tables:
                self._lock_all([table])

    def _lock_all(self, tables: list[sql.Identifier]) -> bool:
        names = sql.SQL(", ").join(tables)
        text = "SET LOCAL lock_timeout = {}; SAVEPOINT before; LOCK TABLE {} IN ACCESS SHARE MODE; RELEASE before"
        try:
            self._leader.execute(sql.SQL(text).format(sql.Literal(_LOCK_WAIT), names))
        except psycopg.Error as error:
            if is_transient(error):
                raise
            self._leader.execute("ROLLBACK TO before; RELEASE before")
            return False
        return True

    def _export(self) -> None:
        row = self._leader.execute("SELECT pg_catalog.pg_export_snapshot()").fetchone()
        self._snapshot_id = str(row[0]) if row else None

    def _verified(self, dataset: JobDataset) -> dict[str, bool]:
        schema = dataset.source_schema or self._source._schema()  # noqa: SLF001
        table = read_table(self._leader, schema, dataset.source_table)
        if table is None:
            self._source.verify(dataset)
            raise SourceError(f"table {schema}.{dataset.source_table} appeared while it was read; run again")
        return _casts(dataset, table, f"{schema}.{dataset.source_table}")

    @contextmanager
    def feed(self, dataset: JobDataset) -> Iterator[Feed]:
        """Open the rows of one dataset on a connection of its own."""
        connection = self._connection()
        try:
            yield CopyFeed(connection, self._statement(dataset))
        except psycopg.Error as error:
            if connection.info.transaction_status == psycopg.pq.TransactionStatus.INERROR or connection.closed:
                raise self._source.error(error) from error
            raise
        finally:
            self._free.put(connection)

    def _connection(self) -> psycopg.Connection[Any]:
        with self._lock:
            grow = self._snapshot_id is not None and self._free.empty() and self._opened < self._limit
            if grow:
                self._opened += 1
        return self._follower() if grow else self._free.get()

    def _follower(self) -> psycopg.Connection[Any]:
        """Return a connection that sees the leader's snapshot."""
        with self._source.own_errors():
            connection = self._source.take()
            connection.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(sql.Literal(self._snapshot_id)))
        return connection

    def _statement(self, dataset: JobDataset) -> sql.Composed:
        casts = self._casts[dataset.name]
        columns = sql.SQL(", ").join(_expression(c, needs_cast=casts[c.name]) for c in dataset.columns)
        schema = dataset.source_schema or self._source._schema()  # noqa: SLF001
        table = sql.Identifier(schema, dataset.source_table)
        return sql.SQL("COPY (SELECT {} FROM {}) TO STDOUT (FORMAT BINARY)").format(columns, table)

    def checksums(self, dataset: JobDataset, buckets: int) -> Mapping[int, BucketSum]:
        """Return the sums of each bucket, computed at the source."""
        with self._source.own_errors():
            return checksum.checksums(self._leader, dataset, self._table(dataset), buckets, source=True)

    def bucket_rows(
        self, dataset: JobDataset, buckets: int, wanted: Iterable[int], since: Mapping[str, object]
    ) -> Mapping[str, Change]:
        """Return the rows of some buckets; a row is old if the snapshot of the last batch saw it as it is."""
        with self._source.own_errors():
            snapshot = str(since["snapshot"]) if self.knows_age(dataset, since) else None
            return checksum.bucket_rows(
                self._leader, dataset, self._table(dataset), buckets, wanted, source=True, since=snapshot
            )

    def _table(self, dataset: JobDataset) -> sql.Identifier:
        return sql.Identifier(dataset.source_schema or self._source._schema(), dataset.source_table)  # noqa: SLF001

    def knows_age(self, dataset: JobDataset, since: Mapping[str, object]) -> bool:
        """Tell whether rows know the transaction that wrote them; a view's do not."""
        if not isinstance(since.get("snapshot"), str):
            return False
        schema = dataset.source_schema or self._source._schema()  # noqa: SLF001
        query = (
            "SELECT c.relkind IN ('r', 'p', 'm') FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE n.nspname = %s AND c.relname = %s"
        )
        row = self._leader.execute(query, [schema, dataset.source_table]).fetchone()
        return row is not None and bool(row[0])

    def finish(self) -> None:
        """Give the followers back; the leader is its borrower's."""
        while not self._free.empty():
            connection = self._free.get()
            if connection is self._leader:
                continue
            if connection.closed or connection.info.transaction_status != psycopg.pq.TransactionStatus.INTRANS:
                connection.close()
            else:
                self._source.give_back(connection)


def _expression(column: JobColumn, *, needs_cast: bool) -> sql.Composable:
    name = sql.Identifier(column.source)
    if not needs_cast:
        return name
    return sql.SQL("{}::{}").format(name, sql.SQL(type_of(column)))  # pyright: ignore[reportArgumentType] # a type name of ours


def _casts(dataset: JobDataset, table: SourceTable, shown: str) -> dict[str, bool]:
    """Return for each column whether its read needs a cast; refuse absent, wider and different ones, all at once."""
    found = {c.name: c for c in table.columns}
    problems = [f"no column {c.source!r}" for c in dataset.columns if c.source not in found]
    casts = {}
    for column in dataset.columns:
        if column.source not in found:
            continue
        physical = found[column.source]
        verdict = reads_as(physical.physical, column.type)
        casts[column.name] = verdict is Reads.CAST
        if verdict is Reads.REFUSED:
            problems.append(f"column {column.source!r} is {physical.physical}, the model says {column.type.spelled()}")
    if problems:
        raise SourceError(
            f"table {shown} does not fit dataset {dataset.name!r}: {'; '.join(problems)}",
            hint="change the model's columns, or the source",
        )
    return casts
