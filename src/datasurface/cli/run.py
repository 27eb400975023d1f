"""`datasurface run`: execute the active release in this process."""

from __future__ import annotations

import os
from collections import Counter

import click

from datasurface.cli.logs import log_to_stderr
from datasurface.cli.options import platform_option
from datasurface.cli.session import Session, model_options
from datasurface.runtime.progress import progress_on_terminal
from datasurface.runtime.report import BatchReport, exit_code
from datasurface.runtime.stopping import Stopping

__all__ = ["command"]


@click.command("run")
@click.option("--once", is_flag=True, help="Run every stream once, due or not, inputs before dependents; then end.")
@click.option("--due", is_flag=True, help="With --once: only the streams that are due.")
@click.option("--stream", "streams", multiple=True, metavar="STREAM", help="Only this stream; may be given again.")
@platform_option
@model_options
def command(*, session: Session, once: bool, due: bool, streams: tuple[str, ...], platform_name: str | None) -> int:
    """Execute the active release in this process: follow the schedule until stopped, or with --once run and end.

    Progress bars on a terminal, one log line a batch otherwise. Streams with `every=External()` run with --once only.

    Exit code with --once: 0 all batches merged, 1 one failed, was parked, busy or has to wait. 2: nothing is active, or
    the merge database is out of reach. SIGTERM lets running batches end and exits with 0; SIGINT does so with 130, a
    second one ends at once.
    """
    if due and not once:
        raise click.UsageError("--due goes with --once")
    log_to_stderr()
    with Stopping() as stopping, progress_on_terminal() as progress:
        # The drivers take most of the start-up time to import; a signal meanwhile is to be heard.
        from datasurface.runtime.folder import read_folder  # noqa: PLC0415
        from datasurface.runtime.running import run_forever, run_once  # noqa: PLC0415

        model = read_folder(session.folder, session.environment, os.environ, platform=platform_name)
        if not once:
            run_forever(model, progress, stopping, streams=streams)
            return stopping.exit_code(0)
        reports = run_once(model, progress, stopping, streams=streams, due_only=due)
    click.echo("stopped before a batch began" if stopping.event.is_set() and not reports else _summary(reports))
    return stopping.exit_code(exit_code(reports))


def _summary(reports: list[BatchReport]) -> str:
    if not reports:
        return "no stream is due"
    states = Counter(report.state for report in reports)
    changed = sum(r.inserted + r.updated + r.deleted for r in reports)
    counted = ", ".join(f"{number} {state}" for state, number in sorted(states.items()))
    number = len(reports)
    return f"{number} stream{'' if number == 1 else 's'}: {counted}; {changed} rows changed"
