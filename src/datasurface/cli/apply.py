"""`datasurface apply`: make the running system as the model says, and its release the active one."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from datasurface.cli.logs import log_to_stderr
from datasurface.cli.options import platform_option, release_option
from datasurface.cli.plan import checked, print_plan, show_errors
from datasurface.cli.session import Session, model_options
from datasurface.engine.operation import Operation
from datasurface.errors import ApplyBlockedError
from datasurface.release.archive import archive_of
from datasurface.release.job import PlatformSpec
from datasurface.runtime.apply import Applied, apply_plan
from datasurface.runtime.compile_model import keep_release
from datasurface.runtime.folder import ModelFolder
from datasurface.runtime.plan import Plan, make_plan
from datasurface.runtime.platform import RunningPlatform
from datasurface.runtime.security import keep_access

__all__ = ["command"]

_Planned = tuple[RunningPlatform, PlatformSpec, Plan]


@click.command("apply")
@click.option("-y", "--yes", is_flag=True, help="Do not ask; needed without a terminal.")
@click.option("--prune", is_flag=True, help="Drop retired tables too: data that nobody in the model asks for.")
@release_option
@platform_option
@model_options
def command(*, session: Session, yes: bool, prune: bool, release: Path | None, platform_name: str | None) -> int:
    """Make the running system as the model says, and this release the active one; shows the plan and asks first.

    Exit code 0: done, or nothing to do. 1: `check` finds errors, or something is refused or has to wait, and what was
    active still is.
    """
    if not yes and not sys.stdin.isatty():
        raise click.UsageError("without a terminal nobody can be asked: give --yes")
    log_to_stderr()
    model, report = checked(session, release, platform_name)
    if report.errors:
        show_errors(report)
        return 1
    with model.open() as opened:
        planned = [(running, spec, make_plan(running, spec, model.release.digest)) for running, spec in opened]
        for _, _, plan in planned:
            print_plan(plan)
        todo = [p for p in planned if not p[2].empty or (prune and p[2].retired)]
        if not todo:
            for running, spec, _ in planned:
                keep_access(running, spec)
            return 0
        _refuse([plan for _, _, plan in todo])
        if not yes:
            click.confirm("apply this?", abort=True)
        kept = keep_release(model.release, model.folder) if release is None else release
        waits = _apply(model, todo, prune=prune)
    click.echo(f"release kept in {kept}")
    return 1 if waits else 0


def _refuse(plans: list[Plan]) -> None:
    """Raise if any platform would refuse, before any is changed."""
    for operation in [o for plan in plans for o in plan.operations if o.refused]:
        raise ApplyBlockedError(f"{operation.target}: {operation.refused}", hint="nothing was changed")


def _apply(model: ModelFolder, todo: list[_Planned], *, prune: bool) -> bool:
    """Apply the plans, and tell whether something has to wait."""
    waits = False
    for running, spec, plan in todo:
        tables = archive_of(model.release, spec)
        applied = apply_plan(running, spec, plan, model.release.model_json, tables=tables, prune=prune, told=_tell)
        _conclude(plan, applied)
        if spec.follows is not None:
            click.echo(
                f"  the environment follows {spec.follows.rule}: a newer release takes its place by itself", err=True
            )
        keep_access(running, spec)
        waits = waits or bool(applied.waiting)
    return waits


def _tell(operation: Operation) -> None:
    if not operation.blocked:
        click.echo(f"  {operation.action} {operation.target}", err=True)


def _conclude(plan: Plan, applied: Applied) -> None:
    for operation, reason in applied.waiting:
        click.secho(f"  waits: {operation.action} {operation.target}: {reason}", fg="yellow", err=True)
    number = len(applied.done)
    done = f"platform {plan.platform}: {number} operation{'' if number == 1 else 's'} done"
    if applied.active:
        click.echo(f"{done}, release {plan.digest[:12]} is active")
    else:
        click.secho(f"{done}, {len(applied.waiting)} waiting; the release is not active yet", fg="yellow")
        click.echo("  run `datasurface apply` again when nothing stands in the way", err=True)
