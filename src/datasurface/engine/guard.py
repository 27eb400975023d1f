"""The guard: whether a batch deletes so much that somebody should look first. Pure."""

from __future__ import annotations

from datasurface.databases.merge import DeltaCounts
from datasurface.model.datastore import Guard
from datasurface.model.vocabulary import OutputMode

__all__ = ["verdict"]

_ALWAYS_ALLOWED = 10
"""Tables of at most this many rows may become empty."""


def verdict(
    guard: Guard, dataset: str, rows: int, delta: DeltaCounts, mode: OutputMode = OutputMode.SNAPSHOT
) -> str | None:
    """Return why the batch must be parked, or None if it may be merged.

    Args:
        guard: The datastore's guard.
        dataset: Its name, for the reason.
        rows: How many rows were current before.
        delta: What the batch would do.
        mode: Whether it was found from the whole table, or is of changes that were given.
    """
    if not guard.allow_empty and rows > _ALWAYS_ALLOWED and delta.deleted == rows and not delta.inserted:
        why = "the source is empty; " if mode is OutputMode.SNAPSHOT else ""
        return f"{dataset}: {why}it would delete all {rows} rows"
    if rows > guard.above_rows and delta.deleted > guard.max_deleted * rows:
        share = 100 * delta.deleted / rows
        limit = 100 * guard.max_deleted
        return (
            f"{dataset}: it would delete {delta.deleted} of {rows} rows ({share:.0f} %, the guard allows {limit:.0f} %)"
        )
    return None
