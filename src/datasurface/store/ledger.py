"""The ledger: the record of every batch, and what of it is still needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, func, insert, select, update

from datasurface.databases.merge import Staging, StagingKind
from datasurface.store.tables import bind, ledger, ledger_datasets, streams

__all__ = [
    "UNFINISHED",
    "BatchRow",
    "BatchState",
    "DatasetCounts",
    "history_of",
    "last_batch",
    "last_batches",
    "last_merged",
    "open_batch",
    "save_counts",
    "save_staging",
    "set_state",
    "stagings",
]


class BatchState(StrEnum):
    """Where a batch is. `open`, `staged` and `parked` may still be merged; the others are final."""

    OPEN = "open"
    STAGED = "staged"
    PARKED = "parked"
    MERGED = "merged"
    FAILED = "failed"
    ABANDONED = "abandoned"


UNFINISHED = (BatchState.OPEN, BatchState.STAGED, BatchState.PARKED)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetCounts:
    """What a batch did to one dataset; a seed is a first load, of which no delta is kept."""

    rows_read: int = 0
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    seed: bool = False

    def __add__(self, other: DatasetCounts) -> DatasetCounts:
        return DatasetCounts(
            rows_read=self.rows_read + other.rows_read,
            inserted=self.inserted + other.inserted,
            updated=self.updated + other.updated,
            deleted=self.deleted + other.deleted,
            seed=self.seed or other.seed,
        )

    @property
    def changed(self) -> bool:
        """Whether consumers see anything else than before: rows changed, or a first load."""
        return self.seed or bool(self.inserted or self.updated or self.deleted)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRow:
    """One row of the ledger; `memory` is the peak of the process that ran it, in bytes, if it could be measured."""

    stream: str
    batch_id: int
    state: BatchState
    started_at: datetime
    finished_at: datetime | None
    read_at: datetime | None
    counts: DatasetCounts = field(default_factory=DatasetCounts)
    model_digest: str
    job_digest: str
    candidate: str | None
    error: str | None
    memory: int | None = None


def _row(row: Row[Any]) -> BatchRow:
    return BatchRow(
        stream=row.stream,
        batch_id=row.batch_id,
        state=BatchState(row.state),
        started_at=row.started_at,
        finished_at=row.finished_at,
        read_at=row.read_at,
        counts=DatasetCounts(rows_read=row.rows_read, inserted=row.inserted, updated=row.updated, deleted=row.deleted),
        model_digest=row.model_digest,
        job_digest=row.job_digest,
        candidate=row.candidate,
        error=row.error,
        memory=row.memory,
    )


def last_batch(connection: Connection, schema: str, stream: str) -> BatchRow | None:
    """Return the stream's newest batch; only the newest can be unfinished."""
    query = select(ledger).where(ledger.c.stream == stream).order_by(ledger.c.batch_id.desc()).limit(1)
    row = bind(connection, schema).execute(query).one_or_none()
    return None if row is None else _row(row)


def last_merged(connection: Connection, schema: str, stream: str) -> BatchRow | None:
    """Return the stream's newest merged batch."""
    query = (
        select(ledger)
        .where(ledger.c.stream == stream, ledger.c.state == BatchState.MERGED.value)
        .order_by(ledger.c.batch_id.desc())
        .limit(1)
    )
    row = bind(connection, schema).execute(query).one_or_none()
    return None if row is None else _row(row)


def open_batch(
    connection: Connection, schema: str, stream: str, batch_id: int, token: int, *, model_digest: str, job_digest: str
) -> None:
    """Write the row of a new batch."""
    bind(connection, schema).execute(
        insert(ledger).values(
            stream=stream,
            batch_id=batch_id,
            state=BatchState.OPEN.value,
            token=token,
            started_at=func.clock_timestamp(),
            rows_read=0,
            inserted=0,
            updated=0,
            deleted=0,
            model_digest=model_digest,
            job_digest=job_digest,
        )
    )


def set_state(
    connection: Connection,
    schema: str,
    stream: str,
    batch_id: int,
    state: BatchState,
    *,
    error: str | None = None,
    read_at: datetime | None = None,
    candidate: str | None = None,
    counts: DatasetCounts | None = None,
    memory: int | None = None,
) -> None:
    """Move a batch to a state; a final one and `parked` set the time it finished."""
    values: dict[str, object] = {"state": state.value, "error": error}
    if state not in (BatchState.OPEN, BatchState.STAGED):
        values["finished_at"] = func.clock_timestamp()
    if read_at is not None:
        values["read_at"] = read_at
    if candidate is not None:
        values["candidate"] = candidate
    if memory is not None:
        values["memory"] = memory
    if counts is not None:
        values |= {
            "rows_read": counts.rows_read,
            "inserted": counts.inserted,
            "updated": counts.updated,
            "deleted": counts.deleted,
        }
    bind(connection, schema).execute(
        update(ledger).where(ledger.c.stream == stream, ledger.c.batch_id == batch_id).values(**values)
    )


def save_staging(
    connection: Connection, schema: str, stream: str, batch_id: int, staged: Mapping[str, Staging]
) -> None:
    """Record where each dataset's rows wait, replacing what an earlier attempt recorded."""
    bound = bind(connection, schema)
    bound.execute(
        delete(ledger_datasets).where(ledger_datasets.c.stream == stream, ledger_datasets.c.batch_id == batch_id)
    )
    bound.execute(
        insert(ledger_datasets),
        [
            {
                "stream": stream,
                "batch_id": batch_id,
                "dataset": name,
                "staging_kind": staging.kind.value,
                "staging_table": staging.table,
                "seed": staging.kind is StagingKind.FIRST,
                "rows_read": staging.rows,
                "inserted": 0,
                "updated": 0,
                "deleted": 0,
            }
            for name, staging in staged.items()
        ],
    )


def stagings(connection: Connection, schema: str, stream: str, batch_id: int) -> dict[str, Staging]:
    """Return where a batch's rows wait, by dataset."""
    query = select(ledger_datasets).where(ledger_datasets.c.stream == stream, ledger_datasets.c.batch_id == batch_id)
    return {
        row.dataset: Staging(kind=StagingKind(row.staging_kind), table=row.staging_table, rows=row.rows_read)
        for row in bind(connection, schema).execute(query)
        if row.staging_table is not None
    }


def save_counts(
    connection: Connection, schema: str, stream: str, batch_id: int, counts: Mapping[str, DatasetCounts]
) -> None:
    """Write what a batch did to each dataset."""
    bound = bind(connection, schema)
    for name, done in counts.items():
        if done.inserted or done.updated or done.deleted:
            bound.execute(
                update(ledger_datasets)
                .where(
                    ledger_datasets.c.stream == stream,
                    ledger_datasets.c.batch_id == batch_id,
                    ledger_datasets.c.dataset == name,
                )
                .values(inserted=done.inserted, updated=done.updated, deleted=done.deleted)
            )


def history_of(connection: Connection, schema: str, stream: str, limit: int) -> Sequence[BatchRow]:
    """Return a stream's latest batches, the newest first."""
    query = select(ledger).where(ledger.c.stream == stream).order_by(ledger.c.batch_id.desc()).limit(limit)
    return [_row(row) for row in bind(connection, schema).execute(query)]


def last_batches(connection: Connection, schema: str) -> dict[str, BatchRow]:
    """Return the newest batch of every stream: its number is the one before the next, whose row is never forgotten."""
    newest = and_(ledger.c.stream == streams.c.stream, ledger.c.batch_id == streams.c.next_batch - 1)
    query = select(ledger).join(streams, newest)
    return {row.stream: _row(row) for row in bind(connection, schema).execute(query)}
