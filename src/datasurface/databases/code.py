"""What a merge database does for transformers' code, as protocols: the platform's side, and the code's own session.

The platform makes output tables and exports the moment at which inputs are read. The code's session, in another
process and under another login, reads at that moment and writes these tables in one transaction. Knows no dialect.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from datasurface.databases.base import Login
from datasurface.release.job import JobColumn, JobDataset

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["CodeDatabase", "CodeSession", "Moment", "Rows", "StandIn"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A moment of the database that several sessions can see.

    Attributes:
        snapshot: Its name, good as long as the transaction that exported it is open.
        at: The database's clock then, in UTC.
    """

    snapshot: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """The answer to a query: the names of its columns, and its rows in batches of bounded size."""

    columns: tuple[str, ...]
    batches: Iterator[Sequence[tuple[Any, ...]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class StandIn:
    """A view that is copied: its schema, its name, and the schema of the table of that name that stands in for it."""

    schema: str
    name: str
    into: str


class CodeSession(Protocol):
    """The database as a transformer's code sees it: one moment to read at, one transaction to write in.

    Reading and writing have connections of their own, so that rows can be written while others are read.
    """

    def look_in(self, schemas: Sequence[str]) -> None:
        """Have names without a schema mean what is in the first of `schemas` that has it."""
        ...

    def relation(self, schema: str, name: str) -> str:
        """Return a table or view as SQL text, quoted."""
        ...

    def names(self, columns: Sequence[str]) -> str:
        """Return columns as an SQL list, quoted."""
        ...

    def changes(self, relation: str, columns: Sequence[JobColumn], batch: int | None) -> str:
        """Return a query for what changed after a batch: the columns, and the operation as `ds_op`.

        Args:
            relation: The history view, as SQL text.
            columns: What of it, keys among them.
            batch: The last batch that was seen; None for everything, as inserts.
        """
        ...

    def ended(self, relation: str, columns: Sequence[JobColumn], batch: int) -> str:
        """Return a query for the rows that were current after a batch and are no more, as they were.

        Args:
            relation: The history view, as SQL text.
            columns: What of it.
            batch: The last batch that was seen.
        """
        ...

    def query(self, sql: str, *, size: int = 10_000) -> Rows:
        """Run a query and return its rows as they come; at most `size` rows of the answer are held at once."""
        ...

    def execute(self, sql: str) -> int:
        """Run a statement that writes and return how many rows it changed."""
        ...

    def write(self, schema: str, table: str, columns: Sequence[JobColumn], rows: Iterable[Sequence[Any]]) -> int:
        """Add rows to a table in bulk and return how many; each has a value for each of `columns`."""
        ...

    def write_text(self, relation: str, columns: Sequence[str], blocks: Iterable[bytes]) -> int:
        """Add rows that are text already and return how many.

        Args:
            relation: The table as SQL text.
            columns: What each row has, in this order.
            blocks: Whole rows as comma-separated values in UTF-8, every text in quotes; `nan` without quotes is NULL.
        """
        ...

    def commit(self) -> None:
        """Make everything that was written visible."""
        ...

    def close(self) -> None:
        """Give the connection back; what was not committed is gone."""
        ...


class CodeDatabase(Protocol):
    """A merge database's side of running code."""

    def make_output(self, connection: Connection, dataset: JobDataset, *, role: str | None) -> None:
        """Make the output table that a dataset is read from, with its schema, or empty the one that is there.

        Args:
            connection: The platform's.
            dataset: Whose rows it takes, as they are staged.
            role: The role of the transformer's login, which may write it; None or one that does not exist: nobody's.
        """
        ...

    def delete_rest(self, connection: Connection, dataset: JobDataset, schema: str, current: str) -> int:
        """Add to an output of changes the deletion of every current row whose key is not in it; return how many."""
        ...

    def empty_output(self, connection: Connection, dataset: JobDataset) -> None:
        """Empty an output table that was read."""
        ...

    def copy_inputs(
        self, connection: Connection, snapshot: str | None, views: Sequence[StandIn], *, role: str | None
    ) -> None:
        """Copy views into tables, as an exported moment saw them, that only `role` may read.

        Args:
            connection: The platform's, with no transaction begun.
            snapshot: The moment.
            views: What to copy, and the schemas to make for it.
            role: The role of the transformer's login.
        """
        ...

    def make_work(self, connection: Connection, schema: str, *, role: str | None) -> None:
        """Make an empty schema in which `role` may create tables."""
        ...

    def drop_scratch(self, connection: Connection, schemas: Sequence[str]) -> None:
        """Drop the schemas of a run, with what is in them, that are there."""
        ...

    def export_moment(self, connection: Connection) -> Moment:
        """Begin a transaction at one moment, and let other sessions see it as long as that is open."""
        ...

    def end_sessions(self, connection: Connection, login: Login) -> int:
        """End every session of the code's login, so that nothing of it holds a lock any more; return how many.

        Args:
            connection: The platform's.
            login: The code's.
        """
        ...

    def session(self, login: Login, snapshot: str | None) -> CodeSession:
        """Open the session of a transformer's code, at a moment that was exported, else now.

        Raises:
            SourceError: the server refuses the login.
            TransientError: it is out of reach, or the moment has passed.
        """
        ...
