"""What a demonstration came to, as values: what was done at the source, what the ledger says of it, what was asked."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

import psycopg
from psycopg.rows import class_row

from datasurface.demo.changes import Change
from datasurface.demo.questions import Answer
from datasurface.runtime.report import BatchReport

__all__ = ["DatasetCount", "Outcome", "dataset_counts"]

_COUNTS = """
    SELECT stream, batch_id, dataset, rows_read, inserted, updated, deleted
      FROM ds_yellow.batch_datasets
     WHERE stream IN ('nyc', 'weather')
     ORDER BY stream, batch_id, dataset"""
_ACTIONS = ("inserted", "updated", "deleted")


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetCount:
    """A row of the ledger's view `batch_datasets`."""

    stream: str
    batch_id: int
    dataset: str
    rows_read: int
    inserted: int
    updated: int
    deleted: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a demonstration ended.

    Attributes:
        folder: Where it lives.
        servers: Where its servers live.
        seconds: How long it took.
        loaded: The rows of each source table at first.
        changes: What was done at the source, each with its rows.
        batches: The results of both ingestions, by stream.
        datasets: What the ledger says of them, by dataset.
        audited: Whether the audit found each dataset equal to the source, by `store.dataset`.
        consumers: What the consumers saw in the end.
        history: The versions of one flight.
        as_of: The number of cancelled flights as of the first batch, and now.
        model: What the model's own tables say.
    """

    folder: Path
    servers: tuple[Path, ...]
    seconds: float
    loaded: dict[str, int]
    changes: tuple[tuple[Change, int], ...]
    batches: tuple[BatchReport, ...]
    datasets: tuple[DatasetCount, ...]
    audited: dict[str, bool]
    consumers: tuple[Answer, ...]
    history: Answer
    as_of: Answer
    model: tuple[Answer, ...]

    @property
    def exact(self) -> bool:
        """Whether the ledger says exactly what was done at the source, and the audit found no difference."""
        first = min(d.batch_id for d in self.datasets)
        loads = [d for d in self.datasets if d.batch_id == first]
        plain = all((d.rows_read, d.updated, d.deleted) == (d.inserted, 0, 0) for d in loads)
        same_loads = sorted(d.inserted for d in loads) == sorted(self.loaded.values())
        return all(self.audited.values()) and plain and same_loads and self._done() == self._booked(first)

    def to_json(self) -> dict[str, object]:
        """Return the outcome as `--json` prints it."""
        return {
            "folder": str(self.folder),
            "servers": [str(server) for server in self.servers],
            "seconds": round(self.seconds, 2),
            "loaded": self.loaded,
            "changes": [
                {"told": c.told.format(rows=n), "dataset": c.dataset, "action": c.action, "rows": n}
                for c, n in self.changes
            ],
            "batches": [asdict(report) for report in self.batches],
            "datasets": [asdict(count) for count in self.datasets],
            "audited": self.audited,
            "consumers": [answer.to_json() for answer in self.consumers],
            "history": self.history.to_json(),
            "as_of": self.as_of.to_json(),
            "model": [answer.to_json() for answer in self.model],
            "exact": self.exact,
        }

    def _done(self) -> Counter[tuple[str, str]]:
        done: Counter[tuple[str, str]] = Counter()
        for change, rows in self.changes:
            done[change.dataset, change.action] += rows
        return +done

    def _booked(self, first: int) -> Counter[tuple[str, str]]:
        booked: Counter[tuple[str, str]] = Counter()
        for count in self.datasets:
            if count.batch_id > first:
                name = f"{count.stream}.{count.dataset}"
                booked.update({(name, action): getattr(count, action) for action in _ACTIONS})
        return +booked


def dataset_counts(connection: psycopg.Connection) -> tuple[DatasetCount, ...]:
    """Return the ledger's counts by dataset, by stream and batch."""
    with connection.cursor(row_factory=class_row(DatasetCount)) as cursor:
        return tuple(cursor.execute(_COUNTS).fetchall())
