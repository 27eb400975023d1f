"""Runs checks: those that reach something all at once, each with a limit of time. One that breaks fails alone."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from datasurface.deploy.preflight.check import (
    Check,
    Needs,
    Outcome,
    Result,
    UnseenError,
    Verdict,
    failed,
    passed,
    warned,
)
from datasurface.errors import DataSurfaceError

__all__ = ["run_checks"]

T = TypeVar("T")
_NOTHING = "there is nothing of this kind"


def run_checks(checks: Sequence[Check[T]], subject: T, *, offline: bool = False) -> tuple[Result, ...]:
    """Return what every check found, the most severe first.

    Checks without needs run one by one, in this thread; the others at once, those that wait for another after it.

    Args:
        checks: What is looked at.
        subject: What each check is given.
        offline: Whether checks that need credentials are left out.
    """
    near = [check for check in checks if check.needs is Needs.NOTHING]
    far = [check for check in checks if check.needs is not Needs.NOTHING]
    found = [result for check in near for result in _results(check, _guarded(check, subject))]
    if not offline:
        for wave in _waves(far):
            broken = {result.id for result in found if result.verdict in {Verdict.FAIL, Verdict.SKIPPED}}
            found += _at_once(wave, subject, broken)
    return tuple(sorted(found, key=lambda result: result.order))


def _waves(checks: Sequence[Check[T]]) -> Iterator[list[Check[T]]]:
    """Yield checks so that each comes after the one that it waits for."""
    left = list(checks)
    while left:
        waiting = {check.id for check in left}
        wave = [check for check in left if check.after not in waiting] or left
        yield wave
        left = [check for check in left if check not in wave]


def _at_once(checks: Sequence[Check[T]], subject: T, broken: set[str]) -> list[Result]:
    found: list[Result] = []
    started: list[_Look[T]] = []
    for check in checks:
        if check.after in broken:
            why = f"{check.after} has to pass first"
            found += _results(check, [Outcome(verdict=Verdict.SKIPPED, why=why, waits_for=check.after)])
        else:
            started.append(_Look.start(check, subject))
    for look in started:
        found += _results(look.check, look.outcomes())
    return found


@dataclass(slots=True)
class _Look(Generic[T]):
    """A check in a thread of its own, which is left behind if it takes too long."""

    check: Check[T]
    since: float
    done: threading.Event = field(default_factory=threading.Event)
    found: list[Outcome] = field(default_factory=list)

    @classmethod
    def start(cls, check: Check[T], subject: T) -> _Look[T]:
        look = cls(check, time.monotonic())
        threading.Thread(target=look._look, args=(subject,), name=check.id, daemon=True).start()
        return look

    def _look(self, subject: T) -> None:
        self.found = _guarded(self.check, subject)
        self.done.set()

    def outcomes(self) -> list[Outcome]:
        left = self.since + self.check.seconds - time.monotonic()
        if self.done.wait(max(0.0, left)):
            return self.found
        why = f"no answer in {self.check.seconds:g} s"
        return [failed(why, "is there a way from here to it (proxy, VPN, private endpoint)? Then try again")]


def _guarded(check: Check[T], subject: T) -> list[Outcome]:
    try:
        return list(check.look(subject))
    except UnseenError as error:
        return [warned(error.message, error.hint)]
    except DataSurfaceError as error:
        return [failed(error.message, error.hint)]
    except Exception as error:  # noqa: BLE001 - one check that breaks must not end the others
        return [failed(f"the check itself broke: {type(error).__name__}: {error}", "report it; the others go on")]


def _results(check: Check[T], outcomes: Iterable[Outcome]) -> list[Result]:
    """Return what a check found, what it found twice once."""
    found = list({repr(outcome): outcome for outcome in outcomes}.values()) or [passed(_NOTHING)]
    return [Result(id=check.id, title=check.title, outcome=outcome) for outcome in found]
