"""Running streams of a model's platforms in this process: once, or as their schedules say until a signal comes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial

from datasurface.errors import ConfigurationError, NothingActiveError
from datasurface.model.capture import External
from datasurface.release.archive import archive_of
from datasurface.release.job import Changed, PlatformSpec
from datasurface.runtime.active import ActiveStreams
from datasurface.runtime.apply import apply_plan
from datasurface.runtime.compile_model import compile_model, keep_release, require_ok
from datasurface.runtime.folder import ModelFolder, unknown_stream
from datasurface.runtime.plan import make_plan
from datasurface.runtime.platform import RunningPlatform
from datasurface.runtime.progress import Progress
from datasurface.runtime.report import BatchReport, log_report
from datasurface.runtime.scheduler import JobSet, Scheduler
from datasurface.runtime.security import keep_access
from datasurface.runtime.stopping import Stopping
from datasurface.runtime.telemetry.prometheus import PlatformSource, PrometheusExporter
from datasurface.runtime.telemetry.pulse import Pulse
from datasurface.runtime.telemetry.state import PlatformReader
from datasurface.runtime.telemetry.telemetry import OFF, Telemetry

__all__ = ["run_forever", "run_once"]

_LOGGER = logging.getLogger("datasurface")
_PRUNE_EVERY = 3600.0
_Active = list[tuple[ActiveStreams, JobSet]]


def run_once(
    model: ModelFolder,
    progress: Progress,
    stopping: Stopping,
    *,
    streams: Sequence[str] = (),
    due_only: bool = False,
    telemetry: Telemetry = OFF,
) -> list[BatchReport]:
    """Run each stream of the active releases once, and return the results in the order in which they ended.

    Args:
        model: Where the platforms are.
        progress: Hears of rows as they are read.
        stopping: After a signal nothing more is started.
        streams: Run these only.
        due_only: Run only those that are due.
        telemetry: Who is told of batches.

    Raises:
        NothingActiveError: a platform has no active release.
        ConfigurationError: there is no such stream.
        StoreError: a merge database is out of reach.
    """
    reports: list[BatchReport] = []
    with ExitStack() as stack:
        for active, work in _activated(stack, model, progress, streams, telemetry):
            scheduler = Scheduler(active.execute, on_report=_keeping(reports))
            stopping.also_wake(scheduler.wake)
            last = active.last_started() if due_only else {}
            stopping.run(
                [
                    partial(
                        _discarded,
                        partial(
                            scheduler.run_once,
                            work.jobs,
                            due_only=due_only,
                            last_started=last,
                            after=work.after,
                            stop=stopping.event,
                        ),
                    )
                ]
            )
            active.forget_old()
    return reports


def run_forever(
    model: ModelFolder,
    progress: Progress,
    stopping: Stopping,
    *,
    streams: Sequence[str] = (),
    telemetry: Telemetry = OFF,
    metrics: PrometheusExporter | None = None,
) -> None:
    """Follow the schedules of the active releases, whichever are active, until a signal comes.

    Args:
        model: Where the platforms are.
        progress: Hears of rows as they are read.
        stopping: Ends it.
        streams: Run these only.
        telemetry: Who is told of batches.
        metrics: Who is shown the platforms and schedulers.

    Raises:
        NothingActiveError: a platform has no active release.
        ConfigurationError: there is no such stream, or none of those that were named has a schedule.
        StoreError: a merge database is out of reach at the start; later that is logged, and tried again.
    """
    with ExitStack() as stack:
        found = _activated(stack, model, progress, streams, telemetry)
        _require_schedule(found, streams)
        works: list[Callable[[], None]] = []
        for active, _ in found:
            pulse = Pulse(active.running.name, telemetry.emit if telemetry.on else None)
            if metrics is not None:
                metrics.add(PlatformSource(reader=PlatformReader(active.running), pulse=pulse))
            scheduler = Scheduler(active.execute, pulse=pulse)
            stopping.also_wake(scheduler.wake)
            works.append(partial(scheduler.run_forever, active, active.last_started, stopping.event))
            works.append(partial(_prune, active, stopping.event))
        number = sum(len(work.jobs) for _, work in found)
        _LOGGER.info("following the schedules of %s stream%s", number, "" if number == 1 else "s")
        stopping.run(works)
    _LOGGER.info("stopped")


def _activated(
    stack: ExitStack, model: ModelFolder, progress: Progress, streams: Sequence[str], telemetry: Telemetry
) -> _Active:
    """Open every platform and read its active release; say so if the model folder has moved on."""
    found: _Active = []
    known: set[str] = set()
    for running, spec in stack.enter_context(model.open()):
        _first_time(model, running, spec)
        active = ActiveStreams(running, progress, only=streams or None, telemetry=telemetry)
        stack.callback(active.close)
        digest = active.version()
        if digest != model.release.digest and spec.follows is None:
            _LOGGER.warning(
                "the model folder has moved on from the active release %s of platform %s: run `datasurface apply`",
                digest[:12],
                running.name,
            )
        found.append((active, active.load()))
        known.update(job.stream for job in running.active().jobs)
    for stream in streams:
        if stream not in known:
            raise unknown_stream(stream, known)
    return found


def _first_time(model: ModelFolder, running: RunningPlatform, spec: PlatformSpec) -> None:
    """Apply the model if nothing is active and the only platform is embedded; keep an embedded platform's access.

    Raises:
        NothingActiveError: nothing is active on a platform that others may depend on.
        ConfigurationError: `check` finds errors in the model.
    """
    try:
        active = running.active()
    except NothingActiveError:
        if not model.only_embedded:
            raise
    else:
        keep_access(running, active)
        return
    release, report = compile_model(model.folder, model.release.environment)
    require_ok(report)
    keep_release(release, model.folder)
    plan = make_plan(running, spec, release.digest)
    apply_plan(running, spec, plan, release.model_json, tables=archive_of(release, spec))
    keep_access(running, spec)
    _LOGGER.info("nothing was active on the embedded platform: applied release %s", release.digest[:12])


def _require_schedule(found: _Active, streams: Sequence[str]) -> None:
    jobs = [job for _, work in found for job in work.jobs]
    if streams and all(
        isinstance(j.capture.every, External) and not isinstance(j.capture.every, Changed) for j in jobs
    ):
        raise ConfigurationError(
            f"{', '.join(streams)} runs only when something outside asks for it", hint="run it with --once"
        )


def _keeping(reports: list[BatchReport]) -> Callable[[BatchReport], None]:
    def keep(report: BatchReport) -> None:
        log_report(report)
        reports.append(report)

    return keep


def _discarded(work: Callable[[], object]) -> None:
    work()


def _prune(active: ActiveStreams, stop: threading.Event) -> None:
    """Keep the ledger short: at the start, and once an hour."""
    active.forget_old()
    while not stop.wait(_PRUNE_EVERY):
        active.forget_old()
