"""`datasurface audit`: prove that what consumers see equals the source."""

from __future__ import annotations

import os

import click

from datasurface.cli.session import Session, json_option, model_options, print_json
from datasurface.engine.audit import DatasetAudit
from datasurface.secrets.masking import masked

__all__ = ["command"]


@click.command("audit")
@click.argument("stream", required=False)
@json_option
@model_options
def command(session: Session, stream: str | None, *, as_json: bool) -> int:
    """Prove that consumers' current rows equal the source: all streams, or one.

    Exit code 1 if a row is wrong, or a stream is busy or its source cannot be read. Rows that the source has changed
    since the last batch are counted, not wrong. Of all streams, those that have nothing merged yet are listed; to name
    one is an error.
    """
    from datasurface.runtime.audit import audit_model  # noqa: PLC0415 - loads the drivers

    found = audit_model(session.folder, session.environment, stream, os.environ)
    if as_json:
        print_json(found.to_json())
    else:
        for result in found.datasets:
            _show(result)
        for name in found.not_merged:
            click.echo(f"{name}: nothing merged yet")
        for name in found.derived if stream is None else ():
            click.echo(f"{name}: derived by a transformer, no source to compare with")
        for name in found.busy:
            click.secho(f"{name}: busy, not audited: a run holds it", fg="yellow")
        for name, error in sorted(found.failed.items()):
            click.secho(f"{name}: not audited: {masked(str(error))}", fg="red")
    return 0 if found.ok else 1


def _show(result: DatasetAudit) -> None:
    verdict = f"equal through batch {result.verified_through}" if result.ok else f"{result.wrong} keys WRONG"
    if result.ok and result.undecided:
        verdict = "not proved"
    since = f", {result.changed_since} keys changed at the source since" if result.changed_since else ""
    if result.undecided:
        since += (
            f", {result.undecided} keys differ, and the source cannot tell whether it changed them: run, audit again"
        )
    click.secho(
        f"{result.stream} {result.dataset}: {verdict}, {result.rows} rows{since}", fg=None if result.ok else "red"
    )
    for example in result.examples:
        click.echo(f"  {example}")
