"""What `preflight` prints for people: what passes only if asked for, or worth telling; policies below the table."""

from __future__ import annotations

import json

import pytest

from datasurface.cli.preflight import _print
from datasurface.deploy.preflight.check import Outcome, Result, Verdict, failed, passed, told, warned

POLICY: dict[str, object] = {"Version": "2012-10-17", "Statement": []}


def of(name: str, outcome: Outcome) -> Result:
    return Result(id=name, title=name, outcome=outcome)


FOUND = (
    of("aws.b", failed("it lacks two actions", "add the policy", document=POLICY)),
    of("aws.a", warned("look", "do", about="it")),
    of("aws.c", told("about USD 5")),
    of("aws.d", passed("in order")),
)


def test_what_passes_is_left_out_but_for_what_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    _print(FOUND, with_passed=False)
    printed = capsys.readouterr().out
    assert "aws.d" not in printed
    assert printed.index("it lacks two actions") < printed.index("it: look") < printed.index("about USD 5")
    assert printed.rstrip().endswith("1 fail, 1 warn, 0 skipped, 2 pass")


def test_what_waits_for_another_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A login that has expired is one failure, not sixty rows."""
    why = "aws.identity.login has to pass first"
    waiting = Outcome(verdict=Verdict.SKIPPED, why=why, waits_for="aws.identity.login")
    found = (of("aws.identity.login", failed("no login", "log in")), of("aws.a", waiting), of("aws.b", waiting))
    _print(found, with_passed=False)
    printed = capsys.readouterr().out
    assert "aws.a" not in printed
    assert "2 checks were left out: they come after aws.identity.login" in printed
    assert "1 fail, 0 warn, 2 skipped, 0 pass" in printed
    _print(found, with_passed=True)
    assert "aws.a" in capsys.readouterr().out
    _print(found[:2], with_passed=False)
    assert "1 check was left out: it comes after aws.identity.login" in capsys.readouterr().out


def test_what_passes_is_shown_if_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    _print(FOUND, with_passed=True)
    assert "in order" in capsys.readouterr().out


def test_the_policy_of_a_remedy_is_printed_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    _print(FOUND, with_passed=False)
    printed = capsys.readouterr().out
    text = printed.partition("aws.b:\n")[2].rpartition("}\n")[0] + "}"
    assert json.loads(text) == POLICY
