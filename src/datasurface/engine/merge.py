"""The merge: one transaction that publishes a staged batch, or parks it. Live and milestoned differ only in history."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from datasurface.databases.merge import DeltaCounts, StagingKind
from datasurface.engine.capture.snapshot import StagedBatch, refuse_keys
from datasurface.engine.checks import judge, reasons
from datasurface.engine.context import BatchContext
from datasurface.engine.guard import verdict
from datasurface.engine.work import Work
from datasurface.errors import BatchFailedError
from datasurface.model.vocabulary import History, OutputMode
from datasurface.release.job import JobDataset, JobSpec
from datasurface.store import ledger
from datasurface.store.checks import CheckResult, save_results
from datasurface.store.ledger import BatchState, DatasetCounts
from datasurface.store.streams import Claim, DatasetState, advance, hold, save_dataset
from datasurface.store.tables import bind, views

__all__ = ["ParkedError", "merge"]

_LOCK_WAIT = 2.0
_PRUNE_EVERY = timedelta(days=1)


class ParkedError(Exception):
    """A check or the guard stops the batch; the message is its reason."""

    def __init__(self, reason: str, results: tuple[CheckResult, ...] = ()) -> None:
        super().__init__(reason)
        self.results = results


def merge(
    context: BatchContext, claim: Claim, batch: StagedBatch, states: Mapping[str, DatasetState], *, guarded: bool
) -> tuple[Mapping[str, DatasetCounts], tuple[CheckResult, ...]]:
    """Publish all datasets of a staged batch, its ledger row and the new position in one transaction.

    The same transaction gives the stream back. A parked batch that is let through was checked and guarded already.

    Returns:
        The counts by dataset, and what the checks said.

    Raises:
        ParkedError: a check or the guard stops it; nothing was changed.
        BatchFailedError: keys or staging do not add up; nothing was changed.
        LostStreamError: another run took the stream; nothing was changed.
    """
    store, schema = context.store, context.schema
    with store.engine.begin() as connection:
        store.bound_waits(connection, lock=_LOCK_WAIT, idle=2 * context.silence)
        hold(connection, schema, claim)
        work = [
            _examine(
                context, connection, dataset, batch, states.get(dataset.name) or DatasetState(dataset=dataset.name)
            )
            for dataset in context.job.datasets
        ]
        results = judge(context, connection, work, batch.read_at) if guarded else ()
        if guarded:
            _guard(context, connection, work, results)
        # What keeps readers waiting, putting first loads in place, comes last.
        work.sort(key=lambda w: w.staging.kind is StagingKind.FIRST)
        counts = {w.dataset.name: _apply(context, connection, batch, w) for w in work}
        total = sum(counts.values(), start=DatasetCounts())
        save_results(connection, schema, claim.stream, batch.batch_id, results)
        ledger.save_counts(connection, schema, claim.stream, batch.batch_id, counts)
        ledger.set_state(
            connection, schema, claim.stream, batch.batch_id, BatchState.MERGED, counts=total, memory=context.memory()
        )
        advance(
            connection,
            schema,
            claim,
            position=batch.candidate,
            read_at=batch.read_at,
            changed_batch=batch.batch_id if total.changed else None,
            give_back=True,
        )
    return counts, results


def _examine(
    context: BatchContext,
    connection: Connection,
    dataset: JobDataset,
    batch: StagedBatch,
    state: DatasetState,
) -> Work:
    """Find a dataset's delta and check that it adds up with what was staged."""
    staging = batch.datasets.get(dataset.name)
    if staging is None:
        raise BatchFailedError(f"dataset {dataset.name!r} was not staged")
    if staging.kind is StagingKind.FIRST:
        empty = dataclasses.replace(state, rows=0)
        return Work(dataset, staging, empty, DeltaCounts(inserted=staging.rows, updated=0, deleted=0))
    mode, tables = context.job.mode, context.tables(dataset)
    if mode is OutputMode.CHANGES:
        _refuse_changes(context.job, dataset, context.store.change_problems(connection, tables, dataset, staging.table))
    delta = context.store.find_delta(connection, tables, dataset, staging, mode)
    if mode is OutputMode.SNAPSHOT and state.rows + delta.inserted - delta.deleted != staging.rows:
        # Two staged rows met one current row, or rows vanished between staging and merge.
        raise BatchFailedError(
            f"dataset {dataset.name!r} does not add up: {state.rows} rows + {delta.inserted} inserted "
            f"- {delta.deleted} deleted is not {staging.rows} rows read"
        )
    return Work(dataset, staging, state, delta)


def _refuse_changes(job: JobSpec, dataset: JobDataset, problems: Sequence[str]) -> None:
    """Raise `BatchFailedError` if there are changes that mean nothing, without their keys where these are secret."""
    if dataset.name in job.secret_keys:
        problems = [problem.partition(": ")[0] for problem in problems]
    if problems:
        raise BatchFailedError(
            f"dataset {dataset.name!r} has changes that mean nothing: {'; '.join(problems)}",
            hint="correct what writes the changes",
        )


def _guard(context: BatchContext, connection: Connection, work: list[Work], results: tuple[CheckResult, ...]) -> None:
    """Stop a batch that fails a check or deletes too much; one whose keys are wrong fails: it could not be accepted."""
    mode = context.job.mode
    verdicts = [verdict(context.job.guard, w.dataset.name, w.state.rows, w.delta, mode) for w in work if w.state.loaded]
    found = [*(reason for reason in verdicts if reason is not None), *reasons(results)]
    if not found:
        return
    for w in work if mode is OutputMode.SNAPSHOT else ():
        if w.staging.kind is StagingKind.FIRST:
            continue
        problem = context.store.key_problem(connection, context.tables(w.dataset), w.dataset, w.staging.table)
        refuse_keys(context.job, w.dataset, problem)
    raise ParkedError("; ".join(found), results)


def _apply(context: BatchContext, connection: Connection, batch: StagedBatch, work: Work) -> DatasetCounts:
    """Apply one dataset's delta, move its state, and leave no staging behind."""
    store, tables = context.store, context.tables(work.dataset)
    first = work.staging.kind is StagingKind.FIRST
    if first:
        # From here readers wait: a client that falls silent now is ended soon, and the next run merges what is staged.
        store.bound_waits(connection, lock=_LOCK_WAIT, idle=_LOCK_WAIT)
        statements = _lock_views(context, connection, work.dataset)
        store.put_in_place(connection, tables, work.staging.table, statements)
    else:
        if not work.delta.empty:
            _apply_delta(context, connection, batch, work)
        if not work.delta.empty or work.staging.kind is not StagingKind.SMALL:
            store.drop_delta(connection, tables, work.staging)
        store.empty_staging(connection, tables, work.staging)
    state = _next_state(work, batch.batch_id, batch.read_at)
    state = _prune(context, connection, work.dataset, state, batch.read_at)
    if state != work.state:
        save_dataset(connection, context.schema, context.job.stream, state)
    return DatasetCounts(
        rows_read=work.staging.rows,
        inserted=work.delta.inserted,
        updated=work.delta.updated,
        deleted=work.delta.deleted,
        seed=first,
    )


def _apply_delta(context: BatchContext, connection: Connection, batch: StagedBatch, work: Work) -> None:
    store, tables = context.store, context.tables(work.dataset)
    keeps_history = work.dataset.history is History.FULL and work.state.history_from is not None
    store.apply_delta(
        connection,
        tables,
        work.dataset,
        work.staging,
        batch_id=batch.batch_id,
        read_at=batch.read_at,
        history_from=work.state.history_from if keeps_history else None,
        history_from_at=work.state.history_from_at if keeps_history else None,
    )
    if context.job.keep_batches:
        store.keep_delta(connection, tables, work.dataset, work.staging, batch.batch_id)
        if context.job.keep_batches > 0:
            store.drop_deltas(connection, tables, batch.batch_id - context.job.keep_batches)


def _next_state(work: Work, batch_id: int, read_at: datetime) -> DatasetState:
    """Return the dataset's state after the batch; history begins with the first batch that keeps it."""
    state = dataclasses.replace(work.state, loaded=True, rows=work.rows_after, last_read=work.staging.rows)
    if work.dataset.history is History.LIVE:
        return dataclasses.replace(state, history_from=None, history_from_at=None)
    if state.history_from is None:
        return dataclasses.replace(state, history_from=batch_id, history_from_at=read_at)
    return state


def _prune(
    context: BatchContext, connection: Connection, dataset: JobDataset, state: DatasetState, read_at: datetime
) -> DatasetState:
    """Once a day, forget closed versions that nobody asks to be kept any longer."""
    if dataset.history is History.LIVE or dataset.retention_days is None:
        return state
    if state.pruned_at is not None and read_at - state.pruned_at < _PRUNE_EVERY:
        return state
    before = read_at - timedelta(days=dataset.retention_days)
    through = context.store.prune_history(connection, context.tables(dataset), before)
    return dataclasses.replace(state, pruned_at=read_at, pruned_through=through or state.pruned_through)


def _lock_views(context: BatchContext, connection: Connection, dataset: JobDataset) -> list[str]:
    """Keep readers out of a dataset's views, and return the statements that let these show a newly placed table.

    The views come before the table, as readers take them; in the other order the two could wait for each other.
    """
    query = (
        select(views.c.schema_name, views.c.view_name, views.c.statement)
        .where(views.c.stream == context.job.stream, views.c.dataset == dataset.name)
        .order_by(views.c.schema_name, views.c.view_name)
    )
    found = bind(connection, context.schema).execute(query).all()
    for row in found:
        context.store.run(connection, context.store.lock_view(row.schema_name, row.view_name))
    return [row.statement for row in found]
