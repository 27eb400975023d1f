"""Who may read what a platform shows: the model's readers, each with the columns that its clearance hides. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from datasurface.model.classification import Classification
from datasurface.model.effective import access_ends, readers_of
from datasurface.model.schema import Dataset
from datasurface.model.workspace import Workspace
from datasurface.release.job import ReaderSpec

__all__ = ["GROUP_PREFIX", "covers", "reader_specs"]

GROUP_PREFIX = "group:"

_Seen = Sequence[tuple[str, Dataset]]
"""The datasets that a workspace sees, each with its datastore's name."""


def reader_specs(workspace: Workspace, seen: _Seen) -> Iterator[ReaderSpec]:
    """Yield a workspace's readers; whoever is named twice is one reader a clearance, with the longest access."""
    for reader in readers_of(workspace):
        group = reader.name.startswith(GROUP_PREFIX)
        ends = access_ends(reader.until) if reader.until is not None else None
        clearance = reader.clearance
        yield ReaderSpec(
            reader.name.removeprefix(GROUP_PREFIX),
            workspace=workspace.name,
            group=group,
            login=reader.login,
            until=ends.isoformat() if ends else None,
            cleared=None if clearance is None else _words(clearance),
            hidden=() if clearance is None else sorted(_hidden(clearance, seen)),
        )


def covers(clearance: Sequence[Classification], classification: Classification) -> bool:
    """Tell whether a clearance lets somebody see data so classified.

    A classification covers itself, and those of its scheme whose level is lower. Two of one level, such as PII and PC1,
    do not cover each other.
    """
    return any(
        classification == given or (classification.scheme == given.scheme and classification.level < given.level)
        for given in clearance
    )


def _hidden(clearance: Sequence[Classification], seen: _Seen) -> Iterator[str]:
    for datastore, dataset in seen:
        for column in dataset.columns:
            if not all(covers(clearance, c) for c in (*dataset.classification, *column.classification)):
                yield f"{datastore}.{dataset.name}.{column.name}"


def _words(clearance: Sequence[Classification]) -> str:
    return ", ".join(sorted({f"{c.scheme}.{c.name}" if c.scheme else c.name for c in clearance}))
