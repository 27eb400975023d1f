"""`datasurface deploy learn`: what the ledgers teach of durations and memory, as the file that `--learned` takes."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import click

from datasurface.cli.options import platform_option
from datasurface.cli.session import Session, model_options
from datasurface.deploy.steady import steadied
from datasurface.errors import StoreError
from datasurface.runtime.folder import read_folder

__all__ = ["learn"]


@click.command("learn")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="The file; standard output if none."
)
@click.option(
    "--batches", type=click.IntRange(1, 10_000), default=50, show_default=True, help="How far back, a stream."
)
@platform_option
@model_options
def learn(*, session: Session, output: Path | None, batches: int, platform_name: str | None) -> int:
    r"""Read from the ledgers of the running platforms how long batches take and how much memory they need.

    Keep the file beside the model and give it to the targets with --learned, so that what they generate changes only
    when the file does. Values are in coarse steps, and what the file says already stays while it is neither exceeded
    nor twice too much: it does not change by noise.

    Exit code 0: done. 2: a platform is out of reach, or nothing is active there.

    \b
    The file holds, by platform and stream
      batches  how many merged batches are behind it
      seconds  how long nine of ten of them took at most
      memory   the most that any of them had, in bytes; null if none was measured
    """
    from datasurface.store.learned import learned_of  # noqa: PLC0415 - loads the drivers

    model = read_folder(session.folder, session.environment, os.environ, platform=platform_name)
    found: dict[str, dict[str, Any]] = {}
    with model.open() as opened:
        for running, _ in opened:
            running.active_digest()
            with running.reading() as connection:
                known = learned_of(connection, running.schema, batches=batches)
            found[running.name] = {stream: experience.to_json() for stream, experience in known.items()}
    former = _former(output)
    steady = {name: steadied(new, former.get(name) or {}) for name, new in found.items()}
    text = json.dumps(steady, indent=2, sort_keys=True) + "\n"
    if output is None:
        click.echo(text, nl=False)
        return 0
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StoreError(f"cannot write {output}: {error.strerror}") from error
    click.echo(f"what {sum(map(len, found.values()))} streams need is in {output}")
    return 0


def _former(output: Path | None) -> dict[str, Any]:
    """Return what the file says already; nothing if there is none, or none that can be read."""
    try:
        document = json.loads(output.read_text(encoding="utf-8")) if output is not None else {}
    except (OSError, ValueError):
        return {}
    found = document.items() if isinstance(document, dict) else ()
    return {name: streams for name, streams in found if isinstance(streams, dict)}
