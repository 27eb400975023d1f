"""What crosses when a merge database judges the rows of a batch before they are published: values, no SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from datasurface.databases.merge import Staging, Tables
from datasurface.model.check import SqlCheck
from datasurface.model.schema import Check
from datasurface.model.vocabulary import OutputMode
from datasurface.release.job import JobDataset

__all__ = ["Checker", "Judged", "Measure", "Rows"]


class Rows(StrEnum):
    """Which rows a check reads."""

    WHOLE = "whole"
    """All that the table will hold once the batch is merged."""
    CHANGED = "changed"
    """Those of them that the batch brings: enough where all others are known to be right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A dataset of a batch whose delta is found and not yet applied."""

    tables: Tables
    dataset: JobDataset
    staging: Staging
    mode: OutputMode


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """What a check found.

    Attributes:
        failing: How many rows are wrong.
        newest: For a `Freshness`, the newest moment; None if there is none.
    """

    failing: int = 0
    newest: datetime | None = None


class Checker(Protocol):
    """Judges one dataset of a batch, in the transaction that is to publish it."""

    def measure(self, checks: Sequence[Check], rows: Rows) -> Sequence[Measure]:
        """Return what each check found, all in one statement; no `SqlCheck` and no `RowCount` is among them."""
        ...

    def failing_keys(self, check: Check, rows: Rows) -> Sequence[str]:
        """Return the keys of up to ten rows that are wrong, each as one text."""
        ...

    def query(self, check: SqlCheck, *, keys: bool) -> tuple[int, Sequence[str]]:
        """Run a user's query; return how many rows it found, and the keys of up to ten if it names them.

        Raises:
            BatchFailedError: it reads or calls what it may not, fails, or takes too long.
        """
        ...
