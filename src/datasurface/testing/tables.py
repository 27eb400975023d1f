"""The bench's own tables in the embedded database: the inputs' sources, and rows that are expected, as typed values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any

from datasurface.databases.base import Login
from datasurface.databases.postgres import ddl
from datasurface.databases.postgres.code import PostgresCode, PostgresSession
from datasurface.release.job import JobColumn, JobDataset
from datasurface.testing.rows import Given, columns_given, rows_given
from datasurface.transform.frames import rows_of

__all__ = ["BenchTables"]

_SCRATCH = "bench_scratch"


class BenchTables:
    """Writes and reads tables in the bench's database."""

    def __init__(self, login: Login) -> None:
        self._login = login

    def make(self, datasets: Sequence[JobDataset]) -> None:
        """Make empty tables for the inputs, in the shape that the model gives them."""
        with self._session() as session:
            session.execute(f"CREATE SCHEMA {ddl.quote(_SCRATCH)}")
            for schema in sorted({d.source_schema or "" for d in datasets}):
                session.execute(f"CREATE SCHEMA {ddl.quote(schema)}")
            for dataset in datasets:
                session.execute(f"CREATE TABLE {_name(dataset)} ({', '.join(ddl.columns_of(dataset))})")
            session.commit()

    def replace(self, dataset: JobDataset, rows: Given) -> int:
        """Give a table these rows in place of all it has, and return how many."""
        with self._session() as session:
            session.execute(f"TRUNCATE {_name(dataset)}")
            return _filled(session, dataset, rows)

    def insert(self, dataset: JobDataset, rows: Given) -> int:
        """Add rows and return how many."""
        with self._session() as session:
            return _filled(session, dataset, rows)

    def update(self, dataset: JobDataset, rows: Sequence[Mapping[str, Any]]) -> int:
        """Change the rows of these keys, the columns that are given of them, and return how many there are."""
        columns = columns_given(rows, dataset.columns)
        changed = ", ".join(f"{ddl.quote(c.name)} = s.{ddl.quote(c.name)}" for c in columns if not c.key)
        with self._session() as session:
            scratch = _scratch(session, columns, rows)
            return _done(session, f"UPDATE {_name(dataset)} AS t SET {changed} FROM {scratch} AS s", dataset)

    def delete(self, dataset: JobDataset, keys: Sequence[Mapping[str, Any]]) -> int:
        """Remove the rows of these keys and return how many there were."""
        with self._session() as session:
            scratch = _scratch(session, dataset.key_columns, keys)
            return _done(session, f"DELETE FROM {_name(dataset)} AS t USING {scratch} AS s", dataset)

    def typed(self, columns: Sequence[JobColumn], rows: Given) -> list[dict[str, Any]]:
        """Return rows with the values that the database makes of them, so that texts, say of a file, are dates."""
        with self._session() as session:
            scratch = _scratch(session, columns, list(rows_given(rows, columns)))
            session.commit()
            return _read(session, scratch, _names(columns))

    def given(self, dataset: JobDataset) -> list[dict[str, Any]]:
        """Return the rows of an input as they are now."""
        with self._session() as session:
            return _read(session, _name(dataset), _names(dataset.columns))

    def read(self, schema: str, view: str, columns: Sequence[str]) -> list[dict[str, Any]]:
        """Return the rows of a view."""
        with self._session() as session:
            return _read(session, ddl.qualified(schema, view), columns)

    def changes(self, schema: str, view: str, columns: Sequence[JobColumn], batch: int | None) -> list[dict[str, Any]]:
        """Return what changed after a batch, from a view of all versions."""
        with self._session() as session:
            query = session.changes(ddl.qualified(schema, view), columns, batch)
            return _read(session, f"({query}) AS c", [*_names(columns), "ds_op"])

    @contextmanager
    def _session(self) -> Iterator[PostgresSession]:
        with closing(PostgresCode().session(self._login, None)) as session:
            yield session


def _filled(session: PostgresSession, dataset: JobDataset, rows: Given) -> int:
    found = rows_given(rows, dataset.columns)
    number = session.write(dataset.source_schema or "", dataset.source_table, dataset.columns, found)
    session.commit()
    return number


def _scratch(session: PostgresSession, columns: Sequence[JobColumn], rows: Sequence[Any]) -> str:
    """Make a table of its own for some rows and return its name; the next one takes its place."""
    name = ddl.qualified(_SCRATCH, "rows")
    shape = ", ".join(f"{ddl.quote(c.name)} {ddl.type_of(c)}" for c in columns)
    session.execute(f"DROP TABLE IF EXISTS {name}")
    session.execute(f"CREATE UNLOGGED TABLE {name} ({shape})")
    session.write(_SCRATCH, "rows", columns, rows_of(rows, columns))
    return name


def _done(session: PostgresSession, statement: str, dataset: JobDataset) -> int:
    same = " AND ".join(f"t.{q} = s.{q}" for q in (ddl.quote(c.name) for c in dataset.key_columns))
    number = session.execute(f"{statement} WHERE {same}")
    session.commit()
    return number


def _read(session: PostgresSession, relation: str, columns: Sequence[str]) -> list[dict[str, Any]]:
    query = f"SELECT {session.names(columns)} FROM {relation} ORDER BY {session.names(columns[:1])}"
    rows = session.query(query).batches
    return [dict(zip(columns, row, strict=True)) for batch in rows for row in batch]


def _name(dataset: JobDataset) -> str:
    return ddl.qualified(dataset.source_schema or "", dataset.source_table)


def _names(columns: Sequence[JobColumn]) -> list[str]:
    return [c.name for c in columns]
