"""What a database adapter must do, as protocols. Knows no driver; the adapters are found by entry point.

A source is read at one consistent point by a `Reading`; a merge database (`MergeStore` in `databases.merge`) takes rows
in, finds the delta and applies it. Rows cross as a `Feed`: PostgreSQL binary COPY where both ends speak it, else
batches of Python rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from datasurface.errors import ConfigurationError
from datasurface.govern.capabilities import Capabilities, CapabilityMap
from datasurface.model.infrastructure import Container
from datasurface.model.types import DataType
from datasurface.release.job import JobDataset

__all__ = [
    "Adapter",
    "CopyFeed",
    "Feed",
    "Login",
    "Reading",
    "RowFeed",
    "Source",
    "SourceColumn",
    "SourceTable",
    "adapter_for",
    "adapters",
    "capability_map",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """How to reach a container: the container, who logs in, and where relative paths start.

    The password never appears in `repr`.

    Attributes:
        role: A role that sessions assume, if it exists and the user may.
        own: Whether it is a server of our own, on the loopback.
        renew: Returns how to reach it now: a server of our own is started again if it has ended, a secret is looked up
            at the moment of use.
        refused: Returns how to log in after the server has refused this login: its secret is looked up anew, because it
            may have been rotated meanwhile.
    """

    container: Container
    user: str | None = None
    password: str | None = None
    folder: Path = Path()
    role: str | None = None
    own: bool = False
    renew: Callable[[], Login] | None = None
    refused: Callable[[], Login] | None = None

    def current(self) -> Login:
        """Return how to reach the container now."""
        return self if self.renew is None else self.renew()

    def another(self) -> Login | None:
        """Return what to try once after a refusal; None if nothing else than this is known."""
        other = self.refused() if self.refused is not None else self
        return None if (other.user, other.password) == (self.user, self.password) else other

    def __repr__(self) -> str:
        return f"Login({self.container!r}, user={self.user!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceColumn:
    """A column as the database's catalog has it.

    Attributes:
        physical: The database's own words for its type.
        type: The DSL type that holds it without loss, or None if there is none.
    """

    name: str
    physical: str
    type: DataType | None
    nullable: bool
    key_position: int | None
    """Its place in the primary key, from 1; None if it is not part of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTable:
    """A table or view as the database's catalog has it."""

    schema: str | None
    name: str
    columns: tuple[SourceColumn, ...]


@dataclass(frozen=True, slots=True)
class CopyFeed:
    """A table's rows as PostgreSQL binary COPY data, in the order of the job's columns.

    Attributes:
        connection: The driver's connection, inside the reading's snapshot.
        statement: The `COPY (SELECT …) TO STDOUT (FORMAT BINARY)` to run on it.
    """

    connection: Any
    statement: Any


@dataclass(frozen=True, slots=True)
class RowFeed:
    """A table's rows as batches of Python tuples, in the order of the job's columns; bounded in size."""

    batches: Iterator[Sequence[tuple[object, ...]]]


Feed = CopyFeed | RowFeed


class Reading(Protocol):
    """One consistent point of a source. Its feeds may be taken from several threads at once."""

    read_at: datetime
    """When the source was read, by the source's clock, in UTC."""
    position: Mapping[str, Any]
    """What identifies the point; opaque to all but the adapter."""

    def feed(self, dataset: JobDataset) -> AbstractContextManager[Feed]:
        """Open the rows of one dataset; each open feed has a connection of its own."""
        ...


class Source(Protocol):
    """A database that is read."""

    def tables(self, schema: str | None) -> Sequence[SourceTable]:
        """Return all tables of a schema, or of the container's own, sorted by name."""
        ...

    def table(self, schema: str | None, name: str) -> SourceTable | None:
        """Return one table, or None if it is absent or may not be read."""
        ...

    def verify(self, dataset: JobDataset) -> None:
        """Raise `SourceError` unless the table has every column, none wider than the model says."""
        ...

    def reading(self, datasets: Sequence[JobDataset], *, connections: int) -> AbstractContextManager[Reading]:
        """Open one consistent point from which all `datasets` are read, over at most `connections` connections."""
        ...

    def close(self) -> None:
        """Give the connections back."""
        ...


@runtime_checkable
class Adapter(Protocol):
    """A kind of database. Importing the module that holds it must not import the driver."""

    capabilities: Capabilities

    def source(self, login: Login) -> Source:
        """Connect to read.

        Raises:
            SourceError: permanently refused (password, database, missing file).
            TransientError: out of reach now.
        """
        ...

    def container_from_url(self, url: str) -> Container | None:
        """Return the container a URL means, or None if the URL is another database's."""
        ...


_GROUP = "datasurface.databases"


def adapters() -> tuple[Adapter, ...]:
    """Return every installed adapter, sorted by the name of its entry point."""
    found = sorted(entry_points(group=_GROUP), key=lambda point: point.name)
    return tuple([point.load() for point in found])


def capability_map() -> CapabilityMap:
    """Return the capabilities of every installed adapter by the container classes they serve."""
    return {name: adapter.capabilities for adapter in adapters() for name in adapter.capabilities.containers}


def adapter_for(container: Container) -> Adapter:
    """Return the adapter that serves `container`.

    Raises:
        ConfigurationError: none is installed.
    """
    name = type(container).__name__
    for adapter in adapters():
        if name in adapter.capabilities.containers:
            return adapter
    raise ConfigurationError(f"no installed adapter serves {name} {container.name!r}")
