"""What the ledger teaches of a stream's batches: how long they take and how much memory they need."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from datasurface.store.ledger import BatchState
from datasurface.store.tables import bind, ledger

__all__ = ["Experience", "learned_of"]

_BATCHES = 50
_USUAL = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Experience:
    """What is known of a stream.

    Attributes:
        batches: How many merged batches it is known from.
        seconds: How long nine of ten of them took at most.
        memory: The most that any of them had, in bytes; None if no measured one is among them.
    """

    batches: int
    seconds: float
    memory: int | None = None

    def to_json(self) -> dict[str, object]:
        """Return it as a file of learned needs has it."""
        return {"batches": self.batches, "seconds": round(self.seconds, 3), "memory": self.memory}


def learned_of(connection: Connection, schema: str, *, batches: int = _BATCHES) -> dict[str, Experience]:
    """Return what the last merged batches of each stream teach, by stream."""
    place = func.row_number().over(partition_by=ledger.c.stream, order_by=ledger.c.batch_id.desc()).label("place")
    merged = (
        select(ledger.c.stream, ledger.c.started_at, ledger.c.finished_at, ledger.c.memory, place)
        .where(ledger.c.state == BatchState.MERGED.value, ledger.c.finished_at.is_not(None))
        .subquery()
    )
    seconds: dict[str, list[float]] = defaultdict(list)
    memory: dict[str, int] = {}
    for row in bind(connection, schema).execute(select(merged).where(merged.c.place <= batches)):
        seconds[row.stream].append((row.finished_at - row.started_at).total_seconds())
        if row.memory is not None:
            memory[row.stream] = max(row.memory, memory.get(row.stream, 0))
    return {
        stream: Experience(batches=len(took), seconds=_usual(took), memory=memory.get(stream))
        for stream, took in sorted(seconds.items())
    }


def _usual(seconds: list[float]) -> float:
    """Return what nine of ten do not exceed."""
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, int(_USUAL * len(ordered)))]
