"""The streams of a platform's active release: which there are, when they last ran, and how one batch is run."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection
from datetime import datetime

from datasurface.errors import ConfigurationError, DataSurfaceError, NothingActiveError, StoreError
from datasurface.release.job import JobSpec
from datasurface.runtime.job import JobRunner, report_of
from datasurface.runtime.platform import RunningPlatform
from datasurface.runtime.progress import NullProgress, Progress
from datasurface.runtime.report import BatchReport
from datasurface.runtime.retention import keep_tidy
from datasurface.runtime.scheduler import JobSet
from datasurface.runtime.telemetry.telemetry import OFF, Telemetry
from datasurface.store.ledger import last_batches
from datasurface.store.releases import active_digest
from datasurface.store.streams import changed_batches, dataset_states

__all__ = ["ActiveStreams"]

_LOGGER = logging.getLogger("datasurface")


class ActiveStreams:
    """The active release of one platform, followed: a provider of jobs for the scheduler, and what executes them.

    Args:
        running: The platform.
        progress: Hears of rows as they are read.
        only: The streams that matter; None for all.
        telemetry: Who is told of batches.
    """

    def __init__(
        self,
        running: RunningPlatform,
        progress: Progress,
        *,
        only: Collection[str] | None = None,
        telemetry: Telemetry = OFF,
    ) -> None:
        self._running = running
        self._progress = progress
        self._only = None if only is None else frozenset(only)
        self._runner = JobRunner(running, progress=progress, telemetry=telemetry)
        self._lock = threading.Lock()
        self._digest = ""
        self._jobs: dict[str, JobSpec] = {}

    @property
    def running(self) -> RunningPlatform:
        """The platform."""
        return self._running

    def version(self) -> str:
        """Return the active release's digest.

        Raises:
            NothingActiveError: nothing is active.
        """
        with self._running.reading() as connection:
            digest = active_digest(connection, self._running.schema)
        if digest is None:
            raise NothingActiveError(f"no release is active on platform {self._running.name!r}")
        return digest

    def load(self) -> JobSet:
        """Return the streams of the active release."""
        digest = self.version()
        spec = self._running.active()
        with self._lock:
            self._digest = digest
            self._jobs = {job.stream: job for job in spec.jobs}
        jobs = [job for job in spec.jobs if self._only is None or job.stream in self._only]
        return JobSet(jobs=jobs, after={j.stream: j.transformer.triggers for j in jobs if j.transformer is not None})

    def changed(self) -> dict[str, int]:
        """Return for each stream the number of the merged batch that last changed a row of it."""
        with self._running.reading() as connection:
            return changed_batches(connection, self._running.schema)

    def last_started(self) -> dict[str, datetime]:
        """Return when each stream's newest batch started."""
        with self._running.reading() as connection:
            return {name: batch.started_at for name, batch in last_batches(connection, self._running.schema).items()}

    def execute(self, job: JobSpec, *, anew: bool = False) -> BatchReport:
        """Run one batch of a stream, as the release that is active now has it, even if `job` is of an older one."""
        try:
            job, digest = self._now(job)
            self._progress.start(job.stream, self._expected(job))
            try:
                return report_of(self._runner.run(job, digest, anew=anew))
            finally:
                self._progress.finish(job.stream)
        except NothingActiveError:
            raise
        except StoreError as error:
            return BatchReport(stream=job.stream, batch_id=None, state="unreachable", error=str(error))

    def forget_old(self) -> None:
        """Delete what the ledger need not keep; a fault is logged, because the next time does as well."""
        try:
            gone = keep_tidy(self._running).batches
        except DataSurfaceError as error:
            _LOGGER.warning("old batches of the ledger are not deleted: %s", error.message)
        else:
            if gone:
                _LOGGER.info("%s old batches deleted from the ledger of platform %s", gone, self._running.name)

    def close(self) -> None:
        """Stop the heartbeat."""
        self._runner.close()

    def _now(self, job: JobSpec) -> tuple[JobSpec, str]:
        digest = self.version()
        with self._lock:
            known = self._jobs.get(job.stream) if digest == self._digest else None
        if known is not None:
            return known, digest
        try:
            return self._running.job(job.stream)
        except NothingActiveError as error:
            raise ConfigurationError(f"stream {job.stream!r} was dropped by the release {digest[:12]}") from error

    def _expected(self, job: JobSpec) -> int | None:
        """Return how many rows the last read had, for a bar; None if nobody knows or looks."""
        if isinstance(self._progress, NullProgress):
            return None
        with self._running.reading() as connection:
            states = dataset_states(connection, self._running.schema, job.stream)
        loaded = [state.last_read for state in states.values() if state.loaded]
        return sum(loaded) if len(loaded) == len(job.datasets) else None
