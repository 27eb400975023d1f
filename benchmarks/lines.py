"""A line of the result: what was measured, the budget it is held against, and whether it is met."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

__all__ = ["BUDGET_ROWS", "Line", "limit_of"]

BUDGET_ROWS = 1_000_000
"""The budgets are stated for this many rows; a run with fewer prints its ratios and judges none."""

_PARALLEL_FULL_JOIN = 160_000
_LIMITS = {
    "first load, live": (1.35, 1.5),
    "first load, milestoned": (1.4, 1.5),
    "again, 1 % changed, live": (1.9, 2.7),
    "again, 1 % changed, milestoned": (2.0, 2.7),
    "again, nothing changed, live": (1.7, 2.7),
    "again, nothing changed, milestoned": (1.7, 2.7),
}
"""Times the floor: on PostgreSQL 16 and later, and on 14 and 15, which cannot run a full join in parallel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One figure of the result.

    Attributes:
        group: Who was measured: `DataSurface`, `dlt` …
        case: At what.
        unit: Of the values: `x floor`, `ms`, `MB`, `s`.
        values: One a run.
        limit: The budget; None if there is none.
        judged: Whether the budget applies to what was run.
        wall: Median seconds of the work.
        whole: Median seconds of the whole process.
        memory: Bytes of client memory at the peak, over the bare interpreter's.
        note: What else is to be said.
        facts: Everything that was measured, for the JSON.
    """

    group: str
    case: str
    unit: str
    values: Sequence[float]
    limit: float | None = None
    judged: bool = True
    wall: float | None = None
    whole: float | None = None
    memory: int | None = None
    note: str = ""
    facts: dict[str, object] = field(default_factory=dict)

    @property
    def value(self) -> float:
        """The median."""
        return statistics.median(self.values)

    @property
    def missed(self) -> bool:
        """Whether a budget that applies is not met."""
        return self.judged and self.limit is not None and self.value > self.limit

    def to_json(self) -> dict[str, object]:
        """Return the line as the file holds it."""
        return {
            "group": self.group,
            "case": self.case,
            "unit": self.unit,
            "value": self.value,
            "low": min(self.values),
            "high": max(self.values),
            "values": list(self.values),
            "limit": self.limit,
            "judged": self.judged,
            "missed": self.missed,
            "wall": self.wall,
            "whole": self.whole,
            "memory": self.memory,
            "note": self.note,
            **self.facts,
        }


def limit_of(case: str, server_version: int) -> float:
    """Return how many times the floor a case may take on a server of that version."""
    newer, older = _LIMITS[case]
    return newer if server_version >= _PARALLEL_FULL_JOIN else older
