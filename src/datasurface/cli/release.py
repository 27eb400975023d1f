"""`datasurface release`: publishing releases, listing them, following them, and letting the rule count again."""

from __future__ import annotations

import logging
import os

import click

from datasurface.cli.logs import log_to_stderr
from datasurface.cli.options import platform_option
from datasurface.cli.plan import show_errors
from datasurface.cli.session import Session, json_option, model_options, print_json
from datasurface.cli.tables import moment, print_table
from datasurface.errors import StoreError, TransientError
from datasurface.runtime.apply import this_user
from datasurface.runtime.folder import ModelFolder, read_folder
from datasurface.runtime.releases.follow import Followed, follow_once
from datasurface.runtime.releases.listing import Listed, list_releases
from datasurface.runtime.releases.publish import Outcome, publish
from datasurface.runtime.releases.rollback import unpin
from datasurface.runtime.stopping import Stopping

__all__ = ["command"]

_COLUMNS = ("release", "commit", "published", "by", "digest", "note")


@click.group("release")
def command() -> None:
    """Publish releases, see which there are, and let them reach a running system by themselves."""


@command.command("publish")
@click.option("--ref", metavar="REF", help="The tag, or branch:NAME, that it is of; without it git is asked.")
@click.option("--to", "store", metavar="STORE", help="A folder or s3://bucket/prefix, not the environment's store.")
@json_option
@model_options
def publish_command(*, session: Session, ref: str | None, store: str | None, as_json: bool) -> int:
    r"""Check the model, and put its release into the environment's release store under its tag or commit.

    Again it does nothing. Another release is never put under a tag that was published; what is damaged of the same one
    is repaired.

    Exit code 0: it is there. 1: `check` finds errors. 2: the store refuses, or it is of no tag or branch.

    \b
    --json prints one document with the keys
      store      where to, in words
      written    whether it was not there, or not whole
      selected   whether the environment's rule takes it; null without a rule
      release    null if check finds errors; else ref_kind, ref, commit, committed_at, digest, ecosystem,
                 environment, format, sha256, bytes, published_at, published_by, datasurface
      findings   the errors of check
    """
    done = publish(session.folder, session.environment, os.environ, ref=ref, store=store)
    if as_json:
        print_json(
            {
                "store": done.store or None,
                "written": done.written,
                "selected": done.selected,
                "release": done.published.to_json() if done.published else None,
                "findings": [found.to_json() for found in done.report.errors],
            }
        )
    elif done.published is None:
        show_errors(done.report)
    else:
        _tell_published(done)
    return 1 if done.published is None else 0


def _tell_published(done: Outcome) -> None:
    if done.published is None:
        return
    verb = "published" if done.written else "is there already:"
    click.echo(f"{verb} {done.published.label} as release {done.published.digest[:12]} in {done.store}")
    if done.selected is False:
        click.secho("  the environment's rule does not take it: nothing follows it by itself", fg="yellow", err=True)


@command.command("list")
@click.option("--from", "store", metavar="STORE", help="A folder, s3://bucket/prefix or git+https://…")
@click.option("--limit", default=50, show_default=True, metavar="NUMBER", help="How many to list at most.")
@json_option
@model_options
def list_command(*, session: Session, store: str | None, limit: int, as_json: bool) -> int:
    r"""List the releases in the environment's release store, those that its rule takes marked.

    \b
    --json prints one document with the keys
      store      the store in words
      rule       the environment's rule, or null
      number     how many releases there are
      releases   a list with, for each, the newest first: key, kind, ref, commit, committed_at, matches
                 (the rule), selected (by the rule now), error (why its description cannot be read), and
                 release: as `release publish --json` prints it; null for one of a repository that is
                 followed directly, which is built only then
    """
    model = read_folder(session.folder, session.environment, os.environ)
    found = list_releases(model, os.environ, store=store, limit=limit)
    if as_json:
        print_json(
            {
                "store": found.store,
                "rule": str(found.rule) if found.rule else None,
                "number": found.number,
                "releases": [listed.to_json() for listed in found.releases],
            }
        )
        return 0
    rule = f", rule {found.rule}" if found.rule else ""
    click.echo(f"{found.number} release{'' if found.number == 1 else 's'} in {found.store}{rule}")
    print_table(_COLUMNS, [_row(listed) for listed in found.releases])
    return 0


def _row(listed: Listed) -> tuple[object, ...]:
    candidate, published = listed.candidate, listed.published
    note = listed.error or ("selected" if listed.selected else "" if listed.matches is not False else "not by the rule")
    return (
        f"{candidate.kind} {candidate.name}",
        (published.commit if published else candidate.commit)[:12],
        moment(published.published_at if published else candidate.committed_at),
        published.published_by if published else "",
        published.digest[:12] if published else "",
        note,
    )


@command.command("follow")
@click.option("--once", is_flag=True, help="Look once and end, as a scheduled job does.")
@click.option("--every", default=60.0, show_default=True, metavar="SECONDS", help="How long to wait between looks.")
@platform_option
@json_option
@model_options
def follow_command(*, session: Session, once: bool, every: float, platform_name: str | None, as_json: bool) -> int:
    r"""Bring the running system to the release that the environment's rule selects, look after look until stopped.

    A look lists the release store, takes the newest release that the rule selects, verifies it, plans, applies and
    activates it. A release with refused or blocked operations stays pending with its reason: what was active goes on,
    and the next look tries again. No model code runs here, unless a repository is followed directly: then the model is
    built in a process of its own without any secret.

    Exit code with --once: 0 all platforms are as the rule says, or a rollback holds them. 1: a release is pending. 2:
    nothing is followed, or a merge database is out of reach. 75: the release store is out of reach.

    \b
    --json goes with --once and prints one document with the key
      platforms  a list with, for each: platform, state (applied, current, nothing, pinned, pending,
                 unreachable), ref, wanted, active, reason, done
    """
    if as_json and not once:
        raise click.UsageError("--json goes with --once")
    log_to_stderr()
    model = read_folder(session.folder, session.environment, os.environ, platform=platform_name)
    if once:
        looks = _look(model)
        if as_json:
            print_json({"platforms": [look.to_json() for look in looks]})
        return _code(looks)
    with Stopping() as stopping:
        stopping.run([lambda: _forever(model, every, stopping)])
        return stopping.exit_code(0)


def _look(model: ModelFolder) -> list[Followed]:
    return [follow_once(spec, model.folder, model.environ, who=this_user()) for spec in model.platforms]


def _code(looks: list[Followed]) -> int:
    states = {look.state for look in looks}
    return 1 if "pending" in states else 75 if "unreachable" in states else 0


def _forever(model: ModelFolder, every: float, stopping: Stopping) -> None:
    """Look until stopped; a merge database that is out of reach is logged, and looked for again."""
    while not stopping.event.is_set():
        try:
            _look(model)
        except (StoreError, TransientError) as error:
            logging.getLogger("datasurface").warning("%s", error)
        stopping.event.wait(every)


@command.command("unpin")
@platform_option
@model_options
def unpin_command(*, session: Session, platform_name: str | None) -> int:
    """Let the environment's rule count again after a rollback, or after a release was applied by hand.

    The next look makes the release active that the rule selects.
    """
    model = read_folder(session.folder, session.environment, os.environ, platform=platform_name)
    with model.open() as opened:
        for running, spec in opened:
            running.active()
            pin = unpin(running)
            held = f"release {pin.left[:12]} is no longer held back" if pin else "nothing was pinned"
            click.echo(f"platform {spec.name}: {held}; the next look follows the rule")
    return 0
