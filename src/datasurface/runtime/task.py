"""A task of a scheduler: some streams of one platform, one batch each, one after the other in one process.

It knows no model folder, only the platform; each stream is run as the active release has it. Streams of one source
share its connections, and one that fails does not stop the others.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from datasurface.errors import DataSurfaceError, NothingActiveError, StoreError
from datasurface.release.job import PlatformSpec
from datasurface.runtime.job import JobRunner, report_of
from datasurface.runtime.platform import RunningPlatform, open_platform
from datasurface.runtime.progress import Progress
from datasurface.runtime.report import BatchReport, log_report
from datasurface.runtime.telemetry.telemetry import OFF, Telemetry
from datasurface.runtime.verdict import Verdict, verdict_of_error

__all__ = ["run_streams"]

_LOGGER = logging.getLogger("datasurface")


def run_streams(
    platform: PlatformSpec,
    streams: Sequence[str],
    folder: Path,
    environ: Mapping[str, str],
    *,
    progress: Progress,
    stop: threading.Event,
    telemetry: Telemetry = OFF,
) -> list[BatchReport]:
    """Run one batch of each stream, in the order given, and return how each ended.

    Args:
        platform: Where they run.
        streams: Their names.
        folder: Where relative paths start.
        environ: The variables that hold secrets.
        progress: Hears of rows as they are read.
        stop: After it is set no further batch is begun.
        telemetry: Who is told of batches.

    Raises:
        NothingActiveError: nothing is active.
        DataSurfaceError: the platform cannot be opened.
    """
    reports: list[BatchReport] = []
    with open_platform(platform, folder, environ) as running:
        running.active_digest()
        runner = JobRunner(running, progress=progress, telemetry=telemetry)
        try:
            for stream in dict.fromkeys(streams):
                reports.append(_stopped(stream) if stop.is_set() else _run(running, runner, stream, progress))
                log_report(reports[-1])
        finally:
            runner.close()
    return reports


def _stopped(stream: str) -> BatchReport:
    return BatchReport(stream=stream, batch_id=None, state="stopped", error="told to stop before its batch began")


def _run(running: RunningPlatform, runner: JobRunner, stream: str, progress: Progress) -> BatchReport:
    """Run one batch; whatever goes wrong is the stream's own affair."""
    try:
        job, digest = running.job(stream)
        progress.start(stream, None)
        try:
            return report_of(runner.run(job, digest))
        finally:
            progress.finish(stream)
    except NothingActiveError as error:
        return BatchReport(stream=stream, batch_id=None, state="absent", error=str(error))
    except DataSurfaceError as error:
        passes = verdict_of_error(error) is Verdict.AGAIN or _is_transient(running, error.__cause__)
        state = "unreachable" if isinstance(error, StoreError) else "failed"
        return BatchReport(stream=stream, batch_id=None, state=state, error=str(error), transient=passes)
    except Exception as error:
        passes = _is_transient(running, error)
        known = isinstance(error, SQLAlchemyError) or running.store.is_database_error(error)
        if not known:
            _LOGGER.exception("stream %s: a defect of DataSurface or of an adapter", stream)
        said = running.store.explain_error(error) if known else f"{type(error).__name__}: {error}"
        return BatchReport(stream=stream, batch_id=None, state="failed", error=said, transient=passes)


def _is_transient(running: RunningPlatform, error: BaseException | None) -> bool:
    return error is not None and running.store.is_transient(error)
