"""What every target's subcommand of `datasurface deploy` does: compile, make the files, write or compare them."""

from __future__ import annotations

import os
from pathlib import Path

import click

from datasurface.cli.plan import show_errors
from datasurface.cli.session import Session, json_option, model_options, print_json
from datasurface.deploy.base import Deployable, target
from datasurface.deploy.compile import deployable_of
from datasurface.deploy.folder import Difference, compare, write

__all__ = ["deploy_to", "target_command"]


def target_command(name: str) -> click.Command:
    """Return the subcommand of a target."""

    @click.command(name, help=_HELP.replace("TARGET", name))
    @click.option("-o", "--output", required=True, type=click.Path(path_type=Path, file_okay=False), help="The folder.")
    @click.option("--check", "check_only", is_flag=True, help="Write nothing; exit with 1 if the folder differs.")
    @click.option("--force", is_flag=True, help="Overwrite files that were changed by hand, too.")
    @click.option("--learned", type=_FILE, help="What the ledger tells of durations and memory, as JSON.")
    @click.option(
        "--outputs",
        type=_FILE,
        help="What another target's tools have said, as JSON, such as `aws cloudformation describe-stacks`.",
    )
    @json_option
    @model_options
    def command(
        *,
        session: Session,
        output: Path,
        check_only: bool,
        force: bool,
        learned: Path | None,
        outputs: Path | None,
        as_json: bool,
    ) -> int:
        deployable, report = deployable_of(
            session.folder, session.environment, os.environ, learned=learned, outputs=outputs
        )
        if deployable is None:
            if as_json:
                print_json({"target": name, "findings": [found.to_json() for found in report.findings]})
            else:
                show_errors(report)
            return 1
        return deploy_to(name, deployable, output, check_only=check_only, force=force, as_json=as_json)

    return command


_FILE = click.Path(path_type=Path, dir_okay=False, exists=True)
_HELP = """Write the files for TARGET into a folder.

Only what differs is written, and files that an earlier call has made and that are no longer needed are removed. Files
that somebody else made or changed are in the way: nothing is written, unless --force is said.

Exit code 0: the folder is as generated. 1: with --check, it is not; or `check` finds errors.

\b
--json prints one document with the keys
  target      its name
  release     the digest of the release
  empty       whether the folder was as generated already
  made, changed, removed, foreign
              the paths that writing makes, changes and removes, and those that are in the way
or, if `check` finds errors, target and
  findings    all findings of check
"""


def deploy_to(name: str, deployable: Deployable, output: Path, *, check_only: bool, force: bool, as_json: bool) -> int:
    """Write a target's files, or compare them; say what was done, and return the exit code."""
    files = target(name).files(deployable)
    found = compare(output, files) if check_only else write(output, files, force=force)
    if as_json:
        print_json({"target": name, "release": deployable.release.digest, "empty": found.empty, **found.to_json()})
    else:
        _tell(found, len(files), output, check_only=check_only)
    return 1 if check_only and not found.empty else 0


def _tell(found: Difference, files: int, output: Path, *, check_only: bool) -> None:
    for what, paths in (
        ("make", found.made),
        ("change", found.changed),
        ("remove", found.removed),
        ("foreign", found.foreign),
    ):
        for path in paths:
            click.echo(f"{what:<8}{path}")
    state = "as generated" if found.empty else "not as generated" if check_only else "written"
    click.echo(f"{output}: {files} file{'' if files == 1 else 's'}, {state}")
