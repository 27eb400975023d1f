"""What a batch works with: the merge database, the platform's schema, the job, and who is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from datasurface.databases.base import Source
from datasurface.databases.merge import MergeStore, Progress, Tables
from datasurface.engine.batch import Step
from datasurface.engine.heart import Heart
from datasurface.names import shorten
from datasurface.release.job import JobDataset, JobSpec

__all__ = ["BatchContext", "NoProgress", "NoWatch", "Watch"]


class NoProgress:
    """Tells nobody."""

    def advance(self, stream: str, rows: int) -> None:
        """Ignore it."""


class Watch(Protocol):
    """Hears what becomes of the batches of a run; what it does must be quick, and it must not raise."""

    def begun(self, batch_id: int, /) -> None:
        """This batch is worked on from now on; told again at another attempt."""

    def abandoned(self, batch_id: int, /) -> None:
        """This batch, which an earlier run left, is given up."""


class NoWatch:
    """Tells nobody."""

    def begun(self, batch_id: int) -> None:
        """Ignore it."""

    def abandoned(self, batch_id: int) -> None:
        """Ignore it."""


_OWN_LIMIT = 30
"""Bytes of a dataset's name in its batches' tables; with what follows a name never has to be shortened."""


def _ignore(_step: Step) -> None:
    return


def _unknown() -> int | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchContext:
    """The surroundings of one batch.

    Attributes:
        store: The merge database.
        schema: The platform's schema there.
        job: The stream.
        model_digest: The digest of the release that the job is a slice of.
        open_source: Connects to the source; called once a batch.
        owner: This process's name, as `store.streams.owner_name` makes it.
        heart: Says that the stream is worked on.
        silence: Seconds after which a silent owner has lost its stream.
        observe: Called before every step; a test may end the process there.
        watch: Hears of the batch.
        memory: Returns the peak of this process's memory while the batch ran, in bytes; None if it cannot be told.
    """

    store: MergeStore
    schema: str
    job: JobSpec
    model_digest: str
    open_source: Callable[[], Source]
    owner: str
    heart: Heart
    silence: float = 30.0
    progress: Progress = field(default_factory=NoProgress)
    observe: Callable[[Step], None] = _ignore
    memory: Callable[[], int | None] = _unknown
    watch: Watch = field(default_factory=NoWatch)

    def tables(self, dataset: JobDataset) -> Tables:
        """Return the physical names of a dataset's tables."""
        return self.store.tables_of(self.schema, f"{self.job.datastore}.{dataset.name}")

    def own_tables(self, dataset: JobDataset, word: str) -> str:
        """Return how the names of tables begin that belong to one batch; short, so that batch and token still fit."""
        return f"{shorten(self.tables(dataset).current, _OWN_LIMIT)}.{word}."
