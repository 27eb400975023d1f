"""`datasurface run`: execute the active release in this process."""

from __future__ import annotations

import logging
import os
from collections import Counter
from typing import TYPE_CHECKING

import click

from datasurface.cli.logs import log_format_option, log_to_stderr
from datasurface.cli.options import platform_option
from datasurface.cli.session import Session, model_options
from datasurface.runtime.progress import progress_on_terminal
from datasurface.runtime.report import BatchReport, exit_code
from datasurface.runtime.stopping import Stopping

if TYPE_CHECKING:
    from datasurface.runtime.telemetry.prometheus import PrometheusExporter

__all__ = ["command"]


@click.command("run")
@click.option("--once", is_flag=True, help="Run every stream once, due or not, inputs before dependents; then end.")
@click.option("--due", is_flag=True, help="With --once: only the streams that are due.")
@click.option("--stream", "streams", multiple=True, metavar="STREAM", help="Only this stream; may be given again.")
@click.option(
    "--metrics-port", type=click.IntRange(0, 65535), help="Serve metrics for Prometheus at this port; 0 for a free one."
)
@click.option(
    "--metrics-address", default="127.0.0.1", show_default=True, help="With --metrics-port: where it listens."
)
@log_format_option
@platform_option
@model_options
def command(
    *,
    session: Session,
    once: bool,
    due: bool,
    streams: tuple[str, ...],
    metrics_port: int | None,
    metrics_address: str,
    log_format: str | None,
    platform_name: str | None,
) -> int:
    """Execute the active release in this process: follow the schedule until stopped, or with --once run and end.

    Progress bars on a terminal, one log line a batch otherwise. Streams with `every=External()` run with --once only.

    Exit code with --once: 0 all batches merged, 1 one failed, was parked, busy or has to wait. 2: nothing is active, or
    the merge database is out of reach. SIGTERM lets running batches end and exits with 0; SIGINT does so with 130, a
    second one ends at once.
    """
    if due and not once:
        raise click.UsageError("--due goes with --once")
    if once and metrics_port is not None:
        raise click.UsageError("--metrics-port goes without --once: `datasurface metrics` tells what batches came to")
    log_to_stderr(log_format)
    with Stopping() as stopping, progress_on_terminal() as progress:
        # The drivers take most of the start-up time to import; a signal meanwhile is to be heard.
        from datasurface.runtime.folder import read_folder  # noqa: PLC0415
        from datasurface.runtime.running import run_forever, run_once  # noqa: PLC0415
        from datasurface.runtime.telemetry.configure import open_telemetry  # noqa: PLC0415

        model = read_folder(session.folder, session.environment, os.environ, platform=platform_name)
        if not once:
            metrics = _served(metrics_address, metrics_port)
            more = {"prometheus": metrics} if metrics is not None else {}
            with open_telemetry(os.environ, short_lived=False, more=more) as telemetry:
                run_forever(model, progress, stopping, streams=streams, telemetry=telemetry, metrics=metrics)
            return stopping.exit_code(0)
        with open_telemetry(os.environ, short_lived=True) as telemetry:
            reports = run_once(model, progress, stopping, streams=streams, due_only=due, telemetry=telemetry)
    click.echo("stopped before a batch began" if stopping.event.is_set() and not reports else _summary(reports))
    return stopping.exit_code(exit_code(reports))


def _served(address: str, port: int | None) -> PrometheusExporter | None:
    """Serve metrics, if a port is given, and say where."""
    if port is None:
        return None
    from datasurface.runtime.telemetry.prometheus import PrometheusExporter  # noqa: PLC0415 - as above

    metrics = PrometheusExporter(process=True)
    logging.getLogger("datasurface").info("metrics at http://%s:%s/metrics", address, metrics.serve(address, port))
    return metrics


def _summary(reports: list[BatchReport]) -> str:
    if not reports:
        return "no stream is due"
    states = Counter(report.state for report in reports)
    changed = sum(r.inserted + r.updated + r.deleted for r in reports)
    counted = ", ".join(f"{number} {state}" for state, number in sorted(states.items()))
    number = len(reports)
    return f"{number} stream{'' if number == 1 else 's'}: {counted}; {changed} rows changed"
