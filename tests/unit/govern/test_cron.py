"""Cron expressions as cron(8) reads them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from datasurface.govern.cron import cron_fault, longest_gap


@pytest.mark.parametrize(
    "expression",
    [
        "* * * * *",
        "0 6 * * 1-5",
        "*/5 9-17/2 1,15 JAN-mar sun",
        "0 0 29 2 *",
        "0 0 31 * *",
        "0 0 * * 7",
        "5/10 * * * *",
        "0 0 30 2 mon",
    ],
)
def test_legal_expressions_have_no_fault(expression: str):
    assert cron_fault(expression) == ""


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("", "0 fields where 5"),
        ("@daily", "1 fields where 5"),
        ("* * * * * *", "6 fields where 5"),
        ("60 * * * *", "60 in its minute is not between 0 and 59"),
        ("* 24 * * *", "24 in its hour"),
        ("* * 0 * *", "0 in its day of the month"),
        ("* * * 13 *", "13 in its month"),
        ("* * * * 8", "8 in its day of the week"),
        ("*/0 * * * *", "0 in its minute"),
        ("5-1 * * * *", "runs backwards"),
        ("1,,2 * * * *", "empty part"),
        ("x * * * *", "'x' in its minute is no number"),
        ("-1 * * * *", "empty part"),
        ("0 0 30 2 *", "no month of it has"),
        ("0 0 31 4,6 *", "no month of it has"),
    ],
)
def test_the_fault_is_named(expression: str, says: str):
    assert says in cron_fault(expression)


@pytest.mark.parametrize(
    ("expression", "at_least"),
    [
        ("* * * * *", timedelta(minutes=1)),
        ("*/5 * * * *", timedelta(minutes=5)),
        ("0 * * * *", timedelta(hours=1)),
        ("0 6 * * *", timedelta(days=1)),
        ("0 6 * * 1-5", timedelta(days=3)),
        ("0 0 1 * *", timedelta(days=27)),
    ],
)
def test_the_longest_gap_is_never_overstated(expression: str, at_least: timedelta):
    assert longest_gap(expression) == at_least


def test_what_cannot_be_read_has_no_gap():
    assert longest_gap("soon") is None
