"""Datastores: what a producer has, and how it may be read and consumed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field

from datasurface.model.base import Noun, noun
from datasurface.model.capture import Capture
from datasurface.model.schema import Dataset
from datasurface.model.vocabulary import Access

__all__ = ["Datastore", "Guard"]


@noun
class Guard(Noun):
    """What keeps a broken source from emptying its consumers.

    Attributes:
        max_deleted: The share of current rows, 0 to 1, above which a batch's deletes park it.
        above_rows: Only tables with more rows than this are guarded by `max_deleted`.
        allow_empty: Whether a table of more than 10 rows may become empty.
    """

    max_deleted: float = 0.5
    above_rows: int = 1000
    allow_empty: bool = False


@noun
class Datastore(Noun):
    """Datasets that are produced together.

    Attributes:
        name: Unique in the ecosystem; an SQL identifier.
        capture: How it is read; None for a transformer's output, and only there.
        access: OPEN, or APPROVAL: only for the groups in `approvals`.
        approvals: `"workspace.group"` or `"workspace.group:dataset"`.
        guard: When a batch that deletes much is parked.
        deprecated: Why and what to use instead; None if it is not deprecated.
    """

    name: str = field(kw_only=False)
    capture: Capture | None = None
    datasets: Sequence[Dataset] = ()
    access: Access = Access.OPEN
    approvals: Sequence[str] = ()
    guard: Guard = Guard()
    production: bool = False
    deprecated: str | None = None
    doc: str = ""
