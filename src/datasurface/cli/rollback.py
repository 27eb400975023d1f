"""`datasurface rollback`: back to a release that was active before, and the follower held back."""

from __future__ import annotations

import os
import sys

import click

from datasurface.cli.logs import log_to_stderr
from datasurface.cli.options import platform_option
from datasurface.cli.plan import print_plan
from datasurface.cli.session import Session, model_options
from datasurface.cli.tables import moment, print_table
from datasurface.engine.operation import Operation
from datasurface.errors import ApplyBlockedError
from datasurface.runtime.apply import this_user
from datasurface.runtime.folder import read_folder
from datasurface.runtime.platform import RunningPlatform
from datasurface.runtime.releases.rollback import Rollback, kept_releases, plan_rollback, roll_back

__all__ = ["command"]

_COLUMNS = ("platform", "release", "of", "active last", "by", "how")


@click.command("rollback")
@click.option("--to", metavar="RELEASE", help="A tag, or the first digits of a digest; the one before if not given.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask; needed without a terminal.")
@click.option("--list", "list_only", is_flag=True, help="Only list the releases that are kept.")
@platform_option
@model_options
def command(*, session: Session, to: str | None, yes: bool, list_only: bool, platform_name: str | None) -> int:
    """Make a release active that was active before; shows the plan and what stays as it is, and asks first.

    No data is taken back: rows that were merged stay, tables and columns that the earlier release does not have are put
    aside. A release that is followed by itself does not come back: only one that is newer than the one that is left, or
    whatever the rule selects after `datasurface release unpin`.

    Exit code 0: done. 1: something is refused or has to wait, and what was active still is.
    """
    if not yes and not list_only and not sys.stdin.isatty():
        raise click.UsageError("without a terminal nobody can be asked: give --yes")
    log_to_stderr()
    model = read_folder(session.folder, session.environment, os.environ, platform=platform_name)
    with model.open() as opened:
        if list_only:
            _list([running for running, _ in opened])
            return 0
        ways = [(running, plan_rollback(running, to)) for running, _ in opened]
        for _, way in ways:
            _show(way)
        for operation in [o for _, way in ways for o in way.plan.operations if o.refused]:
            raise ApplyBlockedError(f"{operation.target}: {operation.refused}", hint="nothing was changed")
        if not yes:
            click.confirm("roll back?", abort=True)
        waits = [_roll_back(running, way) for running, way in ways]
    return 1 if any(waits) else 0


def _list(platforms: list[RunningPlatform]) -> None:
    rows = []
    for running in platforms:
        for digest, activation, at in kept_releases(running):
            origin = activation.origin if activation else None
            of = origin.label if origin else ""
            rows.append(
                (running.name, digest[:12], of, moment(at), origin.who if origin else "", origin.how if origin else "")
            )
    print_table(_COLUMNS, rows)


def _show(way: Rollback) -> None:
    of = f" ({way.origin.label})" if way.origin.label else ""
    click.echo(f"platform {way.platform}: from release {way.left[:12]} back to {way.target.digest[:12]}{of}")
    print_plan(way.plan)
    if way.stays:
        click.echo("  going back does not undo:")
    for sentence in way.stays:
        click.secho(f"    {sentence}", fg="yellow")


def _roll_back(running: RunningPlatform, way: Rollback) -> bool:
    """Do it and say how it ended; return whether something has to wait."""
    applied = roll_back(running, way, who=this_user(), told=_tell)
    for operation, reason in applied.waiting:
        click.secho(f"  waits: {operation.action} {operation.target}: {reason}", fg="yellow", err=True)
    if applied.active:
        click.echo(f"platform {way.platform}: release {way.target.digest[:12]} is active; {way.left[:12]} is held back")
    else:
        click.secho(f"platform {way.platform}: {way.left[:12]} is still active", fg="yellow")
    return not applied.active


def _tell(operation: Operation) -> None:
    click.echo(f"  {operation.action} {operation.target}", err=True)
