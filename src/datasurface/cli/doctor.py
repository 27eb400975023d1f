"""`datasurface doctor`: whether jobs could run from here, and what to do where they could not."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from pathlib import Path

import click

from datasurface.cli.options import platform_option
from datasurface.cli.session import Session, json_option, model_options, print_json
from datasurface.cli.tables import print_table
from datasurface.runtime.doctor import Verdict, examine, examine_pod

__all__ = ["command"]


@click.command("doctor")
@click.option(
    "--platform-file",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Examine from where a job runs, such as in its pod: by its platform file, without a model.",
)
@click.option("--stream", "streams", multiple=True, help="With --platform-file: also what a batch of it would meet.")
@platform_option
@json_option
@model_options
def command(
    *, session: Session, path: Path | None, streams: tuple[str, ...], platform_name: str | None, as_json: bool
) -> int:
    r"""Examine this machine, every container and every secret of the model from where jobs would run.

    With --platform-file it needs no model: it is run where a job runs, such as in a pod. It ends within a minute or
    two, whatever does not answer.

    Exit code 1: something fails.

    \b
    --json prints one document with the keys
      ok      whether nothing fails
      checks  a list with, for each thing: subject, verdict (pass, warn or fail), detail, remedy
    """
    if path is not None:
        found = list(examine_pod(path, streams, os.environ, session.folder, Path(tempfile.gettempdir())))
    elif streams:
        raise click.UsageError("--stream goes with --platform-file")
    else:
        found = list(examine(session.folder, session.environment, os.environ, platform=platform_name))
    ok = all(check.verdict is not Verdict.FAIL for check in found)
    if as_json:
        print_json({"ok": ok, "checks": [check.to_json() for check in found]})
    else:
        print_table(("subject", "", "found", "remedy"), [(c.subject, c.verdict, c.detail, c.remedy) for c in found])
        counts = Counter(check.verdict for check in found)
        click.echo(", ".join(f"{counts[verdict]} {verdict.value}" for verdict in Verdict))
    return 0 if ok else 1
