"""`datasurface plan`: what differs between the model and the running system."""

from __future__ import annotations

import os
from pathlib import Path

import click

from datasurface.cli.options import platform_option, release_option
from datasurface.cli.session import Session, json_option, model_options, print_json
from datasurface.govern.report import Report
from datasurface.runtime.folder import ModelFolder, checked_folder, checked_release
from datasurface.runtime.plan import Plan, make_plan

__all__ = ["checked", "command", "print_plan", "show_errors"]


@click.command("plan")
@click.option("--sql", "with_sql", is_flag=True, help="Print the statements of each operation too.")
@release_option
@platform_option
@json_option
@model_options
def command(*, session: Session, with_sql: bool, release: Path | None, platform_name: str | None, as_json: bool) -> int:
    r"""List what `apply` would do to make the running system as the model says; changes nothing.

    Exit code 0: nothing to do. 1: there is something to do, or `check` finds errors.

    \b
    --json prints one document with the keys
      release    the digest of the model as it is in its folder
      empty      whether there is nothing to do
      platforms  a list with, for each platform: platform, release, empty, operations, retired;
                 an operation has action, target, detail, statements, stream, rewrites_bytes,
                 refused, blocked, destructive
      findings   the errors of check; with any, platforms is empty
    """
    model, report = checked(session, release, platform_name)
    plans = [] if report.errors else _plans(model)
    empty = not report.errors and all(plan.empty for plan in plans)
    if as_json:
        print_json(
            {
                "release": model.release.digest,
                "empty": empty,
                "platforms": [plan.to_json() for plan in plans],
                "findings": [found.to_json() for found in report.errors],
            }
        )
    elif report.errors:
        show_errors(report)
    else:
        for plan in plans:
            print_plan(plan, with_sql=with_sql)
    return 0 if empty else 1


def checked(session: Session, release: Path | None, platform: str | None) -> tuple[ModelFolder, Report]:
    """Check and compile the model of the folder, or that of a release file."""
    if release is None:
        return checked_folder(session.folder, session.environment, os.environ, platform=platform)
    return checked_release(release, session.folder, session.environment, os.environ, platform=platform)


def _plans(model: ModelFolder) -> list[Plan]:
    with model.open() as opened:
        return [make_plan(running, spec, model.release.digest) for running, spec in opened]


def show_errors(report: Report) -> None:
    """Print the errors of `check` that stand in the way."""
    for found in report.errors:
        click.echo(found.to_text() + "\n", err=True)
    number = len(report.errors)
    click.secho(f"the model has {number} error{'s' if number > 1 else ''}: see `datasurface check`", fg="red", err=True)


def print_plan(plan: Plan, *, with_sql: bool = False) -> None:
    """Print one platform's plan."""
    if plan.empty:
        click.echo(f"platform {plan.platform}: nothing to do, release {plan.digest[:12]} is active")
    else:
        number = len(plan.operations)
        click.echo(f"platform {plan.platform}: {number} operation{'s' if number > 1 else ''}")
    for operation in plan.operations:
        click.secho(f"  {operation.sentence()}", fg="red" if operation.refused or operation.blocked else None)
        for statement in operation.statements if with_sql else ():
            click.echo("      " + statement.replace("\n", "\n      ") + ";")
    if plan.retired:
        click.echo("  retired, kept until `datasurface apply --prune`:")
        for operation in plan.retired:
            click.secho(f"    {operation.sentence()}", fg="yellow")
