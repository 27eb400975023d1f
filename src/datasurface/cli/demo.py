"""`datasurface demo`: the whole main job on real data, on this machine."""

from __future__ import annotations

from pathlib import Path

import click

from datasurface.cli.session import json_option, print_json

__all__ = ["command"]


@click.command("demo")
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where it lives.  [default: datasurface-demo in the current folder]",
)
@json_option
def command(folder: Path | None, as_json: bool) -> int:
    r"""Run the main job on the flights that left New York City in 2013.

    Starts two PostgreSQL servers, loads one with the flights, applies a model with four consumers, ingests, lets a day
    of changes pass at the source, ingests again, and shows what each consumer sees, histories, the model's own tables
    and the ledger. A further run starts over; changes that were made to its model are kept beside it.

    Exit code 1: the ledger or the audit differs from what was done at the source.

    \b
    --json prints one document with the keys
      folder, servers        where it lives, and where its servers do
      seconds                how long it took
      loaded                 the rows of each table of the source
      changes                what was done there: told, dataset, action, rows
      batches                the result of each batch: stream, batch_id, state, counts
      datasets               the ledger's counts of each batch, by dataset
      audited                whether the audit found each dataset equal to the source
      consumers              what they saw: a list of title, sql, columns, rows
      history                the versions of one flight: title, sql, columns, rows
      as_of                  cancelled flights as of the first batch and now, in the same form
      model                  what the model's own tables say: a list in the same form
      exact                  whether ledger and audit agree with what was done at the source
    """
    from datasurface.demo.ending import tell_ending  # noqa: PLC0415 - the help needs none of it
    from datasurface.demo.folder import DEFAULT_FOLDER  # noqa: PLC0415
    from datasurface.demo.story import run_demo  # noqa: PLC0415
    from datasurface.demo.teller import Teller  # noqa: PLC0415

    teller = Teller(to_stderr=as_json)
    outcome = run_demo((folder or DEFAULT_FOLDER).absolute(), teller)
    tell_ending(outcome, teller)
    if as_json:
        print_json(outcome.to_json())
    return 0 if outcome.exact else 1
