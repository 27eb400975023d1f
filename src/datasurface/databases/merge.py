"""What a merge database must do, as a protocol, and the values that cross it. Knows no SQL dialect and no driver.

The engine decides what happens in which transaction; a `MergeStore` says it in its database's words. Every method that
takes a `Connection` runs in the transaction that is open there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from sqlalchemy import Connection, Engine

from datasurface.databases.audit import BucketSum, Change
from datasurface.databases.base import Feed
from datasurface.model.check import SqlCheck
from datasurface.model.vocabulary import OutputMode
from datasurface.release.job import JobDataset

if TYPE_CHECKING:
    from datasurface.databases.checks import Checker, Judged

__all__ = [
    "MOST_KEYS",
    "SMALL_ROWS",
    "DeltaCounts",
    "KeyProblem",
    "MergeStore",
    "PhysicalColumn",
    "PhysicalTable",
    "PhysicalView",
    "Progress",
    "Staging",
    "StagingKind",
    "Tables",
    "ViewShape",
]


MOST_KEYS = 10
"""How many wrong keys of a kind are looked for."""

SMALL_ROWS = 10_000
"""Tables with fewer rows at the last read share a staging table that is kept."""


class StagingKind(StrEnum):
    """How a batch's rows wait for the merge.

    FIRST becomes the current table itself; LARGE is a table of the batch's own, dropped afterwards; SMALL is a table
    that is kept and refilled, so that many small streams do not churn the catalog.
    """

    FIRST = "first"
    LARGE = "large"
    SMALL = "small"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """The physical names of one dataset's tables in the platform's schema."""

    schema: str
    current: str
    history: str
    deltas: str
    staging: str
    """The table that SMALL batches share."""
    changes: str
    """The table that SMALL batches of changes share."""
    delta: str
    """The table that SMALL deltas share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Staging:
    """Where one dataset's rows of one batch are."""

    kind: StagingKind
    table: str
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeltaCounts:
    """What a delta holds: rows to insert, update and delete."""

    inserted: int
    updated: int
    deleted: int

    @property
    def empty(self) -> bool:
        """Whether nothing changed."""
        return not (self.inserted or self.updated or self.deleted)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyProblem:
    """Keys that make a batch impossible to merge: up to `MOST_KEYS` of each kind, as texts."""

    duplicates: tuple[str, ...] = ()
    nulls: tuple[str, ...] = ()

    @property
    def found(self) -> bool:
        """Whether there is any."""
        return bool(self.duplicates or self.nulls)


@dataclass(frozen=True, slots=True, kw_only=True)
class PhysicalColumn:
    """A column as the merge database's catalog has it; `type` in the database's own words."""

    name: str
    type: str
    nullable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PhysicalTable:
    """A table as the merge database's catalog has it; `bytes` is its size on disk."""

    name: str
    columns: tuple[PhysicalColumn, ...]
    key: tuple[str, ...]
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PhysicalView:
    """A view as the merge database's catalog has it."""

    schema: str
    name: str
    columns: tuple[str, ...]
    reads: tuple[str, ...]
    """The tables and views it stands on, as `schema.name`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewShape:
    """A view that consumers see: the current rows, or all versions."""

    schema: str
    name: str
    columns: tuple[str, ...]
    history: bool
    stream: str
    dataset: str
    tables: Tables


class Progress(Protocol):
    """Hears how many rows were read so far."""

    def advance(self, stream: str, rows: int, /) -> None:
        """Add `rows` to what was read of `stream`."""
        ...


class MergeStore(Protocol):
    """A database in which batches are merged."""

    engine: Engine
    """The pooled connections."""
    name_limit: int
    """The longest name, in bytes."""

    def close(self) -> None:
        """Give all connections back."""
        ...

    def tables_of(self, schema: str, stream_dataset: str) -> Tables:
        """Return the physical names for a dataset, shortened where they must be."""
        ...

    # -- the catalog
    def has_schema(self, connection: Connection, schema: str) -> bool:
        """Tell whether the schema exists."""
        ...

    def schema_names(self, connection: Connection, prefix: str) -> Sequence[str]:
        """Return the schemas whose name begins with `prefix`, sorted."""
        ...

    def read_tables(self, connection: Connection, schema: str) -> Mapping[str, PhysicalTable]:
        """Return the tables of a schema by name."""
        ...

    def read_views(self, connection: Connection, tables_schema: str) -> Sequence[PhysicalView]:
        """Return every view of the database that stands, directly or not, on a table of `tables_schema`."""
        ...

    # -- statements as text, so that a plan can print what apply runs
    def column_type(self, dataset: JobDataset, column: str) -> str:
        """Return the physical type of a dataset's column."""
        ...

    def create_schema(self, schema: str) -> str:
        """Return the statement that creates a schema."""
        ...

    def drop_schema(self, schema: str) -> str:
        """Return the statement that drops an empty schema."""
        ...

    def create_current(self, tables: Tables, dataset: JobDataset) -> Sequence[str]:
        """Return the statements that create an empty current table."""
        ...

    def create_history(self, tables: Tables, dataset: JobDataset) -> Sequence[str]:
        """Return the statements that create an empty history table."""
        ...

    def create_deltas(self, tables: Tables, dataset: JobDataset) -> Sequence[str]:
        """Return the statements that create the table of kept deltas."""
        ...

    def drop_table(self, schema: str, table: str) -> str:
        """Return the statement that drops a table if it is there; never what depends on it."""
        ...

    def add_column(self, schema: str, table: str, column: str, physical: str) -> str:
        """Return the statement that adds a nullable column."""
        ...

    def alter_type(self, schema: str, table: str, column: str, physical: str) -> str:
        """Return the statement that widens a column."""
        ...

    def drop_not_null(self, schema: str, table: str, column: str) -> str:
        """Return the statement that lets a column be NULL."""
        ...

    def rename_column(self, schema: str, table: str, column: str, to: str) -> str:
        """Return the statement that gives a column another name; views on it keep showing it under theirs."""
        ...

    def drop_column(self, schema: str, table: str, column: str) -> str:
        """Return the statement that drops a column; never what depends on it."""
        ...

    def create_view(self, view: ViewShape) -> str:
        """Return the statement that creates a view, or replaces one with the same columns."""
        ...

    def lock_view(self, schema: str, name: str) -> str:
        """Return the statement that keeps readers out of a view until the transaction ends, and changes nothing."""
        ...

    def drop_view(self, schema: str, name: str) -> str:
        """Return the statement that drops a view; never what depends on it."""
        ...

    def read_grants(self, connection: Connection, schema: str, name: str, columns: Sequence[str]) -> Sequence[str]:
        """Return the statements that give a view's present grants again, those on single columns for `columns`."""
        ...

    def widening(self, old: str, new: str) -> bool | None:
        """Judge a change of physical type: True widens by a rewrite, False without one, None is no widening."""
        ...

    # -- a batch
    def begin_first(self, tables: Tables, dataset: JobDataset, table: str) -> AbstractContextManager[Connection]:
        """Open a transaction that has just created the table a first load fills."""
        ...

    def finish_first(self, connection: Connection, tables: Tables, dataset: JobDataset, table: str) -> KeyProblem:
        """Give a filled first-load table its key; report keys that cannot be one, leaving the table as it was."""
        ...

    def stamp_first(self, connection: Connection, tables: Tables, table: str, batch_id: int, read_at: datetime) -> None:
        """Give every row of a first-load table its batch and time."""
        ...

    def create_staging(self, connection: Connection, tables: Tables, dataset: JobDataset, table: str) -> None:
        """Create a staging table, or empty the one that is there."""
        ...

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
        """Fill a table from a feed and return the number of rows."""
        ...

    def table_names(self, connection: Connection, schema: str, prefix: str) -> Sequence[str]:
        """Return the tables of a schema whose name begins with `prefix`."""
        ...

    def empty_staging(self, connection: Connection, tables: Tables, staging: Staging) -> None:
        """Empty a SMALL staging table for the next batch, or drop any other."""
        ...

    def count(self, connection: Connection, schema: str, table: str) -> int | None:
        """Count a table's rows; None if there is no such table."""
        ...

    def find_delta(
        self, connection: Connection, tables: Tables, dataset: JobDataset, staging: Staging, mode: OutputMode
    ) -> DeltaCounts:
        """Compare staging with current, and keep what differs in the delta table of this batch.

        Staged changes are judged by the last one of each key: what it leaves behind against what is current.
        """
        ...

    def change_problems(self, connection: Connection, tables: Tables, dataset: JobDataset, table: str) -> Sequence[str]:
        """Look for staged changes that mean nothing, up to ten: no operation, no order, no key."""
        ...

    def key_problem(self, connection: Connection, tables: Tables, dataset: JobDataset, table: str) -> KeyProblem:
        """Look for duplicate and NULL keys in a staging table."""
        ...

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
        ...

    def keep_delta(
        self, connection: Connection, tables: Tables, dataset: JobDataset, staging: Staging, batch_id: int
    ) -> None:
        """Add this batch's delta to the kept ones."""
        ...

    def drop_deltas(self, connection: Connection, tables: Tables, up_to: int) -> None:
        """Forget kept deltas of batches up to `up_to`."""
        ...

    def prune_history(self, connection: Connection, tables: Tables, before: datetime) -> int | None:
        """Forget versions that ended before a time; return the last batch that ended one of them, None if none is."""
        ...

    def put_in_place(self, connection: Connection, tables: Tables, table: str, views: Sequence[str]) -> None:
        """Make a first-load table the current one; `views` are the statements that then show it."""
        ...

    def checksums(
        self, connection: Connection, dataset: JobDataset, schema: str, table: str, buckets: int
    ) -> Mapping[int, BucketSum]:
        """Return count and sums of the rows of each bucket of a table with the dataset's columns."""
        ...

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
        ...

    def checker(self, connection: Connection, judged: Judged) -> Checker:
        """Return what judges one dataset of a batch whose delta is found."""
        ...

    def query_fault(self, connection: Connection, schema: str, dataset: JobDataset, check: SqlCheck) -> str:
        """Return why a user's query may not run as a check of a dataset; empty if it may."""
        ...

    def drop_delta(self, connection: Connection, tables: Tables, staging: Staging) -> None:
        """Drop or empty this batch's delta."""
        ...

    def run(self, connection: Connection, statement: str) -> None:
        """Run a statement made by one of this store's text methods."""
        ...

    def exclusive(self, name: str) -> AbstractContextManager[None]:
        """Keep every other process out of what `name` stands for; `ApplyBlockedError` if one is in it."""
        ...

    def bound_waits(self, connection: Connection, *, lock: float, idle: float) -> None:
        """Bound, in seconds, how long this transaction waits for a lock and how long its client may be silent."""
        ...

    def is_transient(self, error: BaseException) -> bool:
        """Tell whether an error may pass by itself."""
        ...

    def is_lock_timeout(self, error: BaseException) -> bool:
        """Tell whether a lock was not to be had in time."""
        ...

    def is_integrity_error(self, error: BaseException) -> bool:
        """Tell whether a row broke a key or a NOT NULL."""
        ...

    def is_database_error(self, error: BaseException) -> bool:
        """Tell whether an error is the database driver's, and no defect of ours."""
        ...

    def is_dependency(self, error: BaseException) -> bool:
        """Tell whether somebody's own object stands on what was to be changed."""
        ...

    def explain_error(self, error: BaseException) -> str:
        """Say a driver's error in one line, without values or secrets."""
        ...
