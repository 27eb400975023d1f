"""PostgreSQL for transformers' code: output tables, exported snapshots, the session in which code reads and writes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus

from datasurface.databases.base import Login
from datasurface.databases.code import Moment, Rows, StandIn
from datasurface.databases.postgres import ddl, scratch
from datasurface.databases.postgres.connect import connect, is_transient
from datasurface.databases.postgres.misfit import refused_value, without_values
from datasurface.databases.postgres.sessions import end_sessions
from datasurface.databases.postgres.values import load_exactly, writers
from datasurface.errors import SourceError, TransientError
from datasurface.release.job import JobColumn, JobDataset

if TYPE_CHECKING:
    from sqlalchemy import Connection  # the code's own process does without

__all__ = ["PostgresCode", "PostgresSession"]


class PostgresCode:
    """The platform's side: makes output tables, exports snapshots, opens sessions."""

    def make_output(self, connection: Connection, dataset: JobDataset, *, role: str | None) -> None:
        """Make the output table that a dataset is read from, or empty the one that is there and has this shape.

        Output tables are unlogged: they only hold the rows between the code and staging, and a batch whose staging is
        gone runs the code again.
        """
        raw = _raw(connection)
        schema, name = _place(dataset)
        shape = ", ".join(f"{ddl.quote(c.name)} {ddl.type_of(c)}" for c in dataset.columns)
        if raw.execute("SELECT FROM pg_catalog.pg_namespace WHERE nspname = %s", [schema]).fetchone() is None:
            _run(raw, f"CREATE SCHEMA IF NOT EXISTS {ddl.quote(schema)}")
        if _comment(raw, schema, dataset.source_table) == shape:
            _run(raw, f"TRUNCATE {name}")
        else:
            _run(raw, f"DROP TABLE IF EXISTS {name}")
            _run(raw, f"CREATE UNLOGGED TABLE {name} ({shape})")
            _run(raw, f"COMMENT ON TABLE {name} IS {ddl.literal(shape)}")
        if role is not None and _role_exists(raw, role):
            _run(raw, f"GRANT USAGE ON SCHEMA {ddl.quote(schema)} TO {ddl.quote(role)}")
            _run(raw, f"GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON {name} TO {ddl.quote(role)}")

    def delete_rest(self, connection: Connection, dataset: JobDataset, schema: str, current: str) -> int:
        """Add to an output of changes the deletion of every current row whose key is not in it; return how many."""
        keys = [ddl.quote(c.name) for c in dataset.key_columns]
        name = _place(dataset)[1]
        same = " AND ".join(f"o.{k} = c.{k}" for k in keys)
        statement = (
            f"INSERT INTO {name} ({', '.join(keys)}, ds_op, ds_seq) "
            f"SELECT {', '.join(f'c.{k}' for k in keys)}, 'D', 0 FROM {ddl.qualified(schema, current)} AS c "
            f"WHERE NOT EXISTS (SELECT FROM {name} AS o WHERE {same})"
        )
        return max(0, _raw(connection).execute(cast("Any", statement)).rowcount)

    def empty_output(self, connection: Connection, dataset: JobDataset) -> None:
        """Empty an output table that was read."""
        _run(_raw(connection), f"TRUNCATE {_place(dataset)[1]}")

    def copy_inputs(
        self, connection: Connection, snapshot: str | None, views: Sequence[StandIn], *, role: str | None
    ) -> None:
        """Copy views into unlogged tables, as an exported moment saw them."""
        scratch.copy_inputs(_raw(connection), snapshot, views, role=role)

    def make_work(self, connection: Connection, schema: str, *, role: str | None) -> None:
        """Make an empty schema in which a role may create tables."""
        scratch.make_work(_raw(connection), schema, role=role)

    def drop_scratch(self, connection: Connection, schemas: Sequence[str]) -> None:
        """Drop the schemas of a run that are there."""
        scratch.drop_scratch(_raw(connection), schemas)

    def export_moment(self, connection: Connection) -> Moment:
        """Begin a transaction at one moment, and let other sessions see it as long as that is open."""
        raw = _raw(connection)
        _run(raw, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        _run(raw, "SET LOCAL idle_in_transaction_session_timeout = 0")
        row = raw.execute("SELECT pg_catalog.pg_export_snapshot(), pg_catalog.clock_timestamp()").fetchone()
        if row is None:
            raise TransientError("the merge database exported no snapshot")
        return Moment(snapshot=str(row[0]), at=row[1])

    def end_sessions(self, connection: Connection, login: Login) -> int:
        """End every session of the code's login, of a run that has ended or of a platform that was killed."""
        return end_sessions(_raw(connection), login)

    def session(self, login: Login, snapshot: str | None) -> PostgresSession:
        """Open the session of a transformer's code."""
        return PostgresSession(login, snapshot)


class PostgresSession:
    """Two connections under the code's own login, at one moment: one to read, one whose transaction writes."""

    def __init__(self, login: Login, snapshot: str | None) -> None:
        self._cursors = 0
        self._reader = _at(login, snapshot)
        try:
            self._writer = _at(login, snapshot)
        except BaseException:
            self._reader.close()
            raise

    def look_in(self, schemas: Sequence[str]) -> None:
        """Set the search path; the catalog's own names come first in any case."""
        path = ", ".join(ddl.quote(s) for s in schemas) or "pg_catalog"
        for connection in (self._reader, self._writer):
            connection.execute(cast("Any", f"SET search_path TO {path}"))

    def relation(self, schema: str, name: str) -> str:
        """Return a table or view as SQL text, quoted."""
        return ddl.qualified(schema, name)

    def names(self, columns: Sequence[str]) -> str:
        """Return columns as an SQL list, quoted."""
        return ", ".join(ddl.quote(c) for c in columns)

    def changes(self, relation: str, columns: Sequence[JobColumn], batch: int | None) -> str:
        """Return a query for what changed after a batch: what is now against what was then, matched by key."""
        names = self.names([c.name for c in columns])
        now = f"SELECT {names} FROM {relation} WHERE ds_batch_out IS NULL"
        if batch is None:
            return f"SELECT {names}, 'I' AS ds_op FROM ({now}) AS n"
        began = f"{now} AND ds_batch_in > {int(batch)}"
        ended = self.ended(relation, columns, batch)
        keys = [ddl.quote(c.name) for c in columns if c.key]
        if not keys:
            return f"SELECT {names}, 'I' AS ds_op FROM ({began}) AS n UNION ALL SELECT {names}, 'D' FROM ({ended}) AS o"
        gone = f"n.{keys[0]} IS NULL"
        values = ", ".join(
            f"CASE WHEN {gone} THEN o.{q} ELSE n.{q} END AS {q}" for q in (ddl.quote(c.name) for c in columns)
        )
        operation = f"CASE WHEN o.{keys[0]} IS NULL THEN 'I' WHEN {gone} THEN 'D' ELSE 'U' END AS ds_op"
        on = " AND ".join(f"n.{k} = o.{k}" for k in keys)
        return f"SELECT {values}, {operation} FROM ({began}) AS n FULL JOIN ({ended}) AS o ON {on}"

    def ended(self, relation: str, columns: Sequence[JobColumn], batch: int) -> str:
        """Return a query for the rows that were current after a batch and are no more, as they were."""
        names = self.names([c.name for c in columns])
        return f"SELECT {names} FROM {relation} WHERE ds_batch_in <= {int(batch)} AND ds_batch_out > {int(batch)}"

    def query(self, sql: str, *, size: int = 10_000) -> Rows:
        """Run a query through a cursor of the server's."""
        self._cursors += 1
        cursor = self._reader.cursor(name=f"datasurface_{self._cursors}")
        cursor.itersize = size
        try:
            cursor.execute(cast("Any", sql))
        except psycopg.Error as error:
            cursor.close()
            raise _error(error) from None
        columns = tuple([c.name for c in cursor.description or ()])
        return Rows(columns=columns, batches=_batches(cursor, size))

    def execute(self, sql: str) -> int:
        """Run a statement and return how many rows it changed."""
        try:
            return max(0, self._writer.execute(cast("Any", sql)).rowcount)
        except psycopg.Error as error:
            raise _error(error) from None

    def write(self, schema: str, table: str, columns: Sequence[JobColumn], rows: Iterable[Sequence[Any]]) -> int:
        """Add rows by COPY and return how many."""
        names = sql.SQL(", ").join(sql.Identifier(c.name) for c in columns)
        statement = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(schema, table), names)
        special = writers(columns)
        try:
            with self._writer.cursor() as cursor:
                with cursor.copy(statement) as copy:
                    for number, row in enumerate(rows, 1):
                        copy.write_row(_converted(row, special, number) if special else row)
                return max(0, cursor.rowcount)
        except psycopg.Error as error:
            raise _error(error, refused_value(error, table, columns)) from None

    def write_text(self, relation: str, columns: Sequence[str], blocks: Iterable[bytes]) -> int:
        """Add rows by COPY and return how many."""
        statement = f"COPY {relation} ({self.names(columns)}) FROM STDIN (FORMAT csv, NULL 'nan', ENCODING 'UTF8')"
        try:
            with self._writer.cursor() as cursor:
                with cursor.copy(cast("Any", statement)) as copy:
                    for block in blocks:
                        copy.write(block)
                return max(0, cursor.rowcount)
        except psycopg.Error as error:
            raise _error(error) from None

    def commit(self) -> None:
        """Make everything that was written visible; after a statement that failed there is nothing to commit."""
        for connection, what in ((self._writer, "written"), (self._reader, "read")):
            if connection.info.transaction_status is TransactionStatus.INERROR:
                raise SourceError(f"something could not be {what}, although the code went on; nothing is kept")
            if connection.closed:
                raise TransientError("the connection to the merge database went away; nothing is kept")
        try:
            self._writer.commit()
        except psycopg.Error as error:
            raise _error(error) from None

    def close(self) -> None:
        """Close the connections; what was not committed is gone."""
        self._reader.close()
        self._writer.close()


def _at(login: Login, snapshot: str | None) -> psycopg.Connection[Any]:
    connection = connect(login)
    try:
        load_exactly(connection)
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        if snapshot is not None:
            connection.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(sql.Literal(snapshot)))
    except psycopg.Error as error:
        connection.close()
        raise _error(error) from None
    return connection


def _converted(row: Sequence[Any], special: Mapping[int, Callable[[Any], Any]], number: int) -> list[Any]:
    values = list(row)
    try:
        for position, make in special.items():
            if values[position] is not None:
                values[position] = make(values[position])
    except ValueError as error:
        raise ValueError(f"row {number}: {error}") from None
    return values


def _batches(cursor: psycopg.ServerCursor[Any], size: int) -> Iterator[Sequence[tuple[Any, ...]]]:
    try:
        with cursor:
            while rows := cursor.fetchmany(size):
                yield rows
    except psycopg.Error as error:
        raise _error(error) from None


def _raw(connection: Connection) -> psycopg.Connection[Any]:
    return cast("psycopg.Connection[Any]", connection.connection.driver_connection)


def _run(raw: psycopg.Connection[Any], statement: str) -> None:
    raw.execute(cast("Any", statement))


def _comment(raw: psycopg.Connection[Any], schema: str, table: str) -> str | None:
    query = (
        "SELECT pg_catalog.obj_description(c.oid, 'pg_class') FROM pg_catalog.pg_class c "
        "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relname = %s"
    )
    row = raw.execute(query, [schema, table]).fetchone()
    return None if row is None else row[0]


def _place(dataset: JobDataset) -> tuple[str, str]:
    """Return the schema of an output table, and the table as SQL text."""
    schema = dataset.source_schema or "public"
    return schema, ddl.qualified(schema, dataset.source_table)


def _role_exists(raw: psycopg.Connection[Any], role: str) -> bool:
    return raw.execute("SELECT FROM pg_catalog.pg_roles WHERE rolname = %s", [role]).fetchone() is not None


def _error(error: psycopg.Error, message: str = "") -> SourceError | TransientError:
    kind = TransientError if is_transient(error) else SourceError
    return kind(message or without_values(error))
