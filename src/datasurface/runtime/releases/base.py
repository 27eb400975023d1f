"""What a follower asks of a place that holds releases: a cheap look, a description, the file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from datasurface.model.release_rule import RefKind, ReleaseRule
from datasurface.release.published import Published

__all__ = ["Candidate", "ReleaseSource", "newest"]

_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A release as a cheap look shows it.

    Attributes:
        kind: Whether it is of a tag or of a branch's commit.
        name: The tag's or the branch's.
        commit: All digits of the commit; empty if only the description tells.
        committed_at: When the commit was made; None if only the description tells.
        key: Where it is, as its store knows it.
    """

    kind: RefKind
    name: str
    commit: str = ""
    committed_at: datetime | None = None
    key: str = ""

    @property
    def label(self) -> str:
        """It in words."""
        return f"{self.kind} {self.name}" + (f" at {self.commit[:12]}" if self.commit else "")


class ReleaseSource(Protocol):
    """A place that holds the releases of one ecosystem and environment."""

    @property
    def label(self) -> str:
        """The place in words, without any secret."""
        ...

    def look(self, rule: ReleaseRule | None) -> Sequence[Candidate]:
        """Return what a rule takes, or everything; in about one request.

        Raises:
            StoreError: the place does not exist, or refuses.
            TransientError: it is out of reach now.
        """
        ...

    def describe(self, candidate: Candidate) -> Published:
        """Return what is known of a release.

        Raises:
            StoreError: it is damaged, or cannot be built.
            TransientError: the place is out of reach now.
        """
        ...

    def fetch(self, published: Published, folder: Path) -> Path:
        """Write the release file into a folder and return its path; it is what its description says.

        Raises:
            StoreError: it is absent or damaged.
            TransientError: the place is out of reach now.
        """
        ...


def newest(candidates: Iterable[Candidate], rule: ReleaseRule) -> Candidate | None:
    """Return what a rule selects among those that it takes: the highest version, or the newest commit."""
    taken = [c for c in candidates if rule.matches(c.kind, c.name)]
    if rule.kind is RefKind.TAG:
        return max(taken, key=lambda c: rule.order(c.name), default=None)
    return max(taken, key=lambda c: (c.committed_at or _NEVER, c.commit), default=None)
