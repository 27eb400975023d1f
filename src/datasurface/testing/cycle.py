"""One cycle on a bench: what became of every stream, what the ledger counted, what the code printed."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from datasurface.runtime.report import BatchReport

__all__ = ["Counts", "Cycle", "listening"]

_PRINTED = "datasurface.transform"
_GOOD = frozenset({"merged", "idle"})


class Counts(NamedTuple):
    """How many rows of a dataset a cycle inserted, updated and deleted, as the ledger has it."""

    inserted: int = 0
    updated: int = 0
    deleted: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycle:
    """What happened in one cycle.

    Attributes:
        number: Its number on the bench, from 1.
        batches: What became of each stream; `ran` tells whether a transformer's code ran.
        counted: What the ledger counted, by `store.dataset`.
        printed: What the code printed and logged, line by line.
    """

    number: int
    batches: Mapping[str, BatchReport]
    counted: Mapping[str, Counts]
    printed: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether every stream was merged, or had nothing to do."""
        return all(report.state in _GOOD for report in self.batches.values())

    @property
    def error(self) -> str:
        """Why streams did not go well, a line each; empty if all did."""
        bad = [r for r in self.batches.values() if r.state not in _GOOD]
        return "\n".join(f"stream {r.stream} {r.state}: {r.error}" for r in bad)

    def ran(self, stream: str) -> bool:
        """Tell whether a batch of a stream was opened; a transformer whose inputs have not changed opens none."""
        return self.batches[stream].batch_id is not None

    def told(self) -> str:
        """Return what went wrong and what the code printed last, for a message."""
        lines = [f"cycle {self.number}: {self.error}"]
        if self.printed:
            lines += ["  it printed:", *(f"    {line}" for line in self.printed[-20:])]
        return "\n".join(lines)


class _Lines(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage().partition(": ")[2])


@contextmanager
def listening() -> Iterator[list[str]]:
    """Yield a list that gets the lines which code prints meanwhile."""
    logger, handler = logging.getLogger(_PRINTED), _Lines()
    level = logger.level
    logger.addHandler(handler)
    if not logger.isEnabledFor(logging.INFO):
        logger.setLevel(logging.INFO)
    try:
        yield handler.lines
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
