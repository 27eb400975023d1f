"""`datasurface query`: SQL over the model's own tables."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Sequence

import click
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from datasurface.cli.session import Session, json_option, model_options, print_json
from datasurface.release.file import in_memory
from datasurface.release.query import describe_tables, query
from datasurface.runtime.compile_model import compile_model

__all__ = ["command"]

_UNBOUNDED = 100_000


@click.command("query")
@click.argument("sql", required=False)
@click.option("--tables", is_flag=True, help="List the tables and their columns instead.")
@click.option("--csv", "as_csv", is_flag=True, help="Print comma-separated values with a header.")
@json_option
@model_options
def command(*, session: Session, sql: str | None, tables: bool, as_csv: bool, as_json: bool) -> int:
    """Ask the model in SQL (SQLite's dialect): what there is, who uses it, what is derived from it.

    Nothing can be changed. The model is asked as it is in its folder, also if `check` finds errors in it; they are in
    the table `finding`. --json prints the keys `columns` and `rows`; with --tables the key `tables`.
    """
    if tables == (sql is not None) or (as_csv and as_json):
        raise click.UsageError("give a query or --tables, and at most one of --csv and --json")
    if tables:
        _print_tables(as_csv=as_csv, as_json=as_json)
        return 0
    release, report = compile_model(session.folder, session.environment)
    answer = query(in_memory(release), sql or "")
    if report.errors:
        click.echo(f"the model has errors ({len(report.errors)}): run `datasurface check`", err=True)
    if as_json:
        print_json({"columns": list(answer.columns), "rows": [list(row) for row in answer.rows]})
    else:
        _print_rows(answer.columns, answer.rows, as_csv=as_csv)
    return 0


def _print_tables(*, as_csv: bool, as_json: bool) -> None:
    described = describe_tables()
    if as_json:
        print_json({"tables": described})
        return
    rows = [
        (table["name"], column["name"], column["type"], column["comment"])
        for table in described
        for column in _columns_of(table)
    ]
    _print_rows(("table", "column", "type", "comment"), rows, as_csv=as_csv)


def _columns_of(table: dict[str, object]) -> list[dict[str, object]]:
    columns = table["columns"]
    return columns if isinstance(columns, list) else []


def _print_rows(columns: Sequence[str], rows: Iterable[Sequence[object]], *, as_csv: bool) -> None:
    if as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
        return
    console = Console(width=None if sys.stdout.isatty() else _UNBOUNDED)
    table = Table(box=box.SIMPLE)
    for name in columns:
        table.add_column(Text(name), overflow="fold")
    number = 0
    for number, row in enumerate(rows, start=1):  # noqa: B007 - counted for the last line
        table.add_row(*[Text("NULL", style="dim") if value is None else Text(str(value)) for value in row])
    console.print(table)
    click.echo(f"{number} row{'' if number == 1 else 's'}", err=True)
