"""A change of access as a value: what it does in words, and the statements that do it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

__all__ = ["Change", "Phase"]


class Phase(IntEnum):
    """The order in which changes are made: rights are taken before others are given, roles are dropped last."""

    ROLES = 1
    SCHEMAS = 2
    OWNERS = 3
    REVOKES = 4
    GRANTS = 5
    LOGINS = 6
    DROPS = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change of access.

    Attributes:
        phase: When it is made.
        action: A verb: create, alter, own, grant, revoke, join, leave, enable, disable, drop.
        target: What it is about, such as `role ds.acme.yellow.owner`.
        detail: What changes, in words; may be empty.
        statements: What runs, in one transaction; never a password or its verifier.
        unsafe: Why somebody has to agree to it; empty if nobody has.
        blocked: Why it cannot be made, and what to do; empty if it can.
        advice: Whether it concerns what is not ours alone, so that its absence is no drift.
        settled: Whether nothing else can have changed with it; else the catalog is looked at again.
        role: The role whose login it enables, or that it drops; empty for other changes.
    """

    phase: Phase
    action: str
    target: str
    detail: str = ""
    statements: tuple[str, ...] = ()
    unsafe: str = ""
    blocked: str = ""
    advice: bool = False
    settled: bool = True
    role: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells it from other changes of the same state."""
        return self.action, self.target, self.detail

    def sentence(self) -> str:
        """Return the change as one line of a plan."""
        reason = f" BLOCKED: {self.blocked}" if self.blocked else f" UNSAFE: {self.unsafe}" if self.unsafe else ""
        return f"{self.action} {self.target}{f': {self.detail}' if self.detail else ''}{reason}"

    def to_json(self) -> dict[str, object]:
        """Return the change as `--json` has it."""
        return {
            "action": self.action,
            "target": self.target,
            "detail": self.detail,
            "statements": list(self.statements),
            "unsafe": self.unsafe or None,
            "blocked": self.blocked or None,
            "advice": self.advice,
        }
