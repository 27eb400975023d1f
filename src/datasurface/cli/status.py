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
      platform, container, release_wanted, release_active, activated_at, up_to_date
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
        return
    click.echo(f"  release {platform.active[:12]}, active since {moment(platform.activated_at)}")
    if platform.active != platform.wanted:
        click.secho(f"  the model folder has moved on ({platform.wanted[:12]}): see `datasurface plan`", fg="yellow")
    print_table(_COLUMNS, [_row(stream) for stream in platform.streams])
    for stream in platform.streams:
        _remark(stream)


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
