"""PostgreSQL as a merge database: the statements of `ddl` and `delta`, run in the engine's transactions."""

from __future__ import annotations

import selectors
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, cast

import psycopg
from psycopg import errors as pg
from psycopg import sql
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, InvalidatePoolError

from datasurface.databases.audit import BucketSum, Change
from datasurface.databases.base import Feed, Login
from datasurface.databases.checks import Judged
from datasurface.databases.merge import (
    SMALL_ROWS,
    DeltaCounts,
    KeyProblem,
    PhysicalTable,
    PhysicalView,
    Progress,
    Staging,
    StagingKind,
    Tables,
)
from datasurface.databases.postgres import changes, checksum, ddl, delta, physical
from datasurface.databases.postgres.checks import PostgresChecker
from datasurface.databases.postgres.connect import connect, explain, is_transient
from datasurface.databases.postgres.copy import copy_in
from datasurface.databases.postgres.proof import query_fault
from datasurface.databases.postgres.sessions import busy
from datasurface.model.check import SqlCheck
from datasurface.model.vocabulary import OutputMode
from datasurface.names import shorten
from datasurface.release.job import JobDataset

__all__ = ["PostgresStore"]

_LIMIT = 63
_JOIN_SETTINGS = (
    "SET LOCAL work_mem = '96MB'; SET LOCAL hash_mem_multiplier = 2; SET LOCAL max_parallel_workers_per_gather = 2; "
    "SET LOCAL parallel_setup_cost = 100; SET LOCAL parallel_tuple_cost = 0.01; "
    "SET LOCAL min_parallel_table_scan_size = '4MB'; SET LOCAL jit = off; SET LOCAL enable_mergejoin = off"
)
"""A full join of two large tables: hashed in memory and by several workers where it is worth it."""
_REFILLED = (
    "WITH (autovacuum_vacuum_threshold = 300, autovacuum_vacuum_scale_factor = 0, "
    "autovacuum_vacuum_insert_threshold = -1, autovacuum_analyze_threshold = 2000000000)"
)
"""A small table that every batch fills and empties: vacuumed after a few fills so that it stays small, and never
analysed, which would churn the catalog of statistics."""
_BUILD_SETTINGS = "SET LOCAL maintenance_work_mem = '256MB'; SET LOCAL max_parallel_maintenance_workers = 2"


class PostgresStore:
    """The merge database behind one login."""

    def __init__(self, login: Login, *, connections: int = 20) -> None:
        self._login = login
        self._proved: set[tuple[object, ...]] = set()
        self.name_limit = _LIMIT
        self.engine: Engine = create_engine(
            "postgresql+psycopg://",
            creator=lambda: connect(login),
            pool_size=5,
            max_overflow=connections,
            use_native_hstore=False,
        )
        event.listen(self.engine, "checkout", _refuse_lost)
        event.listen(self.engine, "handle_error", _notice_loss)

    def close(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()

    def tables_of(self, schema: str, stream_dataset: str) -> Tables:
        """Return the physical names for a dataset; a dot, which no logical name has, keeps them apart."""
        names = {
            part: shorten(f"{stream_dataset}{suffix}", _LIMIT)
            for part, suffix in {
                "current": "",
                "history": ".history",
                "deltas": ".deltas",
                "staging": ".staging",
                "changes": ".changes",
                "delta": ".delta",
            }.items()
        }
        return Tables(schema=schema, **names)

    # -- the catalog

    def has_schema(self, connection: Connection, schema: str) -> bool:
        """Tell whether the schema exists."""
        return _raw(connection).execute("SELECT FROM pg_namespace WHERE nspname = %s", [schema]).fetchone() is not None

    def schema_names(self, connection: Connection, prefix: str) -> Sequence[str]:
        """Return the schemas whose name begins with `prefix`, sorted."""
        query = "SELECT nspname::text FROM pg_namespace WHERE starts_with(nspname::text, %s) ORDER BY 1"
        return [str(name) for (name,) in _raw(connection).execute(query, [prefix])]

    def read_tables(self, connection: Connection, schema: str) -> Mapping[str, PhysicalTable]:
        """Return the tables of a schema by name."""
        return physical.read_tables(_raw(connection), schema)

    def read_views(self, connection: Connection, tables_schema: str) -> Sequence[PhysicalView]:
        """Return every view that stands, directly or not, on a table of `tables_schema`."""
        return physical.read_views(_raw(connection), tables_schema)

    def read_grants(self, connection: Connection, schema: str, name: str, columns: Sequence[str]) -> Sequence[str]:
        """Return the statements that give a view's present grants again, those on single columns for `columns`."""
        return physical.read_grants(_raw(connection), schema, name, columns)

    # -- statements as text

    def column_type(self, dataset: JobDataset, column: str) -> str:
        """Return the physical type of a dataset's column."""
        return ddl.type_of(next(c for c in dataset.columns if c.name == column))

    def create_schema(self, schema: str) -> str:
        """Return the statement that creates a schema."""
        return f"CREATE SCHEMA IF NOT EXISTS {ddl.quote(schema)}"

    def drop_schema(self, schema: str) -> str:
        """Return the statement that drops an empty schema."""
        return f"DROP SCHEMA IF EXISTS {ddl.quote(schema)}"

    create_current = staticmethod(ddl.create_current)
    create_history = staticmethod(ddl.create_history)
    create_deltas = staticmethod(ddl.create_deltas)
    create_view = staticmethod(ddl.create_view)
    add_column = staticmethod(ddl.add_column)
    alter_type = staticmethod(ddl.alter_type)
    widening = staticmethod(ddl.widening)

    def drop_table(self, schema: str, table: str) -> str:
        """Return the statement that drops a table if it is there; never what depends on it."""
        return f"DROP TABLE IF EXISTS {ddl.qualified(schema, table)}"

    def drop_not_null(self, schema: str, table: str, column: str) -> str:
        """Return the statement that lets a column be NULL."""
        return f"ALTER TABLE {ddl.qualified(schema, table)} ALTER COLUMN {ddl.quote(column)} DROP NOT NULL"

    def lock_view(self, schema: str, name: str) -> str:
        """Return the statement that keeps readers out of a view until the transaction ends, and changes nothing."""
        return f"ALTER VIEW {ddl.qualified(schema, name)} RESET (check_option)"

    def rename_column(self, schema: str, table: str, column: str, to: str) -> str:
        """Return the statement that gives a column another name; views on it keep showing it under theirs."""
        return f"ALTER TABLE {ddl.qualified(schema, table)} RENAME COLUMN {ddl.quote(column)} TO {ddl.quote(to)}"

    def drop_column(self, schema: str, table: str, column: str) -> str:
        """Return the statement that drops a column; never what depends on it."""
        return f"ALTER TABLE {ddl.qualified(schema, table)} DROP COLUMN {ddl.quote(column)}"

    def drop_view(self, schema: str, name: str) -> str:
        """Return the statement that drops a view; never what depends on it."""
        return f"DROP VIEW IF EXISTS {ddl.qualified(schema, name)}"

    # -- staging

    @contextmanager
    def begin_first(self, tables: Tables, dataset: JobDataset, table: str) -> Iterator[Connection]:
        """Open a transaction that has just created the table a first load fills."""
        with self.engine.begin() as connection:
            raw = _raw(connection)
            columns = ", ".join(ddl.columns_of(dataset, nullable_keys=True))
            _run(raw, f"DROP TABLE IF EXISTS {ddl.qualified(tables.schema, table)}")
            _run(raw, f"CREATE TABLE {ddl.qualified(tables.schema, table)} ({columns})")
            yield connection

    def finish_first(self, connection: Connection, tables: Tables, dataset: JobDataset, table: str) -> KeyProblem:
        """Give a filled first-load table its key; report keys that cannot be one, leaving the table as it was."""
        if not dataset.key_columns:
            return KeyProblem()
        raw = _raw(connection)
        key = ", ".join(ddl.quote(c.name) for c in dataset.key_columns)
        _run(raw, _BUILD_SETTINGS)
        try:
            with raw.transaction():
                _run(raw, f"ALTER TABLE {ddl.qualified(tables.schema, table)} ADD PRIMARY KEY ({key})")
        except (pg.UniqueViolation, pg.NotNullViolation):
            return self.key_problem(connection, tables, dataset, table)
        return KeyProblem()

    def stamp_first(self, connection: Connection, tables: Tables, table: str, batch_id: int, read_at: datetime) -> None:
        """Give every row of a first-load table its batch and time: constant defaults of new columns, no rewrite."""
        raw = _raw(connection)
        name = ddl.qualified(tables.schema, table)
        _run(
            raw,
            f"ALTER TABLE {name} ADD COLUMN ds_batch_in bigint NOT NULL DEFAULT {int(batch_id)}, "
            f"ADD COLUMN ds_valid_from timestamp with time zone NOT NULL DEFAULT '{read_at.isoformat()}'",
        )
        _run(raw, f"ALTER TABLE {name} ALTER COLUMN ds_batch_in DROP DEFAULT, ALTER COLUMN ds_valid_from DROP DEFAULT")

    def create_staging(self, connection: Connection, tables: Tables, dataset: JobDataset, table: str) -> None:
        """Create an unlogged staging table without indexes, or empty the one that is there."""
        raw = _raw(connection)
        name = ddl.qualified(tables.schema, table)
        columns = ", ".join(f"{ddl.quote(c.name)} {ddl.type_of(c)}" for c in dataset.columns)
        if not _exists(raw, tables.schema, table):
            _run(raw, f"CREATE UNLOGGED TABLE {name} ({columns}) {_REFILLED}")
        else:
            _run(raw, f"DELETE FROM {name}")

    def load(
        self,
        connection: Connection,
        tables: Tables,
        dataset: JobDataset,
        table: str,
        feed: Feed,
        progress: Progress,
        stream: str,
        *,
        frozen: bool,
    ) -> int:
        """Fill a table from a feed by COPY and return the number of rows."""
        columns = sql.SQL(", ").join(sql.Identifier(c.name) for c in dataset.columns)
        into = sql.SQL("{} ({})").format(sql.Identifier(tables.schema, table), columns)
        return copy_in(_raw(connection), into, feed, progress, stream, frozen=frozen)

    def table_names(self, connection: Connection, schema: str, prefix: str) -> Sequence[str]:
        """Return the tables of a schema whose name begins with `prefix`."""
        query = (
            "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE n.nspname = %s AND c.relkind = 'r' AND starts_with(c.relname::text, %s) ORDER BY 1"
        )
        return [str(row[0]) for row in _raw(connection).execute(query, [schema, prefix])]

    def empty_staging(self, connection: Connection, tables: Tables, staging: Staging) -> None:
        """Empty a SMALL staging table for the next batch, or drop any other, and one that has grown large."""
        name = ddl.qualified(tables.schema, staging.table)
        keep = staging.kind is StagingKind.SMALL and staging.rows <= SMALL_ROWS
        _run(_raw(connection), f"DELETE FROM {name}" if keep else f"DROP TABLE IF EXISTS {name}")

    def count(self, connection: Connection, schema: str, table: str) -> int | None:
        """Count a table's rows; None if there is no such table."""
        raw = _raw(connection)
        if not _exists(raw, schema, table):
            return None
        row = raw.execute(_sql(f"SELECT count(*) FROM {ddl.qualified(schema, table)}")).fetchone()
        return int(row[0]) if row else 0

    # -- the merge

    def find_delta(
        self, connection: Connection, tables: Tables, dataset: JobDataset, staging: Staging, mode: OutputMode
    ) -> DeltaCounts:
        """Compare staging with current, and keep what differs in the delta table of this batch."""
        raw = _raw(connection)
        name = ddl.qualified(tables.schema, _delta_table(tables, staging))
        find = delta.find_delta if mode is OutputMode.SNAPSHOT else changes.find_delta
        query = find(tables, dataset, staging.table)
        if staging.kind is StagingKind.SMALL:
            if not _exists(raw, tables.schema, _delta_table(tables, staging)):
                _run(raw, f"CREATE UNLOGGED TABLE {name} ({delta.delta_columns(dataset)}) {_REFILLED}")
            names = ", ".join(ddl.quote(c.name) for c in dataset.columns)
            into = f"{name} (ds_op, ds_row, {names})"
            found = f"WITH found AS (INSERT INTO {into} {query} RETURNING ds_op) {delta.COUNTS} found"
        else:
            _run(raw, _JOIN_SETTINGS)
            _run(raw, f"CREATE UNLOGGED TABLE {name} AS {query}")
            found = f"{delta.COUNTS} {name}"
        row = raw.execute(_sql(found)).fetchone()
        inserted, updated, deleted = row or (0, 0, 0)
        return DeltaCounts(inserted=inserted, updated=updated, deleted=deleted)

    def change_problems(self, connection: Connection, tables: Tables, dataset: JobDataset, table: str) -> Sequence[str]:
        """Look for staged changes that mean nothing, up to ten: no operation, no order, no key."""
        found = _raw(connection).execute(_sql(changes.find_problems(tables.schema, table, dataset))).fetchall()
        return [str(row[0]) for row in found]

    def key_problem(self, connection: Connection, tables: Tables, dataset: JobDataset, table: str) -> KeyProblem:
        """Look for duplicate and NULL keys in a staging table."""
        if not dataset.key_columns:
            return KeyProblem()
        raw = _raw(connection)
        duplicates = raw.execute(_sql(delta.find_duplicates(tables.schema, table, dataset))).fetchall()
        nulls = raw.execute(_sql(delta.find_nulls(tables.schema, table, dataset))).fetchall()
        return KeyProblem(duplicates=tuple(str(r[0]) for r in duplicates), nulls=tuple(str(r[0]) for r in nulls))

    def apply_delta(
        self,
        connection: Connection,
        tables: Tables,
        dataset: JobDataset,
        staging: Staging,
        *,
        batch_id: int,
        read_at: datetime,
        history_from: int | None,
        history_from_at: datetime | None,
    ) -> None:
        """Close the versions that ended and open those that began; closed ones go to history if it has begun."""
        raw = _raw(connection)
        bound = {
            "batch_id": batch_id,
            "read_at": read_at,
            "history_from": history_from,
            "history_from_at": history_from_at,
        }
        table = _delta_table(tables, staging)
        to_history = history_from is not None
        raw.execute(
            _sql(delta.close_versions(tables, dataset, table, to_history=to_history)), bound if to_history else None
        )
        raw.execute(_sql(delta.open_versions(tables, dataset, table)), bound)

    def keep_delta(
        self, connection: Connection, tables: Tables, dataset: JobDataset, staging: Staging, batch_id: int
    ) -> None:
        """Add this batch's delta to the kept ones."""
        names = ", ".join(ddl.quote(c.name) for c in dataset.columns)
        _raw(connection).execute(
            _sql(
                f"INSERT INTO {ddl.qualified(tables.schema, tables.deltas)} (ds_batch, ds_op, {names}) "
                f"SELECT %s, ds_op, {names} FROM {ddl.qualified(tables.schema, _delta_table(tables, staging))}"
            ),
            [batch_id],
        )

    def drop_deltas(self, connection: Connection, tables: Tables, up_to: int) -> None:
        """Forget kept deltas of batches up to `up_to`."""
        name = ddl.qualified(tables.schema, tables.deltas)
        _raw(connection).execute(_sql(f"DELETE FROM {name} WHERE ds_batch <= %s"), [up_to])

    def prune_history(self, connection: Connection, tables: Tables, before: datetime) -> int | None:
        """Forget versions that ended before a time; return the last batch that ended one of them, None if none is."""
        name = ddl.qualified(tables.schema, tables.history)
        gone = f"DELETE FROM {name} WHERE ds_valid_to < %s RETURNING ds_batch_out"
        query = f"WITH gone AS ({gone}) SELECT max(ds_batch_out) FROM gone"
        row = _raw(connection).execute(_sql(query), [before]).fetchone()
        return None if row is None else row[0]

    def put_in_place(self, connection: Connection, tables: Tables, table: str, views: Sequence[str]) -> None:
        """Make a first-load table the current one; `views` are the statements that then show it."""
        raw = _raw(connection)
        old = shorten(f"{tables.current}.old", _LIMIT)
        _run(raw, f"ALTER TABLE {ddl.qualified(tables.schema, tables.current)} RENAME TO {ddl.quote(old)}")
        _run(raw, f"ALTER TABLE {ddl.qualified(tables.schema, table)} RENAME TO {ddl.quote(tables.current)}")
        for statement in views:
            _run(raw, statement)
        _run(raw, f"DROP TABLE {ddl.qualified(tables.schema, old)}")

    def checksums(
        self, connection: Connection, dataset: JobDataset, schema: str, table: str, buckets: int
    ) -> Mapping[int, BucketSum]:
        """Return count and sums of the rows of each bucket of a table with the dataset's columns."""
        name = sql.Identifier(schema, table)
        return checksum.checksums(_raw(connection), dataset, name, buckets, source=False)

    def bucket_rows(
        self,
        connection: Connection,
        dataset: JobDataset,
        schema: str,
        table: str,
        buckets: int,
        wanted: Iterable[int],
    ) -> Mapping[str, Change]:
        """Return the rows of some buckets by key."""
        name = sql.Identifier(schema, table)
        return checksum.bucket_rows(_raw(connection), dataset, name, buckets, wanted, source=False)

    # -- checks

    def checker(self, connection: Connection, judged: Judged) -> PostgresChecker:
        """Return what judges one dataset of a batch whose delta is found."""
        raw, dataset = _raw(connection), judged.dataset

        def fault(check: SqlCheck) -> str:
            return self.query_fault(connection, judged.tables.schema, dataset, check)

        return PostgresChecker(raw, judged, _delta_table(judged.tables, judged.staging), fault)

    def query_fault(self, connection: Connection, schema: str, dataset: JobDataset, check: SqlCheck) -> str:
        """Return why a user's query may not run; what may is asked once."""
        asked = (schema, dataset.name, dataset.columns, check.query)
        if asked in self._proved:
            return ""
        found = query_fault(_raw(connection), schema, dataset, check.query)
        if not found:
            self._proved.add(asked)
        return found

    def drop_delta(self, connection: Connection, tables: Tables, staging: Staging) -> None:
        """Drop or empty this batch's delta."""
        name = ddl.qualified(tables.schema, _delta_table(tables, staging))
        _run(_raw(connection), f"{'DELETE FROM' if staging.kind is StagingKind.SMALL else 'DROP TABLE'} {name}")

    # -- transactions and errors

    def run(self, connection: Connection, statement: str) -> None:
        """Run a statement made by one of this store's text methods."""
        _run(_raw(connection), statement)

    @contextmanager
    def exclusive(self, name: str) -> Iterator[None]:
        """Keep every other process out of what `name` stands for, by an advisory lock of a session."""
        with self.engine.connect() as connection:
            raw = _raw(connection)
            row = raw.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [name]).fetchone()
            if row is None or not row[0]:
                raise busy(raw, name)
            raw.commit()
            try:
                yield
            finally:
                raw.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [name])
                raw.commit()

    def bound_waits(self, connection: Connection, *, lock: float, idle: float) -> None:
        """Bound, in seconds, how long this transaction waits for a lock and how long its client may be silent."""
        _run(
            _raw(connection),
            f"SET LOCAL lock_timeout = {int(lock * 1000)}; "
            f"SET LOCAL idle_in_transaction_session_timeout = {int(idle * 1000)}",
        )

    def is_transient(self, error: BaseException) -> bool:
        """Tell whether an error may pass by itself."""
        return is_transient(_original(error))

    def is_lock_timeout(self, error: BaseException) -> bool:
        """Tell whether a lock was not to be had in time."""
        return isinstance(_original(error), pg.LockNotAvailable | pg.DeadlockDetected)

    def is_integrity_error(self, error: BaseException) -> bool:
        """Tell whether a row broke a key or a NOT NULL."""
        return isinstance(_original(error), psycopg.IntegrityError)

    def is_database_error(self, error: BaseException) -> bool:
        """Tell whether an error is the database driver's, and no defect of ours."""
        return isinstance(_original(error), psycopg.Error)

    def is_dependency(self, error: BaseException) -> bool:
        """Tell whether somebody's own object stands on what was to be changed."""
        return isinstance(_original(error), pg.DependentObjectsStillExist)

    def explain_error(self, error: BaseException) -> str:
        """Say a driver's error in one line, without values or secrets."""
        return explain(_original(error))


def _refuse_lost(connection: DBAPIConnection, _record: object, _proxy: object) -> None:
    """Let the pool open new connections if this one has ended while idle: its socket then has something to say.

    This asks the operating system, not the server, so it costs no round trip.
    """
    raw = cast("psycopg.Connection[Any]", connection)
    with selectors.DefaultSelector() as selector:
        if not raw.closed:
            selector.register(raw.fileno(), selectors.EVENT_READ)
        if raw.closed or selector.select(0):
            raise InvalidatePoolError


def _notice_loss(context: ExceptionContext) -> None:
    """Count a connection as lost whose server said its last words on it, so that the pool opens another."""
    error = context.original_exception
    if isinstance(error, psycopg.Error) and error.diag.severity_nonlocalized == "FATAL":
        context.is_disconnect = True


def _original(error: BaseException) -> BaseException:
    return error.orig if isinstance(error, DBAPIError) and error.orig is not None else error


def _raw(connection: Connection) -> psycopg.Connection[Any]:
    """Return the driver's connection under SQLAlchemy's, for COPY and statements made of quoted names."""
    return cast("psycopg.Connection[Any]", connection.connection.driver_connection)


def _sql(text: str) -> bytes:
    """Return a statement made of names quoted in this package, as the driver takes what is no literal."""
    return text.encode()


def _run(raw: psycopg.Connection[Any], statement: str) -> None:
    raw.execute(_sql(statement))


def _exists(raw: psycopg.Connection[Any], schema: str, table: str) -> bool:
    row = raw.execute("SELECT to_regclass(%s)", [ddl.qualified(schema, table)]).fetchone()
    return row is not None and row[0] is not None


def _delta_table(tables: Tables, staging: Staging) -> str:
    return tables.delta if staging.kind is StagingKind.SMALL else shorten(f"{staging.table}.delta", _LIMIT)
