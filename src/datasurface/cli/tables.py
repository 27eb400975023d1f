"""How verbs print tables and times for people: aligned columns, colour only on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import datetime

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

__all__ = ["age", "moment", "print_table"]

_UNBOUNDED = 100_000
_STYLES = {
    "merged": "green",
    "idle": "green",
    "pass": "green",
    "running": "cyan",
    "parked": "yellow",
    "warn": "yellow",
    "waiting": "yellow",
    "failed": "red",
    "fail": "red",
    "interrupted": "yellow",
}
_UNITS = (("d", 86400), ("h", 3600), ("min", 60))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table to standard output; without a terminal a row is never folded."""
    console = Console(width=None if sys.stdout.isatty() else _UNBOUNDED)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        table.add_column(Text(name), overflow="fold")
    for row in rows:
        table.add_row(*[_cell(value) for value in row])
    console.print(table)


def age(seconds: float | None) -> str:
    """Return a length of time in the largest fitting unit: `42 s`, `5 min`, `3 h`, `2 d`."""
    if seconds is None:
        return ""
    for unit, length in _UNITS:
        if abs(seconds) >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def moment(value: datetime | None) -> str:
    """Return a time in UTC to the second."""
    return "" if value is None else value.strftime("%Y-%m-%d %H:%M:%SZ")


def _cell(value: object) -> Text:
    text = "" if value is None else str(value)
    return Text(text, style=_STYLES.get(text, ""))
