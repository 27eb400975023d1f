"""Snapshot capture: read whole tables at one point of the source into staging.

Large tables and first loads are loaded in parallel, each in a transaction of its own; small ones in the transaction
that records the batch as staged. Every such transaction ends by showing that the stream is still owned, so nothing of
a writer that lost its stream is ever visible.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from datasurface.databases.base import Reading
from datasurface.databases.merge import MOST_KEYS, SMALL_ROWS, KeyProblem, Staging, StagingKind
from datasurface.engine.context import BatchContext
from datasurface.errors import BatchFailedError
from datasurface.model.vocabulary import OutputMode
from datasurface.release.job import JobDataset, JobSpec
from datasurface.store import ledger
from datasurface.store.ledger import BatchState, DatasetCounts
from datasurface.store.streams import Claim, DatasetState, hold

__all__ = ["LOCK_WAIT", "StagedBatch", "refuse_keys", "stage"]

LOCK_WAIT = 5.0
"""Seconds that a batch waits for a lock on the platform's own tables, outside its merge."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedBatch:
    """A batch that was read and waits for its merge.

    Attributes:
        batch_id: Its number.
        read_at: When the source was read.
        candidate: The position that becomes the stream's.
        datasets: Where each dataset's rows are.
    """

    batch_id: int
    read_at: datetime
    candidate: str
    datasets: Mapping[str, Staging]


def stage(
    context: BatchContext, claim: Claim, batch_id: int, states: Mapping[str, DatasetState], *, shared: bool = True
) -> StagedBatch:
    """Read the source into staging and record the batch as staged.

    Args:
        context: What it works with.
        claim: The stream.
        batch_id: The batch's number.
        states: What is known of the datasets.
        shared: Whether small tables may wait in the staging that batches share.

    Raises:
        SourceError: the source does not fit the model or refuses to be read.
        BatchFailedError: a first load has duplicate or NULL keys.
    """
    job = context.job
    kinds = {
        d.name: _kind(states.get(d.name, DatasetState(dataset=d.name)), job.mode, shared=shared) for d in job.datasets
    }
    source = context.open_source()
    with source.reading([job.staged(d) for d in job.datasets], connections=job.connections) as reading:
        read_at = max(reading.read_at, claim.read_at) if claim.read_at else reading.read_at
        large = [d for d in job.datasets if kinds[d.name] is not StagingKind.SMALL]
        staged = _load_large(context, claim, batch_id, reading, read_at, large, kinds)
        candidate = json.dumps(dict(reading.position))
        with context.store.engine.begin() as connection:
            context.store.bound_waits(connection, lock=LOCK_WAIT, idle=2 * context.silence)
            for dataset in job.datasets:
                if kinds[dataset.name] is StagingKind.SMALL:
                    staged[dataset.name] = _load_small(context, connection, reading, dataset)
            batch = StagedBatch(batch_id=batch_id, read_at=read_at, candidate=candidate, datasets=staged)
            _record(context, connection, claim, batch)
    return batch


def _kind(state: DatasetState, mode: OutputMode, *, shared: bool) -> StagingKind:
    """Return how a dataset's rows wait; changes are never the table itself, not even the first."""
    if not state.loaded:
        return StagingKind.FIRST if mode is OutputMode.SNAPSHOT else StagingKind.LARGE
    return StagingKind.SMALL if shared and state.last_read < SMALL_ROWS else StagingKind.LARGE


def _record(context: BatchContext, connection: Connection, claim: Claim, batch: StagedBatch) -> None:
    hold(connection, context.schema, claim)
    ledger.save_staging(connection, context.schema, claim.stream, batch.batch_id, batch.datasets)
    ledger.set_state(
        connection,
        context.schema,
        claim.stream,
        batch.batch_id,
        BatchState.STAGED,
        read_at=batch.read_at,
        candidate=batch.candidate,
        counts=DatasetCounts(rows_read=sum(s.rows for s in batch.datasets.values())),
    )


def _load_small(context: BatchContext, connection: Connection, reading: Reading, dataset: JobDataset) -> Staging:
    tables, staged = context.tables(dataset), context.job.staged(dataset)
    table = tables.staging if context.job.mode is OutputMode.SNAPSHOT else tables.changes
    context.store.create_staging(connection, tables, staged, table)
    with reading.feed(staged) as feed:
        rows = context.store.load(
            connection,
            tables,
            staged,
            table,
            feed,
            context.progress,
            context.job.stream,
            frozen=False,
        )
    return Staging(kind=StagingKind.SMALL, table=table, rows=rows)


def _load_large(
    context: BatchContext,
    claim: Claim,
    batch_id: int,
    reading: Reading,
    read_at: datetime,
    datasets: list[JobDataset],
    kinds: dict[str, StagingKind],
) -> dict[str, Staging]:
    """Load tables in parallel, at most as many at once as the source allows connections."""

    def load(dataset: JobDataset) -> Staging:
        return _load_one(context, claim, batch_id, reading, read_at, dataset, kinds[dataset.name])

    if len(datasets) <= 1:
        return {d.name: load(d) for d in datasets}
    with ThreadPoolExecutor(max_workers=min(len(datasets), max(1, context.job.connections))) as pool:
        futures = {d.name: pool.submit(load, d) for d in datasets}
        try:
            return {name: future.result() for name, future in futures.items()}
        except BaseException:
            for future in futures.values():
                future.cancel()
            raise


def _load_one(
    context: BatchContext,
    claim: Claim,
    batch_id: int,
    reading: Reading,
    read_at: datetime,
    dataset: JobDataset,
    kind: StagingKind,
) -> Staging:
    """Load one table in a transaction of its own; its name carries batch and token, so no other attempt meets it."""
    store, tables = context.store, context.tables(dataset)
    word = "load" if kind is StagingKind.FIRST else "staging"
    table = f"{context.own_tables(dataset, word)}{batch_id}.{claim.token}"
    first = kind is StagingKind.FIRST
    staged = context.job.staged(dataset)
    with store.begin_first(tables, dataset, table) if first else store.engine.begin() as connection:
        if not first:
            store.create_staging(connection, tables, staged, table)
        with reading.feed(staged) as feed:
            rows = store.load(connection, tables, staged, table, feed, context.progress, claim.stream, frozen=first)
        if first:
            refuse_keys(context.job, dataset, store.finish_first(connection, tables, dataset, table))
            store.stamp_first(connection, tables, table, batch_id, read_at)
        store.bound_waits(connection, lock=LOCK_WAIT, idle=2 * context.silence)
        hold(connection, context.schema, claim)
    return Staging(kind=kind, table=table, rows=rows)


def refuse_keys(job: JobSpec, dataset: JobDataset, problem: KeyProblem) -> None:
    """Raise `BatchFailedError` if there are duplicate or NULL keys, naming up to ten of each unless they are secret."""
    if not problem.found:
        return
    shown = dataset.name not in job.secret_keys
    parts = []
    if problem.duplicates:
        parts.append(f"duplicate keys: {'; '.join(problem.duplicates) if shown else _number(problem.duplicates)}")
    if problem.nulls:
        parts.append(f"NULL in keys: {'; '.join(problem.nulls) if shown else _number(problem.nulls)}")
    why = "" if shown else " (keys are not shown: they are classified)"
    raise BatchFailedError(
        f"dataset {dataset.name!r} has {' and '.join(parts)}{why}",
        hint="correct the source, or the key in the model",
    )


def _number(keys: Sequence[str]) -> str:
    """Say how many keys were found."""
    return f"{len(keys)}{' or more' if len(keys) >= MOST_KEYS else ''}"
