"""Progress bars for long reads, on a terminal only. It must not know what a batch is."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

__all__ = ["NullProgress", "Progress", "progress_on_terminal"]


class Progress(Protocol):
    """What is told while rows are read; callable from any thread."""

    def start(self, stream: str, total_rows: int | None) -> None:
        """Begin a stream; None if nobody knows how many rows there will be."""

    def advance(self, stream: str, rows: int) -> None:
        """Tell that so many more rows were read."""

    def finish(self, stream: str) -> None:
        """End a stream, however it ended."""


class NullProgress:
    """Shows nothing."""

    def start(self, stream: str, total_rows: int | None) -> None:
        """Do nothing."""

    def advance(self, stream: str, rows: int) -> None:
        """Do nothing."""

    def finish(self, stream: str) -> None:
        """Do nothing."""


class _RichProgress:
    """Shows one bar a stream that is being read."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def start(self, stream: str, total_rows: int | None) -> None:
        self.finish(stream)
        self._tasks[stream] = self._bars.add_task(stream, total=total_rows)

    def advance(self, stream: str, rows: int) -> None:
        task = self._tasks.get(stream)
        if task is not None:
            self._bars.advance(task, rows)

    def finish(self, stream: str) -> None:
        task = self._tasks.pop(stream, None)
        if task is not None:
            self._bars.remove_task(task)


@contextmanager
def progress_on_terminal() -> Iterator[Progress]:
    """Yield bars on standard error if that is a terminal, else a Progress that shows nothing.

    While bars are shown, what is written to `sys.stderr` appears above them.
    """
    if not sys.stderr.isatty():
        yield NullProgress()
        return
    from rich.console import Console  # noqa: PLC0415 - takes as long to import as everything else together
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415
    from rich.progress import Progress as Bars  # noqa: PLC0415

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bars(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False) as bars:
        yield _RichProgress(bars)
