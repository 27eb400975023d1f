"""One run of one stream: take it, do the steps that its situation asks for, give it back, and say how it ended."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from datasurface.databases.merge import KeyProblem, StagingKind
from datasurface.engine.batch import BatchResult, Outcome, Situation, Step, steps
from datasurface.engine.capture.snapshot import LOCK_WAIT, StagedBatch, refuse_keys, stage
from datasurface.engine.checks import warnings
from datasurface.engine.context import BatchContext
from datasurface.engine.merge import ParkedError, merge
from datasurface.errors import (
    BatchFailedError,
    ConfigurationError,
    DataSurfaceError,
    LostStreamError,
    StoreError,
    StreamBusyError,
    SupersededError,
)
from datasurface.model.vocabulary import OutputMode
from datasurface.secrets.masking import masked
from datasurface.store import ledger
from datasurface.store.checks import CheckResult, save_results
from datasurface.store.ledger import BatchRow, BatchState, DatasetCounts
from datasurface.store.streams import Claim, DatasetState, advance, claim, dataset_states, hold, release

__all__ = ["run_batch"]

_log = logging.getLogger("datasurface.engine")

RETRIES = (0.5, 2.0, 5.0)
"""Seconds to wait before each further attempt after a fault that may pass by itself."""

_FAULTS = (SQLAlchemyError, DataSurfaceError, OSError)
"""What a batch fails with; anything else is a mistake of ours, and is raised besides."""


def run_batch(
    context: BatchContext,
    *,
    accept: bool = False,
    retries: tuple[float, ...] = RETRIES,
    sleep: Callable[[float], None] = time.sleep,
) -> BatchResult:
    """Move a stream forward by one batch.

    Args:
        context: What it works with.
        accept: Whether to merge the parked batch as it is, instead of reading anew.
        retries: How long to wait before each further attempt after a transient fault.
        sleep: How to wait.

    Raises:
        LostStreamError: another run took the stream while this one was silent.
        StoreError: the merge database is out of reach, or refuses.
    """
    began = time.monotonic()
    run = _Run(context, accept=accept)
    try:
        for pause in (*retries, None):
            outcome = run.attempt(final=pause is None)
            if outcome is not None:
                return run.result(outcome, time.monotonic() - began)
            if pause is not None:
                _log.warning("stream %s: %s; trying again in %s s", context.job.stream, run.error, pause)
                sleep(pause)
    except StreamBusyError as error:
        run.error = error.message
        return run.result(Outcome.BUSY, time.monotonic() - began)
    finally:
        run.give_back()
    raise StoreError(f"the merge database is out of reach: {run.error}") from run.fault


class _Run:
    """The changing state of one run."""

    def __init__(self, context: BatchContext, *, accept: bool) -> None:
        self._context = context
        self._accept = accept
        self._claim: Claim | None = None
        self._batch_id: int | None = None
        self._counts: Mapping[str, DatasetCounts] = {}
        self._states: dict[str, DatasetState] = {}
        self._staged: StagedBatch | None = None
        self._shared = True
        self._results: tuple[CheckResult, ...] = ()
        self.error = ""
        self.fault: Exception | None = None

    def result(self, outcome: Outcome, seconds: float) -> BatchResult:
        """Return what the run did."""
        return BatchResult(
            stream=self._context.job.stream,
            batch_id=self._batch_id,
            outcome=outcome,
            counts=sum(self._counts.values(), start=DatasetCounts()),
            seconds=seconds,
            error=self.error,
            warnings=warnings(self._results),
            transient=outcome is not Outcome.MERGED and self.fault is not None and self._passes(self.fault),
            datasets=self._counts,
            checks=self._results,
            read_at=self._staged.read_at if self._staged is not None else None,
        )

    def give_back(self) -> None:
        """Give the stream back; if the merge database is gone, its silence frees it."""
        if self._claim is None:
            return
        try:
            with self._context.store.engine.begin() as connection:
                release(connection, self._context.schema, self._claim)
        except (SQLAlchemyError, DataSurfaceError) as error:
            _log.debug("stream not given back: %s", self._context.store.explain_error(error))

    def attempt(self, *, final: bool) -> Outcome | None:
        """Try once; None asks for another attempt, which a final one never does unless even the ledger is lost."""
        store = self._context.store
        try:
            return self._attempt()
        except (LostStreamError, StreamBusyError, ConfigurationError):
            raise
        except SupersededError as superseded:
            # Consumers see what it would have made.
            return self._settle(BatchState.ABANDONED, Outcome.MERGED, superseded.message)
        except ParkedError as parked:
            self._results = parked.results
            return self._settle(BatchState.PARKED, Outcome.PARKED, str(parked))
        except Exception as error:
            self.error, self.fault = self._said(error), error
            if store.is_lock_timeout(error):
                return Outcome.WAITING if final else None
            if store.is_transient(error) and not final:
                return None
            known = isinstance(error, _FAULTS) or store.is_database_error(error)
            reason = self.error if known else f"{type(error).__name__}: {self.error}"
            outcome = self._settle(BatchState.FAILED, Outcome.FAILED, reason)
            if not known:
                raise
            return outcome

    def _passes(self, error: Exception) -> bool:
        return self._context.store.is_transient(error) or self._context.store.is_lock_timeout(error)

    def _said(self, error: BaseException) -> str:
        """Return an error in one line, without secrets.

        A driver's bare one is the merge database's, for sources name themselves.
        """
        if isinstance(error, DataSurfaceError):
            return masked(error.message)
        store = self._context.store
        where = "merge database: " if store.is_database_error(error) else ""
        return masked(f"{where}{store.explain_error(error)}")

    def _attempt(self) -> Outcome:
        context = self._context
        self._staged = None
        with context.store.engine.begin() as connection:
            context.store.bound_waits(connection, lock=LOCK_WAIT, idle=2 * context.silence)
            held = claim(connection, context.schema, context.job.stream, context.owner, silence=context.silence)
            last = ledger.last_batch(connection, context.schema, held.stream)
            self._batch_id = last.batch_id if last is not None else None
            self._states = dataset_states(connection, context.schema, held.stream)
            plan = steps(self._situation(connection, last))
            if plan[0] is Step.OPEN:
                context.observe(Step.OPEN)
                self._open(connection, held)
                plan = plan[1:]
        self._claim = held
        if Step.OPEN not in plan:
            context.watch.begun(self._batch_id or 0)
        with context.heart.beating(held):
            for step in plan:
                context.observe(step)
                self._do(step, held)
        return Outcome.MERGED

    def _situation(self, connection: Connection, last: BatchRow | None) -> Situation:
        if self._accept and (last is None or last.state is not BatchState.PARKED):
            raise ConfigurationError(f"stream {self._context.job.stream!r} has no parked batch to accept")
        if last is None:
            return Situation(last=None)
        same = last.job_digest == self._context.job.job_digest
        waiting = last.state in (BatchState.STAGED, BatchState.PARKED)
        intact = waiting and same and self._intact(connection, last.batch_id)
        if self._accept and not (same and intact):
            raise ConfigurationError(
                f"batch {last.batch_id} of stream {last.stream!r} can no longer be accepted: "
                f"{'its staging is gone' if same else 'the model has changed since it was read'}",
                hint="run the stream again; it reads the source anew",
            )
        return Situation(last=last.state, same_job=same, intact=intact, accepting=self._accept)

    def _intact(self, connection: Connection, batch_id: int) -> bool:
        """Tell whether staging holds what was recorded; an unlogged table is empty after its server crashed."""
        context = self._context
        staged = ledger.stagings(connection, context.schema, context.job.stream, batch_id)
        if set(staged) != {d.name for d in context.job.datasets}:
            return False
        return all(context.store.count(connection, context.schema, s.table) == s.rows for s in staged.values())

    def _do(self, step: Step, held: Claim) -> None:
        match step:
            case Step.ABANDON:
                self._abandon(held)
            case Step.OPEN:
                with self._holding(held) as connection:
                    self._open(connection, held)
                self._context.watch.begun(self._batch_id or 0)
            case Step.CLEAR:
                self._clear(held)
            case Step.STAGE:
                self._stage(held)
            case Step.MERGE:
                self._merge(held)

    @contextmanager
    def _holding(self, held: Claim) -> Iterator[Connection]:
        """Open a transaction that owns the stream; its waits are bounded, so nobody who stops in it stops others."""
        context = self._context
        with context.store.engine.begin() as connection:
            context.store.bound_waits(connection, lock=LOCK_WAIT, idle=2 * context.silence)
            hold(connection, context.schema, held)
            yield connection

    def _stage(self, held: Claim) -> None:
        """Read the source; the next attempt avoids the shared staging if a writer that was stopped still sits there."""
        try:
            self._staged = stage(self._context, held, self._batch_id or 0, self._states, shared=self._shared)
        except Exception as error:
            self._shared = self._shared and not self._context.store.is_lock_timeout(error)
            raise

    def _abandon(self, held: Claim) -> None:
        context = self._context
        with self._holding(held) as connection:
            reason = "given up: a new read supersedes it, or the model has changed"
            ledger.set_state(
                connection, context.schema, held.stream, self._batch_id or 0, BatchState.ABANDONED, error=reason
            )
            self._drop_leftovers(connection)
            # A dataset that has left the model is in the ledger only.
            staged = ledger.stagings(connection, context.schema, held.stream, self._batch_id or 0)
            for staging in staged.values():
                if staging.kind is not StagingKind.SMALL:
                    context.store.run(connection, context.store.drop_table(context.schema, staging.table))
        context.watch.abandoned(self._batch_id or 0)

    def _open(self, connection: Connection, held: Claim) -> None:
        """Take the next number; the stream is held in this transaction."""
        context = self._context
        ledger.open_batch(
            connection,
            context.schema,
            held.stream,
            held.next_batch,
            held.token,
            model_digest=context.model_digest,
            job_digest=context.job.job_digest,
        )
        advance(connection, context.schema, held, next_batch=held.next_batch + 1)
        self._batch_id = held.next_batch

    def _clear(self, held: Claim) -> None:
        context = self._context
        with self._holding(held) as connection:
            ledger.set_state(connection, context.schema, held.stream, self._batch_id or 0, BatchState.OPEN)
            self._drop_leftovers(connection)

    def _drop_leftovers(self, connection: Connection) -> None:
        """Drop what batches of this stream staged in tables of their own; the stream is held, so no writer is left."""
        store, schema = self._context.store, self._context.schema
        for dataset in self._context.job.datasets:
            for word in ("load", "staging"):
                for name in store.table_names(connection, schema, self._context.own_tables(dataset, word)):
                    store.run(connection, store.drop_table(schema, name))

    def _merge(self, held: Claim) -> None:
        context = self._context
        try:
            if self._staged is None:
                self._staged = self._read_staged(held)
            self._counts = {name: DatasetCounts(rows_read=s.rows) for name, s in self._staged.datasets.items()}
            self._counts, self._results = merge(context, held, self._staged, self._states, guarded=not self._accept)
            self._claim = None
        except Exception as error:
            if isinstance(error, BatchFailedError) or context.store.is_integrity_error(error):
                self._explain_keys(self._staged)
            raise

    def _read_staged(self, held: Claim) -> StagedBatch:
        """Return what an earlier run staged."""
        schema = self._context.schema
        with self._context.store.engine.connect() as connection:
            batch = ledger.last_batch(connection, schema, held.stream)
            if batch is None or batch.read_at is None:
                raise BatchFailedError(f"stream {held.stream!r} has no staged batch")
            staged = ledger.stagings(connection, schema, held.stream, batch.batch_id)
        return StagedBatch(
            batch_id=batch.batch_id, read_at=batch.read_at, candidate=batch.candidate or "{}", datasets=staged
        )

    def _explain_keys(self, batch: StagedBatch | None) -> None:
        """Raise `BatchFailedError` with the keys that are to blame, if it is keys; those of changes may repeat."""
        context = self._context
        if context.job.mode is OutputMode.CHANGES:
            return
        staged = batch.datasets if batch is not None else {}
        with context.store.engine.connect() as connection:
            for dataset in context.job.datasets:
                if dataset.name in staged:
                    problem: KeyProblem = context.store.key_problem(
                        connection, context.tables(dataset), dataset, staged[dataset.name].table
                    )
                    refuse_keys(context.job, dataset, problem)

    def _settle(self, state: BatchState, outcome: Outcome, reason: str) -> Outcome | None:
        """Write how the batch ended; a failed one leaves no staging. None if the merge database is out of reach."""
        self.error = reason
        held, context = self._claim, self._context
        if held is None:
            raise StoreError(f"the merge database refuses: {reason}", hint="`datasurface doctor` checks it")
        try:
            with self._holding(held) as connection:
                last = ledger.last_batch(connection, context.schema, held.stream)
                if last is not None and last.batch_id == self._batch_id and last.state in ledger.UNFINISHED:
                    ledger.set_state(
                        connection,
                        context.schema,
                        held.stream,
                        last.batch_id,
                        state,
                        error=reason,
                        memory=context.memory(),
                    )
                if state is BatchState.PARKED:
                    save_results(connection, context.schema, held.stream, self._batch_id or 0, self._results)
                if state is BatchState.FAILED:
                    self._drop_leftovers(connection)
        except (SQLAlchemyError, DataSurfaceError) as error:
            if isinstance(error, LostStreamError):
                raise
            self.error = f"{reason}; and then: {context.store.explain_error(error)}"
            return None
        return outcome
