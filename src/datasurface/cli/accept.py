"""`datasurface accept`: let a parked batch through."""

from __future__ import annotations

import os

import click

from datasurface.cli.logs import log_to_stderr
from datasurface.cli.options import platform_option
from datasurface.cli.session import Session, model_options
from datasurface.runtime.folder import read_folder
from datasurface.runtime.one_stream import accept, open_stream
from datasurface.runtime.report import exit_code, log_line
from datasurface.runtime.telemetry.configure import open_telemetry

__all__ = ["command"]


@click.command("accept")
@click.argument("stream")
@platform_option
@model_options
def command(*, session: Session, stream: str, platform_name: str | None) -> int:
    """Merge the batch of STREAM that a check or the guard has parked, as it was read.

    Exit code 1: it failed, or another run holds the stream. 2: nothing is parked.
    """
    log_to_stderr()
    model = read_folder(session.folder, session.environment, os.environ, platform=platform_name)
    with open_telemetry(os.environ, short_lived=True) as telemetry, open_stream(model, stream) as running:
        report = accept(running, stream, telemetry=telemetry)
    click.echo(log_line(report))
    return exit_code([report])
