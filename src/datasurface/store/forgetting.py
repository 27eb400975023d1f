"""What the platform's own tables need not keep for ever: batches and audits, by their age."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, delete, exists

from datasurface.store.ledger import UNFINISHED
from datasurface.store.tables import audits, bind, checks, ledger, ledger_datasets
from datasurface.store.totals import add_up

__all__ = ["AUDIT_DAYS", "BATCH_DAYS", "IDLE_DAYS", "forget_old", "forget_old_audits"]

BATCH_DAYS = 400
"""How long batches are kept that changed something, or failed."""
IDLE_DAYS = 7
"""How long batches are kept that changed nothing."""
AUDIT_DAYS = 400
"""How long results of audits are kept."""


def forget_old(
    connection: Connection, schema: str, now: datetime, *, days: int = BATCH_DAYS, idle_days: int = IDLE_DAYS
) -> int:
    """Delete finished batches older than `days`, idle ones older than `idle_days`; keep each stream's newest.

    What they came to stays in the totals.

    Returns:
        How many were deleted.
    """
    add_up(connection, schema)
    bound = bind(connection, schema)
    newer = ledger.alias("newer")
    done = ledger.c.state.not_in([s.value for s in UNFINISHED])
    idle = and_(ledger.c.inserted == 0, ledger.c.updated == 0, ledger.c.deleted == 0)
    old = (ledger.c.finished_at < now - timedelta(days=days)) | (
        and_(idle, ledger.c.finished_at < now - timedelta(days=idle_days))
    )
    superseded = exists().where(newer.c.stream == ledger.c.stream, newer.c.batch_id > ledger.c.batch_id)
    forgotten = bound.execute(delete(ledger).where(done, old, superseded)).rowcount
    if forgotten:
        for table in (ledger_datasets, checks):
            kept = exists().where(ledger.c.stream == table.c.stream, ledger.c.batch_id == table.c.batch_id)
            bound.execute(delete(table).where(~kept))
    return int(forgotten)


def forget_old_audits(connection: Connection, schema: str, now: datetime, *, days: int = AUDIT_DAYS) -> int:
    """Delete results of audits that are older than `days`, and return how many; keep each dataset's newest."""
    newer = audits.alias("newer")
    superseded = exists().where(
        newer.c.stream == audits.c.stream, newer.c.dataset == audits.c.dataset, newer.c.ran_at > audits.c.ran_at
    )
    old = audits.c.ran_at < now - timedelta(days=days)
    return int(bind(connection, schema).execute(delete(audits).where(old, superseded)).rowcount)
