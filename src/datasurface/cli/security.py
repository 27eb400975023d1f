"""`datasurface security`: the roles, grants and passwords that the model implies, in the platforms' databases."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import timedelta

import click

from datasurface.cli.logs import log_to_stderr
from datasurface.cli.options import platform_option
from datasurface.cli.plan import show_errors
from datasurface.cli.session import Session, json_option, model_options, print_json
from datasurface.cli.tables import print_table
from datasurface.errors import ConfigurationError
from datasurface.govern.report import Report
from datasurface.runtime.folder import ModelFolder, checked_folder
from datasurface.runtime.security import open_access
from datasurface.security.access import Access
from datasurface.security.change import Change
from datasurface.security.rotate import Rotated, rotate
from datasurface.security.sync import SecurityPlan, Synced, plan, sync

__all__ = ["command"]

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AGE = re.compile(r"\s*(\d{1,6})\s*([smhdw])(?:[a-z]*)\s*\Z")


@click.group("security")
def command() -> None:
    """Keep roles, grants and passwords in the platforms' databases as the model says.

    On an embedded platform `apply` and `run` do it by themselves. Elsewhere `sync` does, as the login that the
    platform's credential names: it needs CREATEROLE and CREATE on the database, and no superuser.
    """


@command.command("plan")
@click.option("--sql", "with_sql", is_flag=True, help="Print the statements of each change too.")
@platform_option
@json_option
@model_options
def plan_command(*, session: Session, with_sql: bool, platform_name: str | None, as_json: bool) -> int:
    r"""List what `sync` would change; changes nothing.

    Exit code 0: nothing to do. 1: there is something to do, or `check` finds errors.

    \b
    --json, here and for drift, prints one document with the keys
      release    the digest of the model as it is in its folder
      empty      whether there is nothing to do
      platforms  a list with, for each platform: platform, empty, changes; a change has action,
                 target, detail, statements, unsafe (why somebody has to agree, or null), blocked
                 (why it cannot be made, or null), advice (whether it is about what others share)
      findings   the errors of check; with any, platforms is empty
    """
    return _compare(session, platform_name, as_json=as_json, with_sql=with_sql, only_drift=False)


@command.command("drift")
@platform_option
@json_option
@model_options
def drift_command(*, session: Session, platform_name: str | None, as_json: bool) -> int:
    """Tell whether somebody has changed roles or grants behind the model's back; changes nothing.

    What is not DataSurface's own, such as what PUBLIC may do in a database that others use too, is no drift. Exit code
    0: none. 1: there is some, or `check` finds errors.
    """
    return _compare(session, platform_name, as_json=as_json, with_sql=False, only_drift=True)


@command.command("sync")
@click.option("--unsafe", is_flag=True, help="Make the changes too that the plan marks as unsafe.")
@platform_option
@json_option
@model_options
def sync_command(*, session: Session, unsafe: bool, platform_name: str | None, as_json: bool) -> int:
    r"""Make roles, grants and logins as the model says; each change leaves a line in the table access_changes.

    It may be interrupted and run again at any time. Exit code 0: all is as the model says. 1: something has to wait or
    is unsafe, or `check` finds errors.

    \b
    --json prints one document with the keys
      release    the digest of the model as it is in its folder
      complete   whether all is as the model says
      platforms  a list with, for each platform: platform, complete, done, waiting, unsafe: lists of
                 changes as plan has them; those that wait also have a reason
      findings   the errors of check; with any, platforms is empty
    """
    log_to_stderr()
    model, report = checked_folder(session.folder, session.environment, os.environ, platform=platform_name)
    found: dict[str, Synced] = {}
    for name, access in _opened(model, report):
        found[name] = sync(access, unsafe=unsafe)
    complete = not report.errors and all(synced.complete for synced in found.values())
    if as_json:
        print_json(
            {
                "release": model.release.digest,
                "complete": complete,
                "platforms": [_synced_json(name, synced) for name, synced in found.items()],
                "findings": [finding.to_json() for finding in report.errors],
            }
        )
    elif report.errors:
        show_errors(report)
    else:
        for name, synced in found.items():
            _print_synced(name, synced)
    return 0 if complete else 1


@command.command("rotate")
@click.argument("logins", nargs=-1, metavar="[LOGIN]...")
@click.option("--older-than", metavar="AGE", help="Only those whose password is older, such as 30d or 12h.")
@click.option("--now", is_flag=True, help="End the former logins and their sessions at once, as after a theft.")
@platform_option
@json_option
@model_options
def rotate_command(
    *,
    session: Session,
    logins: tuple[str, ...],
    older_than: str | None,
    now: bool,
    platform_name: str | None,
    as_json: bool,
) -> int:
    r"""Give logins new passwords, all or those of the credentials LOGIN, such as yellow.transformer.reports.

    Each role has two logins. The idle one gets a new password, proves it and takes over; the former one goes on working
    for an hour, so that running jobs are not interrupted, and is disabled by the next sync after that.

    \b
    --json prints one document with the key logins: a list with, for each, credential, login (the
    one in use now), former, ended_sessions, reason (why nothing was done, or null)
    """
    log_to_stderr()
    age = timedelta(0) if older_than is None else _age(older_than)
    model, report = checked_folder(session.folder, session.environment, os.environ, platform=platform_name)
    if report.errors:
        show_errors(report)
        return 1
    done: list[Rotated] = []
    _require_known(model, logins)
    for name, access in _opened(model, report):
        mine = [login for login in logins if login.startswith(f"{name}.")]
        if mine or not logins:
            done += rotate(access, credentials=mine, older_than=age, now=now)
    if as_json:
        print_json({"logins": [one.to_json() for one in done]})
    else:
        _print_rotated(done)
    return 0


def _opened(model: ModelFolder, report: Report) -> Iterator[tuple[str, Access]]:
    """Yield each platform's access, opened; none if `check` finds errors."""
    if report.errors:
        return
    for spec in model.platforms:
        with model.open_one(spec) as running, open_access(running, spec, model.release.digest) as access:
            yield spec.name, access


def _compare(session: Session, platform: str | None, *, as_json: bool, with_sql: bool, only_drift: bool) -> int:
    model, report = checked_folder(session.folder, session.environment, os.environ, platform=platform)
    found = {name: _chosen(plan(access), only_drift=only_drift) for name, access in _opened(model, report)}
    empty = not report.errors and not any(found.values())
    if as_json:
        print_json(
            {
                "release": model.release.digest,
                "empty": empty,
                "platforms": [
                    {"platform": name, "empty": not changes, "changes": [change.to_json() for change in changes]}
                    for name, changes in found.items()
                ],
                "findings": [finding.to_json() for finding in report.errors],
            }
        )
    elif report.errors:
        show_errors(report)
    else:
        for name, changes in found.items():
            _print_changes(name, changes, with_sql=with_sql)
    return 0 if empty else 1


def _chosen(found: SecurityPlan, *, only_drift: bool) -> tuple[Change, ...]:
    return found.drift if only_drift else found.changes


def _print_changes(platform: str, changes: tuple[Change, ...], *, with_sql: bool) -> None:
    if not changes:
        click.echo(f"platform {platform}: roles and grants are as the model says")
        return
    click.echo(f"platform {platform}: {_counted(len(changes), 'change')}")
    for change in changes:
        click.secho(f"  {change.sentence()}", fg="red" if change.blocked else "yellow" if change.unsafe else None)
        for statement in change.statements if with_sql else ():
            click.echo(f"      {statement};")


def _print_synced(platform: str, synced: Synced) -> None:
    for change in synced.done:
        click.echo(f"  {change.sentence()}", err=True)
    for change, reason in synced.waiting:
        click.secho(f"  waits: {change.action} {change.target}: {reason}", fg="yellow", err=True)
    for change in synced.unsafe:
        click.secho(f"  not done without --unsafe: {change.sentence()}", fg="yellow", err=True)
    state = "as the model says" if synced.complete else "not yet as the model says"
    click.echo(f"platform {platform}: {_counted(len(synced.done), 'change')} made, roles and grants are {state}")


def _synced_json(platform: str, synced: Synced) -> dict[str, object]:
    return {
        "platform": platform,
        "complete": synced.complete,
        "done": [change.to_json() for change in synced.done],
        "waiting": [{**change.to_json(), "reason": reason} for change, reason in synced.waiting],
        "unsafe": [change.to_json() for change in synced.unsafe],
    }


def _print_rotated(done: list[Rotated]) -> None:
    rows = [(one.credential, one.login or "", one.reason or f"instead of {one.former or 'none'}") for one in done]
    print_table(("credential", "login", ""), rows)


def _require_known(model: ModelFolder, logins: tuple[str, ...]) -> None:
    names = [spec.name for spec in model.platforms]
    for login in logins:
        if login.partition(".")[0] not in names:
            raise ConfigurationError(
                f"there is no login {login!r}",
                hint=f"a login is named such as {names[0]}.run; the platforms are {', '.join(names)}",
            )


def _age(text: str) -> timedelta:
    found = _AGE.match(text)
    if found is None:
        raise click.BadParameter(f"{text!r} is no age: write 30d, 12h or 45m", param_hint="--older-than")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
