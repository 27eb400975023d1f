"""A check and what it found, as values. Knows no target: what a check looks at is its own business."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from datasurface.errors import DataSurfaceError
from datasurface.secrets.masking import masked

__all__ = [
    "Check",
    "Needs",
    "Outcome",
    "Result",
    "UnseenError",
    "Verdict",
    "failed",
    "passed",
    "skipped",
    "told",
    "warned",
]

T = TypeVar("T")


class Verdict(StrEnum):
    """How something was found, the most severe first."""

    FAIL = "fail"
    WARN = "warn"
    SKIPPED = "skipped"
    PASS = "pass"  # noqa: S105 - no password

    @property
    def severity(self) -> int:
        """The place in a table: 0 comes first."""
        return list(Verdict).index(self)


class Needs(StrEnum):
    """What a check has to reach."""

    NOTHING = "nothing"
    CREDENTIALS = "credentials"


class UnseenError(DataSurfaceError):
    """A check may not look at what it is about, so that nothing is known of it; the hint says what would let it."""

    code = "DS-601"
    exit_code = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one thing was found by a check.

    Attributes:
        verdict: Whether the target would accept it.
        why: What was seen; never a secret.
        remedy: The command, or the change of the model, that puts it right; empty if nothing has to be.
        about: Which thing, where a check looks at several.
        document: What the remedy needs besides, such as a policy.
        told: Whether it is told even if it passed, such as what something costs.
        waits_for: The check that has to pass first, if that is why nothing was looked at.
    """

    verdict: Verdict
    why: str
    remedy: str = ""
    about: str = ""
    document: Mapping[str, object] | None = None
    told: bool = False
    waits_for: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check(Generic[T]):
    """One thing that can make a deployment fail, and how to see it before.

    Attributes:
        id: Its stable name, such as `aws.names.bucket`.
        title: What it is about, in a few words.
        looks_at: What it compares with what.
        fails: When it fails or warns.
        remedy: What helps, in general; an outcome says it exactly.
        look: Returns what was found; nothing found means that there is nothing to look at.
        needs: What it has to reach.
        after: The check that has to have passed before; empty for none.
        seconds: How long it may take.
    """

    id: str
    title: str
    looks_at: str
    fails: str
    remedy: str
    look: Callable[[T], Iterable[Outcome]]
    needs: Needs = Needs.NOTHING
    after: str = ""
    seconds: float = 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """An outcome, and which check it is of."""

    id: str
    title: str
    outcome: Outcome

    @property
    def verdict(self) -> Verdict:
        """How it was found."""
        return self.outcome.verdict

    @property
    def order(self) -> tuple[int, str, str, str]:
        """By what results are sorted: severity, then the check's name, then the thing."""
        return self.verdict.severity, self.id, self.outcome.about, self.outcome.why

    def to_json(self) -> dict[str, object]:
        """Return what `--json` prints; known secrets are masked."""
        found = self.outcome
        return {
            "check": self.id,
            "title": self.title,
            "verdict": found.verdict.value,
            "about": found.about or None,
            "why": masked(found.why),
            "remedy": masked(found.remedy) or None,
            "document": found.document,
        }


def passed(why: str, *, about: str = "") -> Outcome:
    """Return that the target would accept it."""
    return Outcome(verdict=Verdict.PASS, why=why, about=about)


def told(why: str, *, about: str = "") -> Outcome:
    """Return something that people want to know though nothing is wrong."""
    return Outcome(verdict=Verdict.PASS, why=why, about=about, told=True)


def warned(why: str, remedy: str, *, about: str = "", document: Mapping[str, object] | None = None) -> Outcome:
    """Return something to know, which does not keep the target from accepting it."""
    return Outcome(verdict=Verdict.WARN, why=why, remedy=remedy, about=about, document=document)


def failed(why: str, remedy: str, *, about: str = "", document: Mapping[str, object] | None = None) -> Outcome:
    """Return that the target would not accept it, or that it would not work there."""
    return Outcome(verdict=Verdict.FAIL, why=why, remedy=remedy, about=about, document=document)


def skipped(why: str, remedy: str = "", *, about: str = "") -> Outcome:
    """Return that nothing was looked at, and why."""
    return Outcome(verdict=Verdict.SKIPPED, why=why, remedy=remedy, about=about)
