"""How a demonstration is told: headings with the time that each step took, SQL, and its answers as tables."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from textwrap import indent

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from datasurface.demo.questions import Answer

__all__ = ["Teller"]

_WIDTH = 100
_INDENT = 3


class Teller:
    """Tells on standard output, or on standard error if that is kept for a document; plain text off a terminal."""

    def __init__(self, *, to_stderr: bool = False) -> None:
        self._console = Console(stderr=to_stderr, highlight=False, markup=False, emoji=False)
        if not self._console.is_terminal or self._console.width > _WIDTH:
            self._console.width = _WIDTH
        self._steps = 0

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Number a step and tell how long it took, once it is done."""
        self._steps += 1
        self._console.print(Text(f"\n{self._steps}. {title}", style="bold"))
        began = time.monotonic()
        with self._console.status("working"):
            yield
        self._console.print(Text(f"{' ' * _INDENT}done in {time.monotonic() - began:.1f} s", style="green"))

    def section(self, title: str) -> None:
        """Begin another part."""
        self._console.print(Text(f"\n{title}", style="bold"))

    def line(self, text: str, *, style: str = "") -> None:
        """Tell a sentence."""
        self._console.print(Padding(Text(text, style=style), (0, 0, 0, _INDENT), expand=False))

    def command(self, text: str, meaning: str) -> None:
        """Tell a command and what it does; never wrapped, so that it can be copied."""
        self._console.print(Text(f"{' ' * _INDENT}{meaning}"))
        self._console.print(Text(f"{' ' * _INDENT}  {text}", style="cyan"), soft_wrap=True)

    def answer(self, answer: Answer) -> None:
        """Tell what was asked, the SQL that was run, and the rows that came."""
        self.section(answer.title)
        self._console.print(Text(indent(answer.sql, " " * _INDENT), style="dim"), soft_wrap=True)
        table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
        for number, name in enumerate(answer.columns):
            numeric = all(row[number] is None or _is_number(row[number]) for row in answer.rows)
            table.add_column(name, justify="right" if numeric else "left", overflow="fold")
        for row in answer.rows:
            table.add_row(*[_said(value) for value in row])
        self._console.print()
        self._console.print(Padding(table, (0, 0, 0, _INDENT), expand=False))


def _is_number(value: object) -> bool:
    return not isinstance(value, str | datetime)


def _said(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    return str(value)
