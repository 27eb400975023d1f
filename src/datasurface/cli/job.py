"""`datasurface job`: what schedulers and pods run. It knows no model folder, only a platform file."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click

from datasurface.cli.logs import log_format_option, log_to_stderr
from datasurface.cli.output import keep_for_document, write_document
from datasurface.cli.session import Session, model_options
from datasurface.errors import DataSurfaceError
from datasurface.release.job import PlatformSpec
from datasurface.release.needs import SystemJob
from datasurface.release.platform_file import read_platform_file
from datasurface.runtime.progress import progress_on_terminal
from datasurface.runtime.report import BatchReport
from datasurface.runtime.stopping import Stopping
from datasurface.runtime.verdict import Verdict, verdict_of, verdict_of_error, worst
from datasurface.secrets.masking import masked

__all__ = ["command"]

_KINDS = ("apply", "security", "retention", "audit")
_INTERRUPTED = 130


@dataclass(frozen=True, slots=True, kw_only=True)
class _Result:
    """How it ended, and what is told of it."""

    verdict: Verdict
    error: str = ""
    told: Mapping[str, object] = field(default_factory=dict)


@click.command("job")
@click.argument("streams", nargs=-1, metavar="[STREAM]...")
@click.option(
    "--platform-file",
    "path",
    type=click.Path(path_type=Path),
    required=True,
    help="The platform: where its merge database is, and which secret stores to ask.",
)
@click.option("--system", type=click.Choice(_KINDS), help="Do a job of the system instead of streams.")
@click.option(
    "--idle-exit",
    type=click.IntRange(0, 255),
    default=int(Verdict.NOTHING),
    show_default=True,
    help="The exit code where nothing was to be done; 0 for schedulers that take any other for a failure.",
)
@log_format_option
@model_options
def command(
    *,
    session: Session,
    streams: tuple[str, ...],
    path: Path,
    system: str | None,
    idle_exit: int,
    log_format: str | None,
) -> int:
    r"""Run one batch of each STREAM of a platform, as the active release has it; for schedulers and pods.

    No model is loaded: -m is only the folder where relative paths and modules are found. Several streams share this
    process and its connections; one that fails does not stop the others. Killed at any moment it leaves nothing to
    repair; SIGTERM lets the batch that runs end, and begins no other.

    With --system it does one of the system's jobs instead: `apply` brings the release that the environment's rule
    selects, as `datasurface release follow --once` does; `security` brings access up to date; `retention` forgets what
    is over its time; `audit` audits all streams.

    \b
    Exit codes; of several streams the worst: 1, then 75, then 0, then 99
      0   something changed, or a first load was merged; an audit found no row wrong; a release became
          active
      1   failed, and stays so until somebody does something: a wrong row, a missing table or secret,
          code that fails, a parked batch, a release that is pending
      2   called wrongly, or the platform file cannot be read
      75  failed, and may pass by itself: try again. A database out of reach, a stream that another
          run holds, a release that is not active yet, a stop before the batch began
      99  nothing to do, or nothing changed

    \b
    The last line on standard output, and the only one, is a JSON document with the keys
      platform, environment, exit, seconds, error
      streams  a list with, for each stream: stream, state, exit, batch, rows_read, inserted,
               updated, deleted, seconds, changed, error
      system   with --system: which job; and result, what it did or found
    """
    if bool(streams) == bool(system):
        raise click.UsageError("name streams, or a job of the system with --system")
    if not all(stream.strip() for stream in streams):
        raise click.UsageError("a stream without a name: an empty variable in the command?")
    platform = read_platform_file(path)
    keep_for_document()
    log_to_stderr(log_format)
    began = time.monotonic()
    with Stopping() as stopping:
        result = _perform(platform, streams, system, session.folder, stopping)
    code = _code(result.verdict, stopping, idle_exit)
    told = {
        "platform": platform.name,
        "environment": platform.environment,
        "exit": code,
        "seconds": round(time.monotonic() - began, 3),
        "error": masked(result.error) or None,
        **result.told,
    }
    write_document(json.dumps(told, sort_keys=True, ensure_ascii=False, default=str))
    return code


def _perform(
    platform: PlatformSpec, streams: Sequence[str], system: str | None, folder: Path, stopping: Stopping
) -> _Result:
    """Do the work in a thread of its own, so that signals are heard meanwhile."""
    results: list[_Result] = []

    def work() -> None:
        # The drivers take most of the start-up time to import.
        if system is not None:
            results.append(_system(SystemJob(system), platform, folder))
        else:
            results.append(_streams(platform, streams, folder, stopping))

    try:
        stopping.run([work])
    except DataSurfaceError as error:
        hint = f" ({error.hint})" if error.hint else ""
        return _Result(verdict=verdict_of_error(error), error=f"{error.code} {error.message}{hint}")
    return results[0]


def _streams(platform: PlatformSpec, streams: Sequence[str], folder: Path, stopping: Stopping) -> _Result:
    from datasurface.runtime.task import run_streams  # noqa: PLC0415 - loads the drivers
    from datasurface.runtime.telemetry.configure import open_telemetry  # noqa: PLC0415 - as above

    with progress_on_terminal() as progress, open_telemetry(os.environ, short_lived=True) as telemetry:
        reports = run_streams(
            platform, streams, folder, os.environ, progress=progress, stop=stopping.event, telemetry=telemetry
        )
    verdict = worst(verdict_of(report) for report in reports)
    return _Result(verdict=verdict, told={"streams": [_told(report) for report in reports]})


def _system(kind: SystemJob, platform: PlatformSpec, folder: Path) -> _Result:
    from datasurface.runtime.system_jobs import run_system  # noqa: PLC0415 - loads the drivers

    done = run_system(kind, platform, folder, os.environ)
    return _Result(verdict=done.verdict, error=done.error, told={"system": kind.value, "result": done.told})


def _told(report: BatchReport) -> dict[str, object]:
    return {
        "stream": report.stream,
        "state": report.state,
        "exit": int(verdict_of(report)),
        "batch": report.batch_id,
        "rows_read": report.rows_read,
        "inserted": report.inserted,
        "updated": report.updated,
        "deleted": report.deleted,
        "seconds": round(report.seconds, 3),
        "changed": report.changed,
        "error": report.error or None,
    }


def _code(verdict: Verdict, stopping: Stopping, idle_exit: int) -> int:
    if stopping.interrupted:
        return _INTERRUPTED
    return idle_exit if verdict is Verdict.NOTHING else int(verdict)
