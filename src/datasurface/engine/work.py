"""One dataset of a batch on its way: what is staged, what was known before, and what the batch would change."""

from __future__ import annotations

from dataclasses import dataclass

from datasurface.databases.merge import DeltaCounts, Staging
from datasurface.release.job import JobDataset
from datasurface.store.streams import DatasetState

__all__ = ["Work"]


@dataclass(frozen=True, slots=True)
class Work:
    """A dataset whose delta is found and not yet applied."""

    dataset: JobDataset
    staging: Staging
    state: DatasetState
    delta: DeltaCounts

    @property
    def rows_after(self) -> int:
        """How many rows are current once the batch is merged."""
        return self.state.rows + self.delta.inserted - self.delta.deleted
