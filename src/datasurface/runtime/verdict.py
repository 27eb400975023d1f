"""What a scheduler is to make of a job: the exit codes of `datasurface job`, and the order among them.

It must not know how a job is run.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from datasurface.errors import DataSurfaceError, LostStreamError, NothingActiveError, StreamBusyError, TransientError
from datasurface.runtime.report import BatchReport

__all__ = ["Verdict", "verdict_of", "verdict_of_error", "worst"]

_PASSING = (TransientError, StreamBusyError, LostStreamError, NothingActiveError)
_AGAIN = frozenset({"busy", "stopped", "absent"})


class Verdict(IntEnum):
    """An exit code."""

    CHANGED = 0
    """Consumers see something else than before."""
    FAILED = 1
    """It stays so until somebody does something."""
    AGAIN = 75
    """It may pass by itself: EX_TEMPFAIL of sysexits."""
    NOTHING = 99
    """Nothing was to be done, or nothing changed: a skipped task of Airflow."""


_ORDER = (Verdict.FAILED, Verdict.AGAIN, Verdict.CHANGED, Verdict.NOTHING)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return what several come to: failed before again, again before changed, changed before nothing."""
    found = set(verdicts)
    return next((verdict for verdict in _ORDER if verdict in found), Verdict.NOTHING)


def verdict_of(report: BatchReport) -> Verdict:
    """Return what a scheduler is to make of a batch.

    A transformer whose inputs were never merged has nothing to do: when they are, it is started again. A stream that
    the active release does not have is one of a release that is about to be applied, or gone.
    """
    if report.ok:
        return Verdict.CHANGED if report.changed else Verdict.NOTHING
    if report.state == "waiting":
        return Verdict.NOTHING if report.nothing else Verdict.AGAIN
    if report.state in _AGAIN or (report.transient and report.state != "parked"):
        return Verdict.AGAIN
    return Verdict.FAILED


def verdict_of_error(error: DataSurfaceError) -> Verdict:
    """Return what a scheduler is to make of a job that could not begin, or not go on."""
    return Verdict.AGAIN if _passes(error) else Verdict.FAILED


def _passes(error: BaseException | None) -> bool:
    """Tell whether an error or what it came from may pass by itself."""
    while error is not None:
        if isinstance(error, _PASSING):
            return True
        error = error.__cause__ or error.__context__
    return False
