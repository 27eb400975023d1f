"""`datasurface metrics`: what the platforms' own tables say, for Prometheus; once, or served until stopped."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import click

from datasurface.cli.logs import log_format_option, log_to_stderr
from datasurface.cli.options import platform_option
from datasurface.cli.session import Session, model_options
from datasurface.release.job import PlatformSpec
from datasurface.release.platform_file import read_platform_file
from datasurface.runtime.folder import read_folder
from datasurface.runtime.platform import open_platform
from datasurface.runtime.stopping import Stopping
from datasurface.runtime.telemetry.prometheus import PlatformSource, PrometheusExporter
from datasurface.runtime.telemetry.state import PlatformReader

__all__ = ["command"]


@click.command("metrics")
@click.option(
    "--platform-file",
    "files",
    type=click.Path(path_type=Path),
    multiple=True,
    help="A platform, as `deploy` writes it, instead of those of the model folder; may be given again.",
)
@click.option("--port", type=click.IntRange(0, 65535), help="Serve them at this port until stopped; 0 for a free one.")
@click.option("--address", default="127.0.0.1", show_default=True, help="With --port: where to listen.")
@log_format_option
@platform_option
@model_options
def command(
    *,
    session: Session,
    files: tuple[Path, ...],
    port: int | None,
    address: str,
    log_format: str | None,
    platform_name: str | None,
) -> int:
    """Print metrics in Prometheus' text format, or serve them: what all batches came to, whichever process ran them.

    They are read from the merge databases, so nothing has to be pushed by jobs that end, and nothing is lost with them.
    Nothing is written. A merge database that is out of reach is a metric, datasurface_platform_up, when they are
    served.
    """
    log_to_stderr(log_format)
    specs = _specs(session, files, platform_name)
    exporter = PrometheusExporter(process=False)
    with Stopping() as stopping, _opened(session, specs, exporter):
        if port is None:
            click.echo(exporter.text(), nl=False)
            return 0
        found = exporter.serve(address, port)
        click.echo(f"metrics at http://{address}:{found}/metrics", err=True)
        stopping.run([partial(_until, stopping.event)])
    return stopping.exit_code(0)


def _until(stopped: threading.Event) -> None:
    stopped.wait()


def _specs(session: Session, files: tuple[Path, ...], platform: str | None) -> list[PlatformSpec]:
    if files:
        return [spec for spec in map(read_platform_file, files) if platform in (None, spec.name)]
    return [*read_folder(session.folder, session.environment, os.environ, platform=platform).platforms]


@contextmanager
def _opened(session: Session, specs: list[PlatformSpec], exporter: PrometheusExporter) -> Iterator[None]:
    """Open the platforms, and let go of them and of the port at the end."""
    with ExitStack() as stack:
        for spec in specs:
            running = stack.enter_context(open_platform(spec, session.folder, os.environ))
            exporter.add(PlatformSource(reader=PlatformReader(running)))
        stack.callback(exporter.close)
        yield
