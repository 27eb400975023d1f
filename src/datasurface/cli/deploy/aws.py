"""`datasurface deploy aws`: CloudFormation templates, or how what they make is taken down again."""

from __future__ import annotations

import os
from pathlib import Path

import click

from datasurface.cli.deploy.target import deploy_to
from datasurface.cli.plan import show_errors
from datasurface.cli.session import Session, json_option, model_options, print_json
from datasurface.deploy.aws.target import plan_of_teardown
from datasurface.deploy.base import Deployable
from datasurface.deploy.compile import deployable_of

__all__ = ["command"]

_FILE = click.Path(path_type=Path, dir_okay=False, exists=True)


@click.command("aws")
@click.option("-o", "--output", type=click.Path(path_type=Path, file_okay=False), help="The folder.")
@click.option("--check", "check_only", is_flag=True, help="Write nothing; exit with 1 if the folder differs.")
@click.option("--force", is_flag=True, help="Overwrite files that were changed by hand, too.")
@click.option("--learned", type=_FILE, help="What the ledger tells of durations and memory, as JSON.")
@click.option("--teardown-plan", is_flag=True, help="Write nothing; print how all of it is taken down.")
@json_option
@model_options
def command(
    *,
    session: Session,
    output: Path | None,
    check_only: bool,
    force: bool,
    learned: Path | None,
    teardown_plan: bool,
    as_json: bool,
) -> int:
    r"""Write CloudFormation templates for everything that the environment needs in AWS into a folder.

    README.md in it says in which order they are applied, and with which commands; stacks.json says the same to
    pipelines. Only what differs is written. Files that somebody else made or changed are in the way: nothing is
    written, unless --force is said.

    With --teardown-plan nothing is written: it prints the steps by which all of it is taken down, in an order that
    works, what remains and what that costs.

    Exit code 0: the folder is as generated, or the plan was printed. 1: with --check, the folder differs; or `check`
    finds errors.

    \b
    --json prints one document with the keys
      target      its name
      release     the digest of the release
      empty       whether the folder was as generated already
      made, changed, removed, foreign
                  the paths that writing makes, changes and removes, and those that are in the way
    with --teardown-plan
      steps       each with title, why, commands, minutes, and optional: only to leave nothing behind
      minutes     about how long the steps that are not optional take
      remains     each with what, name, why, month (US dollars, or null), by_gb (the same for a GB) and commands
      month       what the remains cost a month, without what depends on their size
    or, if `check` finds errors, target and
      findings    all findings of check
    """
    if output is None and not teardown_plan:
        raise click.UsageError("say -o FOLDER, or --teardown-plan")
    deployable, report = deployable_of(session.folder, session.environment, os.environ, learned=learned)
    if deployable is None:
        if as_json:
            print_json({"target": "aws", "findings": [found.to_json() for found in report.findings]})
        else:
            show_errors(report)
        return 1
    if teardown_plan or output is None:
        return _tell_teardown(deployable, as_json=as_json)
    return deploy_to("aws", deployable, output, check_only=check_only, force=force, as_json=as_json)


def _tell_teardown(deployable: Deployable, *, as_json: bool) -> int:
    plan = plan_of_teardown(deployable)
    if as_json:
        print_json(plan.to_json())
        return 0
    for number, step in enumerate(plan.steps, start=1):
        click.echo(f"{number}. {step.title}{' (optional)' if step.optional else ''}: {step.why}")
        for line in step.commands:
            click.echo(f"   {line}")
    click.echo(f"\nabout {plan.minutes} minutes without what is optional; after that there remain")
    for each in plan.remains:
        cost = f"${each.month:,.2f} a month" if each.month is not None else f"${each.by_gb or 0:,.3f} a GB and month"
        click.echo(f"- {each.what} {each.name}: {cost}; {each.why}")
    click.echo(f"together ${plan.month:,.2f} a month, and what depends on size")
    return 0
