"""Output tables of transformers that left the model: retired like other tables, and dropped only on demand."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection

from datasurface.databases.merge import MergeStore
from datasurface.engine.operation import Operation
from datasurface.release.job import PlatformSpec

__all__ = ["retired_outputs"]


def retired_outputs(store: MergeStore, connection: Connection, spec: PlatformSpec, schema: str) -> Iterator[Operation]:
    """Yield what drops the output schemas of transformers that no longer run."""
    wanted = {d.source_schema for job in spec.jobs if job.transformer is not None for d in job.datasets}
    for name in store.schema_names(connection, f"{schema}."):
        if any(w is not None and (name == w or name.startswith(f"{w}.")) for w in wanted):
            continue
        tables = sorted(store.read_tables(connection, name))
        yield Operation(
            action="drop",
            target=f"output schema {name}",
            detail="its transformer no longer runs",
            statements=(*(store.drop_table(name, table) for table in tables), store.drop_schema(name)),
            destructive=True,
        )
