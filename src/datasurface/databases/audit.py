"""What crosses when two databases are compared: sums by bucket, and the rows of buckets that differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from datasurface.release.job import JobDataset

__all__ = ["Audited", "BucketSum", "Change"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketSum:
    """How many rows a bucket has, and two sums over their hashes."""

    count: int
    first: int
    second: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A row of a bucket that differs.

    Attributes:
        value: Its values as one text.
        count: How many rows have its key.
        old: Whether the source has had it unchanged since the last merged batch; None if the source cannot tell.
    """

    value: str
    count: int
    old: bool | None


@runtime_checkable
class Audited(Protocol):
    """A reading whose database can compute the sums itself, so that no rows have to travel."""

    def checksums(self, dataset: JobDataset, buckets: int) -> Mapping[int, BucketSum]:
        """Return the sums of each bucket."""
        ...

    def bucket_rows(
        self, dataset: JobDataset, buckets: int, wanted: Iterable[int], since: Mapping[str, object]
    ) -> Mapping[str, Change]:
        """Return the rows of some buckets by key; `since` is the position of the last merged batch."""
        ...

    def knows_age(self, dataset: JobDataset, since: Mapping[str, object]) -> bool:
        """Tell whether the source knows which rows it has changed since a position."""
        ...
