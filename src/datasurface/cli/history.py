"""`datasurface history`: the ledger of one stream."""

from __future__ import annotations

import os

import click

from datasurface.cli.options import platform_option
from datasurface.cli.session import Session, json_option, model_options, print_json
from datasurface.cli.tables import moment, print_table
from datasurface.runtime.folder import read_folder
from datasurface.runtime.one_stream import StreamBatch, history, open_stream
from datasurface.store.ledger import DatasetCounts

__all__ = ["command"]

_COLUMNS = ("batch", "state", "started", "seconds", "read", "inserted", "updated", "deleted", "error")


@click.command("history")
@click.argument("stream")
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=20, show_default=True, help="How many batches.")
@click.option("--datasets", "by_dataset", is_flag=True, help="Show what each dataset had of each batch.")
@click.option("--checks", "with_checks", is_flag=True, help="Show what checks said of each batch, not only failures.")
@platform_option
@json_option
@model_options
def command(
    *,
    session: Session,
    stream: str,
    limit: int,
    by_dataset: bool,
    with_checks: bool,
    platform_name: str | None,
    as_json: bool,
) -> int:
    r"""Show the batches of STREAM, the newest first, and the checks that failed.

    \b
    --json prints one document with the keys
      platform, stream
      batches  a list with, for each batch: batch, state, started_at, finished_at, read_at, rows_read,
               inserted, updated, deleted, release, error; memory: the most that its process had, in
               bytes, or null if it was not measured; log: the file with what the code of a
               transformer printed, or null; datasets: a list with dataset, rows_read, inserted,
               updated, deleted; and checks: a list with dataset, check, kind, on_failure, ok,
               failing_rows, detail
    """
    model = read_folder(session.folder, session.environment, os.environ, platform=platform_name)
    with open_stream(model, stream) as running:
        found = history(running, stream, limit)
    if as_json:
        print_json({"platform": running.name, "stream": stream, "batches": [batch.to_json() for batch in found]})
    elif found:
        rows = [row for batch in found for row in _rows(batch, by_dataset=by_dataset, with_checks=with_checks)]
        print_table(_COLUMNS, rows)
        if log := next((batch.log for batch in found if batch.log), None):
            click.echo(f"what its code printed is in {log.parent}, newest {log.name}")
    else:
        click.echo(f"stream {stream} has not run yet")
    return 0


def _rows(found: StreamBatch, *, by_dataset: bool, with_checks: bool) -> list[tuple[object, ...]]:
    batch = found.batch
    took = f"{(batch.finished_at - batch.started_at).total_seconds():.2f}" if batch.finished_at else ""
    rows: list[tuple[object, ...]] = [
        (batch.batch_id, batch.state.value, moment(batch.started_at), took, *_numbers(batch.counts), batch.error or "")
    ]
    if by_dataset:
        rows += [("", f"  {name}", "", "", *_numbers(c), "") for name, c in sorted(found.datasets.items())]
    for result in found.checks:
        if with_checks or not result.ok:
            verdict = "pass" if result.ok else result.on_failure
            rows.append(("", verdict, f"  {result.dataset}", *[""] * 5, f"{result.check}: {result.detail}".strip(": ")))
    return rows


def _numbers(counts: DatasetCounts) -> tuple[int, int, int, int]:
    return counts.rows_read, counts.inserted, counts.updated, counts.deleted
