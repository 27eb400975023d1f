"""The running system as it is: tables and views of the merge database, and what the platform remembers of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, select

from datasurface.databases.merge import MergeStore, PhysicalTable, PhysicalView
from datasurface.store.releases import active_digest
from datasurface.store.streams import DatasetState
from datasurface.store.tables import bind, datasets, metadata, views

__all__ = ["Actual", "KnownView", "read_actual"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownView:
    """A view that the platform made."""

    schema: str
    name: str
    stream: str
    dataset: str
    columns: tuple[str, ...]
    history: bool
    statement: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Actual:
    """The running system.

    Attributes:
        enrolled: Whether the platform's schema and its own tables exist.
        digest: The active release; None if nothing is active.
        tables: The tables of the platform's schema, by name.
        views: Every view that stands on them, by `(schema, name)`; anybody's.
        known: The views that the platform made, by `(schema, name)`.
        states: What is known of each dataset, by `(stream, dataset)`.
    """

    enrolled: bool
    digest: str | None
    tables: Mapping[str, PhysicalTable]
    views: Mapping[tuple[str, str], PhysicalView]
    known: Mapping[tuple[str, str], KnownView]
    states: Mapping[tuple[str, str], DatasetState]

    def strangers_on(self, schema: str, name: str) -> list[str]:
        """Return the views of others that stand on a view or table, as `schema.name`."""
        wanted = f"{schema}.{name}"
        return sorted(f"{s}.{n}" for (s, n), v in self.views.items() if (s, n) not in self.known and wanted in v.reads)


def read_actual(store: MergeStore, connection: Connection, schema: str) -> Actual:
    """Read the running system."""
    tables = store.read_tables(connection, schema) if store.has_schema(connection, schema) else {}
    enrolled = all(table.name in tables for table in metadata.sorted_tables)
    if not enrolled:
        return Actual(enrolled=False, digest=None, tables=tables, views={}, known={}, states={})
    bound = bind(connection, schema)
    known = {
        (row.schema_name, row.view_name): KnownView(
            schema=row.schema_name,
            name=row.view_name,
            stream=row.stream,
            dataset=row.dataset,
            columns=tuple(json.loads(row.columns)),
            history=row.history,
            statement=row.statement,
        )
        for row in bound.execute(select(views))
    }
    states = {
        (row.stream, row.dataset): DatasetState(
            dataset=row.dataset,
            loaded=row.loaded,
            rows=row.rows,
            last_read=row.last_read,
            history_from=row.history_from,
            history_from_at=row.history_from_at,
            pruned_at=row.pruned_at,
            pruned_through=row.pruned_through,
        )
        for row in bound.execute(select(datasets))
    }
    return Actual(
        enrolled=True,
        digest=active_digest(connection, schema),
        tables=tables,
        views={(v.schema, v.name): v for v in store.read_views(connection, schema)},
        known=known,
        states=states,
    )
