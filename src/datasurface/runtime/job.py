"""One job's entry point: run one batch of one stream of a platform, from the active release's slice for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from datasurface.databases.base import Source
from datasurface.databases.merge import Progress
from datasurface.engine.batch import BatchResult, Outcome, Step
from datasurface.engine.context import BatchContext, NoProgress
from datasurface.engine.heart import Heart
from datasurface.engine.run import RETRIES, run_batch
from datasurface.release.job import JobSpec
from datasurface.runtime.memory import measuring
from datasurface.runtime.platform import RunningPlatform
from datasurface.runtime.report import BatchReport
from datasurface.runtime.telemetry.place import Place
from datasurface.runtime.telemetry.telemetry import OFF, Telemetry
from datasurface.runtime.telemetry.trace import CURRENT, Scope
from datasurface.runtime.telemetry.watch import BatchWatch, NoWatch, outcome_of
from datasurface.runtime.transformers import Nothing, host_of, nothing_to_do
from datasurface.store.ledger import DatasetCounts
from datasurface.store.streams import SILENCE, owner_name
from datasurface.transform.source import TransformerSource

__all__ = ["JobRunner", "report_of"]


class JobRunner:
    """Runs batches of one platform in this process, under one owner name and with one heartbeat.

    Args:
        running: The platform.
        progress: Hears of rows as they are read.
        silence: Seconds after which a silent owner has lost its stream.
        observe: Called before every step of every batch.
        telemetry: Who is told of batches.
        retries: How long to wait before each further attempt after a transient fault.
    """

    def __init__(
        self,
        running: RunningPlatform,
        *,
        progress: Progress | None = None,
        silence: float = SILENCE,
        observe: Callable[[Step], None] | None = None,
        telemetry: Telemetry = OFF,
        retries: tuple[float, ...] = RETRIES,
    ) -> None:
        self._running = running
        self._progress = progress or NoProgress()
        self._silence = silence
        self._observe = observe
        self._telemetry = telemetry
        self._place = Place(running)
        self._retries = retries
        self._owner = owner_name()
        self._heart = Heart(running.store, running.schema, silence=silence)

    def context(self, job: JobSpec, digest: str, *, anew: bool = False, watch: NoWatch | None = None) -> BatchContext:
        """Return what work on a stream needs.

        Args:
            job: The stream.
            digest: The release that it is of.
            anew: Whether a transformer makes its whole output again.
            watch: Hears of the batch; None for nobody.
        """
        told = watch or NoWatch(self._scope(job))
        return BatchContext(
            store=self._running.store,
            schema=self._running.schema,
            job=job,
            model_digest=digest,
            open_source=lambda: self._source(job, digest, anew=anew),
            owner=self._owner,
            heart=self._heart,
            silence=self._silence,
            progress=self._progress,
            observe=partial(_observed, self._observe, told),
            watch=told,
        )

    def _source(self, job: JobSpec, digest: str, *, anew: bool) -> Source:
        if job.transformer is not None:
            return TransformerSource(host_of(self._running, job, digest), job, anew=anew)
        return self._running.logins.source(job.source, job.credential)

    def run(self, job: JobSpec, digest: str, *, accept: bool = False, anew: bool = False) -> BatchResult:
        """Run one batch of a stream; a transformer for which there is nothing to do opens none.

        Args:
            job: The stream.
            digest: The release that it is of.
            accept: Whether to merge its parked batch as it is.
            anew: Whether a transformer runs in any case, and makes its whole output again.
        """
        scope = self._scope(job)
        token = CURRENT.set(scope)
        try:
            result = self._run(job, digest, scope, accept=accept, anew=anew)
            return replace(result, platform=self._running.name, trace_id=scope.trace.trace_id)
        finally:
            CURRENT.reset(token)

    def _run(self, job: JobSpec, digest: str, scope: Scope, *, accept: bool, anew: bool) -> BatchResult:
        nothing = None
        if job.transformer is not None and not accept and not anew:
            nothing = nothing_to_do(host_of(self._running, job, digest), job)
        if nothing is not None:
            return _not_run(job, nothing)
        watch = self._watch(job, digest, scope)
        try:
            with measuring() as memory:
                context = replace(self.context(job, digest, anew=anew, watch=watch), memory=memory)
                result = run_batch(context, accept=accept, retries=self._retries)
        except BaseException as error:
            watch.broke(error)
            raise
        watch.ended(result)
        return result

    def _scope(self, job: JobSpec) -> Scope:
        return Scope(platform=self._running.name, stream=job.stream, trace=self._telemetry.trace())

    def _watch(self, job: JobSpec, digest: str, scope: Scope) -> NoWatch:
        if not self._telemetry.on:
            return NoWatch(scope)
        return BatchWatch(
            self._telemetry,
            platform=self._place.at(digest),
            job=job,
            release=digest,
            owner=self._owner,
            scope=scope,
        )

    def close(self) -> None:
        """Stop the heartbeat."""
        self._heart.stop()


def _not_run(job: JobSpec, nothing: Nothing) -> BatchResult:
    waits = ", ".join(nothing.waits_for)
    return BatchResult(
        stream=job.stream,
        batch_id=None,
        outcome=Outcome.WAITING if waits else Outcome.MERGED,
        counts=DatasetCounts(),
        seconds=0.0,
        error=f"its input {waits} was never merged" if waits else "",
    )


def _observed(observe: Callable[[Step], None] | None, watch: NoWatch, step: Step) -> None:
    watch.step(step)
    if observe is not None:
        observe(step)


def report_of(result: BatchResult) -> BatchReport:
    """Return an engine's result as it is told; a batch that changed nothing is idle."""
    counts = result.counts
    return BatchReport(
        stream=result.stream,
        batch_id=result.batch_id,
        state=outcome_of(result),
        rows_read=counts.rows_read,
        inserted=counts.inserted,
        updated=counts.updated,
        deleted=counts.deleted,
        seconds=result.seconds,
        error=result.error,
        warnings=result.warnings,
        changed=result.ok and counts.changed,
        transient=result.transient,
        platform=result.platform,
        trace_id=result.trace_id,
    )
