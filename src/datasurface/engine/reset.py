"""Give up what a stream has open: the batch is abandoned and what it staged is dropped; consumers' rows stay."""

from __future__ import annotations

from sqlalchemy import Connection

from datasurface.databases.merge import MergeStore
from datasurface.store import ledger
from datasurface.store.ledger import UNFINISHED, BatchRow, BatchState
from datasurface.store.streams import SILENCE, claim, dataset_states, hold, owner_name, release

__all__ = ["reset_stream"]


def reset_stream(
    store: MergeStore, schema: str, stream: str, *, reason: str = "reset by hand", silence: float = SILENCE
) -> BatchRow | None:
    """Abandon the stream's open, staged or parked batch and drop its staging; works for streams of older releases too.

    Returns:
        The batch as it was; None if none was open.

    Raises:
        StreamBusyError: another run holds the stream.
    """
    with store.engine.begin() as connection:
        held = claim(connection, schema, stream, owner_name(), silence=silence)
    try:
        with store.engine.begin() as connection:
            hold(connection, schema, held)
            last = ledger.last_batch(connection, schema, stream)
            if last is None or last.state not in UNFINISHED:
                return None
            _drop_staging(store, connection, schema, last)
            ledger.set_state(connection, schema, stream, last.batch_id, BatchState.ABANDONED, error=reason)
            return last
    finally:
        with store.engine.begin() as connection:
            release(connection, schema, held)


def _drop_staging(store: MergeStore, connection: Connection, schema: str, batch: BatchRow) -> None:
    """Drop the tables that belong to this batch alone; those that are kept are emptied by the next batch."""
    staged = ledger.stagings(connection, schema, batch.stream, batch.batch_id)
    known = dataset_states(connection, schema, batch.stream)
    datastore = batch.stream.partition(".")[0]
    for dataset in sorted({*staged, *known}):
        tables = store.tables_of(schema, f"{datastore}.{dataset}")
        for word in ("load", "staging"):
            for name in store.table_names(connection, schema, f"{tables.current}.{word}."):
                store.run(connection, store.drop_table(schema, name))
