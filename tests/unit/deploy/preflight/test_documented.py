"""Every check is documented, named after its target, and seen both passing and failing by a test."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from datasurface.deploy.preflight.check import Check, Needs
from datasurface.deploy.preflight.reference import reference
from datasurface.deploy.preflight.target import installed_preflights, preflight_of
from preflight_bench import CHECKS

_HERE = Path(__file__)
_ROOT = _HERE.parents[4]
_PAGE = _ROOT / "docs/reference/preflight.md"
_LOOPS = {
    "aws.quotas.": 'passes(\n        f"aws.quotas.{which.id}"',
    "aws.taken.": "passes(check, subject(resources, clients=cloud))",
}
"""Checks of one form are tested by one function, over the table that makes them."""
_NEVER = {"aws.cost.duration"}
"""What only tells."""


def test_the_page_is_up_to_date() -> None:
    made = reference([preflight_of(name) for name in installed_preflights()])
    assert _PAGE.read_text() == made, (
        "run: python -m datasurface.deploy.preflight.reference > docs/reference/preflight.md"
    )


@pytest.mark.parametrize("target", installed_preflights())
def test_checks_are_named_and_told(target: str) -> None:
    checks = preflight_of(target).checks
    names = [check.id for check in checks]
    assert len(set(names)) == len(names)
    assert all(name.startswith(f"{target}.") for name in names)
    assert all(check.title and check.looks_at and check.fails for check in checks)
    assert all(check.after in {"", *names} for check in checks)


def test_all_of_it_ends_within_half_a_minute_even_if_nobody_answers() -> None:
    def until(name: str) -> float:
        return CHECKS[name].seconds + (until(CHECKS[name].after) if CHECKS[name].after else 0)

    assert max(until(check.id) for check in CHECKS.values() if check.needs is Needs.CREDENTIALS) <= 30


@pytest.mark.parametrize("check", CHECKS.values(), ids=lambda check: check.id)
def test_each_check_is_seen_passing_and_failing(check: Check[object]) -> None:
    text = "\n".join(path.read_text() for path in _HERE.parent.glob("test_*.py") if path != _HERE)
    if any(check.id.startswith(form) and way in text for form, way in _LOOPS.items()):
        return
    quoted = re.escape(f'"{check.id}"')
    parameter = re.search(rf"\(\s*{quoted}, ", text) is not None
    assert parameter or re.search(rf"(passes|results)\(\s*{quoted}", text), "no test sees it passing"
    failing = re.search(rf"(fails|warns)\)?\(\s*{quoted}", text)
    assert parameter or failing or check.id in _NEVER, "no test sees it failing"
