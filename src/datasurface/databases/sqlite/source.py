"""SQLite as a source: one read transaction of one connection is the consistent point of all tables."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from datasurface.databases.base import Feed, Login, RowFeed, SourceTable
from datasurface.databases.sqlite import catalog
from datasurface.databases.sqlite.connect import fingerprint, opened, told
from datasurface.databases.sqlite.rows import batches
from datasurface.databases.sqlite.values import converter
from datasurface.errors import ConfigurationError, SourceError
from datasurface.model.infrastructure import SqliteDatabase
from datasurface.release.job import JobDataset

__all__ = ["SqliteSource"]


class SqliteSource:
    """Reads one SQLite file. Holds nothing open between readings."""

    def __init__(self, login: Login) -> None:
        if not isinstance(login.container, SqliteDatabase):
            raise ConfigurationError(f"{login.container.label()} is no SQLite database")
        self._path = login.folder / login.container.path
        with self._connected():
            pass

    def tables(self, schema: str | None) -> Sequence[SourceTable]:
        """Return all tables and views that work, sorted by name."""
        with self._connected() as connection, told(self._path):
            return catalog.read_tables(connection) if catalog.has_schema(schema) else ()

    def table(self, schema: str | None, name: str) -> SourceTable | None:
        """Return one table, or None if it is absent."""
        with self._connected() as connection, told(self._path):
            return catalog.read_table(connection, name) if catalog.has_schema(schema) else None

    def verify(self, dataset: JobDataset) -> None:
        """Raise `SourceError` unless the table has every column, of types whose values SQLite can have.

        The values themselves are judged when they are read.
        """
        with self._connected() as connection:
            verified(self._path, connection, dataset)

    @contextmanager
    def reading(self, datasets: Sequence[JobDataset], *, connections: int) -> Iterator[_Reading]:  # noqa: ARG002
        """Open one consistent point, verified against the model.

        All feeds share one connection, whatever `connections` allows: SQLite cannot give a second one the same
        snapshot. With a rollback journal writers wait while the reading is open; with a write-ahead log they do not.
        """
        position = fingerprint(self._path)
        with self._connected() as connection:
            tables = {d.name: verified(self._path, connection, d) for d in datasets}
            yield _Reading(self._path, connection, position, tables)

    def close(self) -> None:
        """Nothing is open."""

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        """Open the file and a read transaction on it: the first SELECT takes the snapshot."""
        with opened(self._path) as connection:
            with told(self._path):
                connection.execute("BEGIN")
                connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            yield connection


class _Reading:
    """One read transaction. Feeds may be taken from several threads; they take turns, a batch at a time."""

    def __init__(
        self,
        path: Path,
        connection: sqlite3.Connection,
        position: Mapping[str, Any],
        tables: Mapping[str, SourceTable],
    ) -> None:
        self.read_at: datetime = datetime.now(UTC)
        self.position: Mapping[str, Any] = position
        self._path = path
        self._connection = connection
        self._tables = tables
        self._lock = threading.Lock()

    @contextmanager
    def feed(self, dataset: JobDataset) -> Iterator[Feed]:
        """Open the rows of one dataset."""
        with self._lock:
            cursor = self._connection.cursor()
        try:
            table = self._tables[dataset.name]
            yield RowFeed(batches(self._path, cursor, dataset, table, self._lock))
        finally:
            with self._lock:
                cursor.close()


def verified(path: Path, connection: sqlite3.Connection, dataset: JobDataset) -> SourceTable:
    """Return the dataset's table as it is; refuse all that does not fit at once."""
    shown = f"table {dataset.source_table!r} of {path}"
    with told(path):
        found = (
            catalog.read_table(connection, dataset.source_table) if catalog.has_schema(dataset.source_schema) else None
        )
    if found is None:
        raise SourceError(f"there is no {shown}", hint="correct `source=` of the dataset")
    names = {column.name.lower() for column in found.columns}
    problems = [f"no column {c.source!r}" for c in dataset.columns if c.source.lower() not in names]
    problems += [
        f"column {c.source!r} cannot be {c.type.spelled()}: SQLite has no such values"
        for c in dataset.columns
        if converter(c.type) is None
    ]
    if problems:
        raise SourceError(
            f"{shown} does not fit dataset {dataset.name!r}: {'; '.join(problems)}",
            hint="change the model's columns, or the source",
        )
    return found
