"""One thing that was looked at, as a value: pass, warn or fail, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from datasurface.errors import DataSurfaceError

__all__ = ["Check", "Verdict", "failed", "passed", "warned"]


class Verdict(StrEnum):
    """How something was found."""

    PASS = "pass"  # noqa: S105 - no password
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What was looked at and how it was found.

    Attributes:
        subject: What was looked at.
        verdict: How it was found.
        detail: What was seen; never a secret.
        remedy: What to do; empty if it passed.
    """

    subject: str
    verdict: Verdict
    detail: str
    remedy: str = ""

    def to_json(self) -> dict[str, object]:
        """Return what `--json` prints."""
        return {
            "subject": self.subject,
            "verdict": self.verdict.value,
            "detail": self.detail,
            "remedy": self.remedy or None,
        }


def passed(subject: str, detail: str) -> Check:
    """Return a check that passed."""
    return Check(subject=subject, verdict=Verdict.PASS, detail=detail)


def warned(subject: str, detail: str, remedy: str) -> Check:
    """Return a check that found something to know."""
    return Check(subject=subject, verdict=Verdict.WARN, detail=detail, remedy=remedy)


def failed(subject: str, problem: str | DataSurfaceError, remedy: str = "") -> Check:
    """Return a check that found something that keeps jobs from running; an error of ours brings its own remedy."""
    if isinstance(problem, DataSurfaceError):
        return Check(subject=subject, verdict=Verdict.FAIL, detail=problem.message, remedy=remedy or problem.hint)
    return Check(subject=subject, verdict=Verdict.FAIL, detail=problem, remedy=remedy)
