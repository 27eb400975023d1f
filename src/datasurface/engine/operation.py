"""A change of the running system as a value: what it does in words, the statements that do it, what it needs first.

Printers and executors interpret it, so a plan costs nothing extra and prints exactly what `apply` runs.
"""

from __future__ import annotations

from dataclasses import dataclass

from datasurface.databases.merge import ViewShape
from datasurface.store.streams import DatasetState

__all__ = ["Operation"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One transaction of `apply`.

    Attributes:
        action: A verb: create, change, drop, activate.
        target: What it is about, such as `table crm.orders` or `view reports_live.crm_orders`.
        detail: What changes, in words; may be empty.
        statements: What runs, in order.
        stream: The stream that must be held meanwhile; None if none is affected.
        rewrites: How many bytes are rewritten; 0 if none are.
        refused: Why it cannot be done, and the way out; empty if it can.
        blocked: Whose objects stand in the way; empty if nobody's.
        saves_views: Views to remember as made by the platform.
        forgets_views: Views, as `(schema, name)`, to forget.
        saves_state: What is known of the dataset afterwards, with its stream.
        forgets_state: The `(stream, dataset)` whose state to forget.
        ends_history: The `(stream, dataset)` whose history is kept no longer; it begins anew if asked for again.
        destructive: Whether data goes; only `apply --prune` does it.
    """

    action: str
    target: str
    detail: str = ""
    statements: tuple[str, ...] = ()
    stream: str | None = None
    rewrites: int = 0
    refused: str = ""
    blocked: str = ""
    saves_views: tuple[ViewShape, ...] = ()
    forgets_views: tuple[tuple[str, str], ...] = ()
    saves_state: tuple[str, DatasetState] | None = None
    forgets_state: tuple[str, str] | None = None
    ends_history: tuple[str, str] | None = None
    destructive: bool = False

    def sentence(self) -> str:
        """Return the operation as one line of a plan."""
        size = f", rewrites {self.rewrites / 1_000_000:.1f} MB" if self.rewrites else ""
        reason = f" REFUSED: {self.refused}" if self.refused else f" BLOCKED: {self.blocked}" if self.blocked else ""
        return f"{self.action} {self.target}{f': {self.detail}' if self.detail else ''}{size}{reason}"

    def to_json(self) -> dict[str, object]:
        """Return the operation as a plan's JSON has it."""
        return {
            "action": self.action,
            "target": self.target,
            "detail": self.detail,
            "statements": list(self.statements),
            "stream": self.stream,
            "rewrites_bytes": self.rewrites,
            "refused": self.refused or None,
            "blocked": self.blocked or None,
            "destructive": self.destructive,
        }
