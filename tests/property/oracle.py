"""What the engine must do, as plain Python: the live rows, their versions, and the guard. Knows no database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import TypeAlias

Row: TypeAlias = tuple[Hashable, ...]
Version: TypeAlias = tuple[Row, int, int | None]
"""A row, the batch that brought it and the batch that ended it."""


@dataclass
class Table:
    """One dataset: how many columns are its key, when each present copy of a row came, and what has ended."""

    keys: int
    loaded: bool = False
    since: dict[Row, list[int]] = field(default_factory=dict)
    closed: list[Version] = field(default_factory=list)
    parked: Counter[Row] | None = None

    @property
    def rows(self) -> Counter[Row]:
        return Counter({row: len(batches) for row, batches in self.since.items()})

    def counts(self, read: Counter[Row]) -> tuple[int, int, int, int]:
        """Return rows read, inserted, updated and deleted."""
        came, went = read - self.rows, self.rows - read
        updated = len({r[: self.keys] for r in came} & {r[: self.keys] for r in went}) if self.keys else 0
        return read.total(), came.total() - updated, updated, went.total() - updated

    def merge(self, read: Counter[Row], batch: int) -> None:
        came, went = read - self.rows, self.rows - read
        for row in went.elements():
            self.closed.append((row, self.since[row].pop(), batch))
        for row in came.elements():
            self.since.setdefault(row, []).append(batch)
        self.since = {row: batches for row, batches in self.since.items() if batches}
        self.loaded = True

    def suspicious(self, read: Counter[Row], max_deleted: float, above: int) -> bool:
        before, (_, inserted, _, deleted) = self.rows.total(), self.counts(read)
        if before > 10 and deleted == before and not inserted:
            return True
        return before > above and deleted > max_deleted * before

    def versions(self) -> Counter[Version]:
        still = [(row, batch, None) for row, batches in self.since.items() for batch in batches]
        return Counter([*self.closed, *still])
