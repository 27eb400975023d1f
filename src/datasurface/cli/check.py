"""`datasurface check`: load the model, run every rule, print all findings."""

from __future__ import annotations

import gc

import click

from datasurface.cli.session import Session, json_option, model_options, print_json
from datasurface.govern.report import Report, Severity
from datasurface.release.system import with_system

__all__ = ["command"]

_COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}


@click.command("check")
@click.option("--strict", is_flag=True, help="Fail on warnings too.")
@json_option
@model_options
def command(session: Session, *, strict: bool, as_json: bool) -> int:
    """Find everything that is wrong with the model, and say what to do about it.

    Exit code 1: there is an error, or with --strict a warning.
    """
    from datasurface.databases.base import capability_map  # noqa: PLC0415 - other verbs start without the adapters
    from datasurface.govern.check import check  # noqa: PLC0415 - as above
    from datasurface.runtime.code_facts import code_facts  # noqa: PLC0415 - as above
    from datasurface.secrets.resolve import installed_stores  # noqa: PLC0415 - as above

    ecosystem = with_system(session.load())
    gc.freeze()  # the model stays until the end: walking a million objects in search of garbage costs a second
    stores = installed_stores()
    facts = code_facts(session.folder)
    report = check(ecosystem, capability_map(), environment=session.environment, secret_stores=stores, code=facts)
    passed = report.ok(strict=strict)
    if as_json:
        print_json({**report.to_json(), "ok": passed})
    else:
        _print(report)
    return 0 if passed else 1


def _print(report: Report) -> None:
    """Print the report, the first line of each finding in the colour of its severity if there is a terminal."""
    blocks = report.to_text().split("\n\n")
    for found, block in zip(report.findings, blocks, strict=False):
        head, _, rest = block.partition("\n")
        click.secho(head, fg=_COLOURS[found.severity])
        click.echo(rest + "\n")
    click.echo("\n\n".join(blocks[len(report.findings) :]))
