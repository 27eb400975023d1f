"""`datasurface preflight`: whether a target would accept what is deployed to it, one subcommand for each target."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Sequence

import click

from datasurface.cli.plan import show_errors
from datasurface.cli.session import Session, json_option, model_options, print_json
from datasurface.cli.tables import print_table
from datasurface.deploy.compile import deployable_of
from datasurface.deploy.preflight.check import Outcome, Result, Verdict
from datasurface.deploy.preflight.run import run_checks
from datasurface.deploy.preflight.target import chosen_checks, installed_preflights, preflight_of
from datasurface.govern.report import Report
from datasurface.secrets.masking import masked

__all__ = ["command"]

_HELP = r"""Look for everything that can make a deployment to TARGET fail, before anything of it exists.

Nothing is changed anywhere. Every check is described in docs/reference/preflight.md. Without --offline the target is
asked too, with the credentials of this process.

Exit code 1: something fails, or `check` finds errors.

\b
--json prints one document with the keys
  target    its name
  release   the digest of the release
  ok        whether nothing fails
  counts    how many of each verdict: fail, warn, skipped, pass
  checks    a list with, for each thing: check, title, verdict, about, why, remedy, document (what the
            remedy needs besides, such as a policy)
  findings  errors of `check`; with any, nothing else was looked at
"""


class _Targets(click.Group):
    """One subcommand for each installed target that can be checked."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(installed_preflights())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        return _verb(cmd_name) if cmd_name in installed_preflights() else None


@click.group("preflight", cls=_Targets)
def command() -> None:
    """Find out whether a target would accept what is deployed to it, before a costly step fails."""


def _verb(name: str) -> click.Command:
    """Return the subcommand of a target."""

    @click.command(name, help=_HELP.replace("TARGET", name).replace("\\b\n", "\b\n"))
    @click.option("--offline", is_flag=True, help="Ask nobody: only what needs no credentials.")
    @click.option("--lint", is_flag=True, help="Also run the linter of the target's files, where it is installed.")
    @click.option("--only", "chosen", metavar="CHECK", multiple=True, help="Only checks whose names begin so.")
    @click.option("--passed", "with_passed", is_flag=True, help="Show what passes, too.")
    @json_option
    @model_options
    def verb(
        *, session: Session, offline: bool, lint: bool, chosen: tuple[str, ...], with_passed: bool, as_json: bool
    ) -> int:
        deployable, report = deployable_of(session.folder, session.environment, os.environ)
        if deployable is None:
            _show(name, report, as_json=as_json)
            return 1
        target = preflight_of(name)
        subject = target.subject(deployable, os.environ, lint=lint)
        found = run_checks(chosen_checks(target, chosen), subject, offline=offline)
        ok = all(result.verdict is not Verdict.FAIL for result in found)
        if as_json:
            print_json(_document(name, deployable.release.digest, found, ok=ok))
        else:
            _print(found, with_passed=with_passed)
        return 0 if ok else 1

    return verb


def _show(target: str, report: Report, *, as_json: bool) -> None:
    """Say what keeps the model from being deployed at all."""
    if not as_json:
        show_errors(report)
        return
    document = _document(target, None, (), ok=False)
    print_json({**document, "findings": [finding.to_json() for finding in report.errors]})


def _document(target: str, release: str | None, found: Sequence[Result], *, ok: bool) -> dict[str, object]:
    counts = Counter(result.verdict for result in found)
    return {
        "target": target,
        "release": release,
        "ok": ok,
        "counts": {verdict.value: counts[verdict] for verdict in Verdict},
        "checks": [result.to_json() for result in found],
        "findings": [],
    }


def _print(found: Sequence[Result], *, with_passed: bool) -> None:
    shown = [result for result in found if with_passed or _is_worth_a_row(result.outcome)]
    if shown:
        print_table(("", "check", "found", "remedy"), [_row(result) for result in shown])
    for result in shown:
        if result.outcome.document is not None:
            click.echo(f"{result.id}:")
            click.echo(json.dumps(result.outcome.document, indent=2))
    waiting = Counter(result.outcome.waits_for for result in found if result.outcome.waits_for)
    if waiting and not with_passed:
        click.echo(_left_out(waiting))
    counts = Counter(result.verdict for result in found)
    click.echo(", ".join(f"{counts[verdict]} {verdict.value}" for verdict in Verdict))


def _left_out(waiting: Counter[str]) -> str:
    """Say in one line what waits for which checks."""
    first = " and ".join(sorted(waiting))
    if waiting.total() == 1:
        return f"1 check was left out: it comes after {first}"
    return f"{waiting.total()} checks were left out: they come after {first}"


def _is_worth_a_row(found: Outcome) -> bool:
    return found.told or (found.verdict is not Verdict.PASS and not found.waits_for)


def _row(result: Result) -> tuple[str, str, str, str]:
    about = f"{result.outcome.about}: " if result.outcome.about else ""
    return result.verdict.value, result.id, masked(about + result.outcome.why), masked(result.outcome.remedy)
