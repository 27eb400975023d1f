"""`datasurface status`: what runs, and how far behind it is."""

from __future__ import annotations

import os

import click

from datasurface.cli.options import platform_option
from datasurface.cli.session import Session, json_option, model_options, print_json
from datasurface.cli.tables import age, moment, print_table
from datasurface.runtime.folder import read_folder
from datasurface.runtime.status import PlatformStatus, StreamStatus, platform_status

__all__ = ["command"]

_COLUMNS = ("stream", "state", "batch", "rows", "started", "behind", "every", "next due")


@click.command("status")
@platform_option
@json_option
@model_options
def command(*, session: Session, platform_name: str | None, as_json: bool) -> int:
    r"""Show every stream of the active release: its last batch, what is wrong with it, how far behind it is.

    "behind" is the age of what consumers see, by the source's clock.

    \b
    --json prints one document with the key platforms: a list with, for each platform,
      platform, container, release_wanted (what the environment's rule selected at the last look;
                without a rule that of the model folder), release_model (that of the model folder),
                release_active, activated_at, up_to_date
      release   rule, store, looked_at, look_error, wanted_ref, wanted_commit, wanted_since, active_ref,
                active_commit, activated_by, activated_how; pending: null, or digest, ref, reason, since,
                tried_at, tries; pin: null, or at, who, left, left_ref, to
      embedded  its embedded server: container, databases, folder, state, host, port, pid, version
      streams   a list with, for each stream: stream, state, batch, started_at, finished_at, read_at,
                rows, rows_read, inserted, updated, deleted, every, next_due, behind_seconds,
                overdue_seconds, owner, owner_silent_seconds, error, and failing_checks: a list of
                the checks that what consumers see does not pass: batch, dataset, check, kind,
                on_failure, ok, failing_rows, detail
    A state is running, never, merged, idle, parked, failed, abandoned, waiting or interrupted.
    """
    model = read_folder(session.folder, session.environment, os.environ, platform=platform_name)
    found = platform_status(model)
    if as_json:
        print_json({"platforms": [platform.to_json() for platform in found]})
        return 0
    for platform in found:
        _print(platform)
    return 0


def _print(platform: PlatformStatus) -> None:
    click.echo(f"platform {platform.platform} on {platform.container}")
    if platform.embedded:
        server = platform.embedded
        where = f"port {server.server.port}, process {server.server.pid}, " if server.server else ""
        click.echo(f"  embedded server: {server.state}, {where}{server.folder}")
    if platform.active is None:
        click.secho("  nothing is active: run `datasurface apply`", fg="yellow")
    else:
        click.echo(f"  {_active(platform)}")
    _tell_standing(platform)
    if platform.active is None:
        return
    print_table(_COLUMNS, [_row(stream) for stream in platform.streams])
    for stream in platform.streams:
        _remark(stream)


def _active(platform: PlatformStatus) -> str:
    activation = platform.standing.known.activation
    of = f" ({activation.origin.label})" if activation and activation.origin.label else ""
    by = f" by {activation.origin.who}, {activation.origin.how}" if activation else ""
    return f"release {(platform.active or '')[:12]}{of}, active since {moment(platform.activated_at)}{by}"


def _tell_standing(platform: PlatformStatus) -> None:
    """Say which release is wanted, and why it is not the active one."""
    standing, following = platform.standing, platform.standing.known.following
    if standing.rule is None:
        if platform.active is not None and platform.active != standing.model:
            moved = f"the model folder has moved on ({(standing.model or '')[:12]}): see `datasurface plan`"
            click.secho(f"  {moved}", fg="yellow")
        return
    seen = following.seen
    when = f"last look {moment(seen.at)}" if seen else "never looked: run `datasurface release follow`"
    click.echo(f"  follows {standing.rule} in {standing.store}, {when}")
    if seen and seen.error:
        click.secho(f"  the release store is out of reach: {seen.error}", fg="yellow")
    if seen and seen.ref and seen.digest != platform.active:
        release = f"release {seen.digest[:12]}" if seen.digest else "which release that is could not be told"
        click.echo(f"  wanted: {seen.ref} ({release}) since {moment(seen.since)}")
    elif seen and not seen.ref and not seen.error:
        click.secho("  wanted: the rule selects nothing", fg="yellow")
    if following.pending:
        pending = following.pending
        times = f"{pending.tries} tr{'y' if pending.tries == 1 else 'ies'} since {moment(pending.since)}"
        click.secho(f"  pending: {pending.ref}, {times}: {pending.reason}", fg="yellow")
    if following.pin:
        pin = following.pin
        click.secho(f"  pinned since {moment(pin.at)} by {pin.who}: {pin.left[:12]} does not come back", fg="yellow")


def _row(status: StreamStatus) -> tuple[object, ...]:
    facts = status.facts
    due = f"overdue {age(status.overdue)}" if status.overdue >= 1 else moment(status.next_due)
    return (
        facts.stream,
        facts.state,
        facts.last.batch_id if facts.last else None,
        facts.rows,
        moment(facts.last.started_at) if facts.last else "",
        age(status.behind),
        status.every,
        due,
    )


def _remark(status: StreamStatus) -> None:
    facts = status.facts
    if facts.owner:
        silent = f", silent for {age(facts.silent)}" if facts.stale else ""
        click.echo(f"{facts.stream}: held by {facts.owner} since {moment(facts.held_since)}{silent}")
    if facts.last and facts.last.error and facts.state in {"parked", "failed", "waiting"}:
        click.secho(f"{facts.stream}: {facts.state}: {facts.last.error}", fg="yellow")
    for result in facts.failing:
        click.secho(f"{facts.stream}: batch {result.batch_id} was published although {result.sentence()}", fg="yellow")
