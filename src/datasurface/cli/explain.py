"""`datasurface explain`: why a stream exists, what it reads, and why it does not run now."""

from __future__ import annotations

import os

import click

from datasurface.cli.options import platform_option
from datasurface.cli.session import Session, json_option, model_options, print_json
from datasurface.runtime.explain import Explanation, explain
from datasurface.runtime.folder import read_folder

__all__ = ["command"]


@click.command("explain")
@click.argument("stream")
@platform_option
@json_option
@model_options
def command(*, session: Session, stream: str, platform_name: str | None, as_json: bool) -> int:
    r"""Say why STREAM exists, what it reads and when, and why it does not run at this moment.

    \b
    --json prints one document with the key explanations: a list with, for each platform that has
    the stream,
      platform, stream
      exists, reads, now  sentences
      status              as in `datasurface status --json`; null if it is not in the active release
    """
    model = read_folder(session.folder, session.environment, os.environ, platform=platform_name)
    found = explain(model, stream)
    if as_json:
        print_json({"explanations": [explanation.to_json() for explanation in found]})
        return 0
    for explanation in found:
        _print(explanation)
    return 0


def _print(found: Explanation) -> None:
    click.echo(f"stream {found.stream} on platform {found.platform}")
    for title, sentences in (("why it exists", found.exists), ("what it reads", found.reads), ("now", found.now)):
        click.secho(f"  {title}", bold=True)
        for sentence in sentences or ("nothing is known",):
            click.echo(f"    {sentence}")
