"""`datasurface deploy --wait`: proves that what was deployed runs."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import click

from datasurface.cli.session import Session, print_json
from datasurface.cli.tables import print_table
from datasurface.runtime.folder import ModelFolder, read_folder
from datasurface.runtime.proof import Proof, wait_for_proof
from datasurface.runtime.stopping import Stopping

__all__ = ["wait_for"]

_COLUMNS = ("platform", "what", "", "found")


def wait_for(session: Session, seconds: float, since: str | None, platform_name: str | None, *, as_json: bool) -> int:
    """Wait for the proof, print it, and return the exit code."""
    start = _moment(since)
    model = read_folder(session.folder, session.environment, os.environ, platform=platform_name)
    found: list[Proof] = []
    with Stopping() as stopping:
        stopping.run([lambda: found.append(_wait(model, seconds, start, stopping))])
    proof = found[0]
    if as_json:
        print_json(proof.to_json())
    else:
        _tell(proof)
    return stopping.exit_code(0 if proof.ok else 1)


def _wait(model: ModelFolder, seconds: float, since: datetime | None, stopping: Stopping) -> Proof:
    told: list[int] = []

    def tell(missing: int) -> None:
        if told[-1:] != [missing]:
            click.echo(f"waiting: {missing} thing{'' if missing == 1 else 's'} missing", err=True)
        told.append(missing)

    return wait_for_proof(model, seconds, since=since, told=tell, stop=stopping.event)


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        found = datetime.now(UTC) if text == "now" else datetime.fromisoformat(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is no time: write 2026-01-31T12:00:00Z, or now") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _tell(proof: Proof) -> None:
    rows = [(line.platform, line.subject, "pass" if line.ok else "fail", line.detail) for line in proof.lines]
    print_table(_COLUMNS, rows)
    missing = sum(not line.ok for line in proof.lines)
    if missing:
        click.secho(f"{missing} of {len(rows)} things are missing after {proof.seconds:.0f} s", fg="red", err=True)
    else:
        click.echo(f"{len(rows)} things proved in {proof.seconds:.0f} s")
