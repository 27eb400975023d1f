"""`datasurface resnapshot`: read everything of a stream again."""

from __future__ import annotations

import os

import click

from datasurface.cli.logs import log_to_stderr
from datasurface.cli.options import platform_option
from datasurface.cli.session import Session, model_options
from datasurface.runtime.folder import read_folder
from datasurface.runtime.one_stream import open_stream, resnapshot
from datasurface.runtime.progress import progress_on_terminal
from datasurface.runtime.report import exit_code, log_line
from datasurface.runtime.telemetry.configure import open_telemetry

__all__ = ["command"]


@click.command("resnapshot")
@click.argument("stream")
@platform_option
@model_options
def command(*, session: Session, stream: str, platform_name: str | None) -> int:
    """Read everything of STREAM now and merge it, in place of a batch that waits or is parked; checks and guard hold.

    Exit code 1: the batch failed, was parked or has to wait, or another run holds the stream.
    """
    log_to_stderr()
    model = read_folder(session.folder, session.environment, os.environ, platform=platform_name)
    with (
        open_telemetry(os.environ, short_lived=True) as telemetry,
        open_stream(model, stream) as running,
        progress_on_terminal() as progress,
    ):
        report = resnapshot(running, stream, progress, telemetry=telemetry)
    click.echo(log_line(report))
    return exit_code([report])
