"""`datasurface reset`: give up the batch that a stream has open."""

from __future__ import annotations

import os

import click

from datasurface.cli.options import platform_option
from datasurface.cli.session import Session, model_options
from datasurface.runtime.folder import read_folder
from datasurface.runtime.one_stream import open_stream, reset

__all__ = ["command"]


@click.command("reset")
@click.argument("stream")
@platform_option
@model_options
def command(*, session: Session, stream: str, platform_name: str | None) -> int:
    """Give up the open, waiting or parked batch of STREAM; the next run reads anew. What consumers see stays.

    Exit code 1: another run holds the stream.
    """
    model = read_folder(session.folder, session.environment, os.environ, platform=platform_name)
    with open_stream(model, stream) as running:
        batch = reset(running, stream)
    if batch is None:
        click.echo(f"stream {stream} has no open batch: nothing to give up")
    else:
        click.echo(f"batch {batch.batch_id} of stream {stream}, which was {batch.state.value}, is given up")
    return 0
