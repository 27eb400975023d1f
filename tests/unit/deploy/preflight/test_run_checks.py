"""The runner of checks: order, time limits, checks that break, checks that wait for others."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable

import pytest

from datasurface.deploy.preflight.check import (
    Check,
    Needs,
    Outcome,
    UnseenError,
    Verdict,
    failed,
    passed,
    skipped,
    warned,
)
from datasurface.deploy.preflight.run import run_checks
from datasurface.errors import SecretError
from datasurface.secrets.masking import forget_all, remember

FAR = Needs.CREDENTIALS


def check(name: str, *outcomes: Outcome, needs: Needs = Needs.NOTHING, after: str = "") -> Check[None]:
    return Check(
        id=name, title=name, looks_at="", fails="", remedy="", look=lambda _: outcomes, needs=needs, after=after
    )


def breaking(name: str, error: Exception, *, needs: Needs = FAR) -> Check[None]:
    def look(_: None) -> Iterable[Outcome]:
        raise error

    return Check(id=name, title=name, looks_at="", fails="", remedy="", look=look, needs=needs)


def verdicts(*checks: Check[None], offline: bool = False) -> list[tuple[str, str]]:
    return [(result.verdict.value, result.id) for result in run_checks(checks, None, offline=offline)]


def test_the_most_severe_comes_first_then_the_name() -> None:
    found = verdicts(
        check("b", passed("ok")),
        check("a", passed("ok")),
        check("d", skipped("no")),
        check("c", warned("mind", "do")),
        check("e", failed("no", "do"), passed("ok")),
    )
    assert found == [("fail", "e"), ("warn", "c"), ("skipped", "d"), ("pass", "a"), ("pass", "b"), ("pass", "e")]


@pytest.mark.parametrize("needs", list(Needs))
def test_a_check_that_breaks_fails_alone(needs: Needs) -> None:
    found = run_checks([breaking("a", ZeroDivisionError("oh"), needs=needs), check("b", passed("ok"))], None)
    assert [(result.id, result.verdict) for result in found] == [("a", Verdict.FAIL), ("b", Verdict.PASS)]
    assert "ZeroDivisionError: oh" in found[0].outcome.why


def test_errors_of_our_own_bring_their_remedy() -> None:
    (found,) = run_checks([breaking("a", SecretError("no login", hint="log in"))], None)
    assert (found.outcome.why, found.outcome.remedy) == ("no login", "log in")


def test_what_may_not_be_looked_at_warns() -> None:
    (found,) = run_checks([breaking("a", UnseenError("may not", hint="allow x:Y"))], None)
    assert (found.verdict, found.outcome.remedy) == (Verdict.WARN, "allow x:Y")


def test_nothing_found_is_nothing_to_look_at() -> None:
    assert verdicts(check("a")) == [("pass", "a")]


def test_offline_leaves_out_what_needs_credentials() -> None:
    assert verdicts(check("a", passed("ok")), check("b", passed("ok"), needs=FAR), offline=True) == [("pass", "a")]


def test_a_check_waits_for_the_one_before_it() -> None:
    found = verdicts(
        check("late", passed("ok"), needs=FAR, after="middle"),
        check("middle", failed("no", "do"), needs=FAR, after="login"),
        check("login", passed("ok"), needs=FAR),
        check("later", passed("ok"), needs=FAR, after="late"),
        check("other", passed("ok"), needs=FAR, after="login"),
    )
    assert found == [
        ("fail", "middle"),
        ("skipped", "late"),
        ("skipped", "later"),
        ("pass", "login"),
        ("pass", "other"),
    ]


def test_those_that_reach_something_run_at_once() -> None:
    together = threading.Barrier(3, timeout=10)

    def look(_: None) -> Iterable[Outcome]:
        together.wait()
        return [passed("met")]

    checks = [
        Check(id=name, title="", looks_at="", fails="", remedy="", look=look, needs=FAR) for name in ("a", "b", "c")
    ]
    assert [result.outcome.why for result in run_checks(checks, None)] == ["met"] * 3


def test_one_that_takes_too_long_is_left_behind() -> None:
    release = threading.Event()

    def look(_: None) -> Iterable[Outcome]:
        release.wait(30)
        return [passed("late")]

    slow = Check(id="a", title="", looks_at="", fails="", remedy="", look=look, needs=FAR, seconds=0.1)
    started = time.monotonic()
    found = run_checks([slow, check("b", passed("ok"), needs=FAR)], None)
    assert time.monotonic() - started < 5
    assert [(result.id, result.verdict.value) for result in found] == [("a", "fail"), ("b", "pass")]
    assert "no answer in 0.1 s" in found[0].outcome.why
    release.set()


def test_known_secrets_are_masked() -> None:
    remember(["hunter2-is-long"])
    try:
        (found,) = run_checks([check("a", failed("it is hunter2-is-long", "not hunter2-is-long"))], None)
        assert "hunter2" not in str(found.to_json())
    finally:
        forget_all()


def test_what_is_found_twice_is_told_once() -> None:
    found = run_checks(
        [check("a", warned("w", "r", about="x"), warned("w", "r", about="x"), warned("w", "r", about="y"))], None
    )
    assert [result.outcome.about for result in found] == ["x", "y"]
