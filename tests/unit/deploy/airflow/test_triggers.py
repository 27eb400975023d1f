"""Schedules: what a model says becomes what Airflow understands, spread by name, the same everywhere."""

from __future__ import annotations

import re

import pytest

from datasurface import Cron, External
from datasurface.deploy.airflow.trigger import trigger_of
from datasurface.errors import ConfigurationError
from datasurface.release.job import Changed


@pytest.mark.parametrize("every", [External(), Changed()])
def test_what_has_no_times_has_no_schedule(every: External) -> None:
    assert trigger_of("crm", every) is None


def test_a_cron_keeps_its_time_zone() -> None:
    assert trigger_of("crm", Cron("0 6 * * 1-5", tz="Europe/Berlin")) == {"cron": "0 6 * * 1-5", "tz": "Europe/Berlin"}


@pytest.mark.parametrize(
    ("every", "expression"),
    [
        ("1 minute", r"\* \* \* \* \*"),
        ("5 minutes", r"[0-4]-59/5 \* \* \* \*"),
        ("30 minutes", r"\d+-59/30 \* \* \* \*"),
        ("60 minutes", r"\d+ \* \* \* \*"),
        ("1 hour", r"\d+ \* \* \* \*"),
        ("6 hours", r"\d+ \*/6 \* \* \*"),
        ("1 day", r"\d+ 0 \* \* \*"),
        ("24 hours", r"\d+ 0 \* \* \*"),
        ("1 week", r"\d+ 0 \* \* 0"),
        ("120 seconds", r"[01]-59/2 \* \* \* \*"),
    ],
)
def test_what_divides_an_hour_a_day_or_a_week_is_a_grid(every: str, expression: str) -> None:
    found = trigger_of("crm", every)
    assert found is not None
    assert found["tz"] == "UTC"
    assert re.fullmatch(expression, str(found["cron"]))


@pytest.mark.parametrize(
    ("every", "seconds"), [("45 seconds", 45), ("7 minutes", 420), ("90 minutes", 5400), ("5 hours", 18000)]
)
def test_other_intervals_are_counted_from_run_to_run(every: str, seconds: int) -> None:
    assert trigger_of("crm", every) == {"seconds": seconds}


def test_streams_do_not_all_start_in_one_minute() -> None:
    minutes = [str(trigger_of(f"s{number}", "1 hour")).split()[1] for number in range(600)]
    assert len(set(minutes)) == 60
    assert max(minutes.count(minute) for minute in set(minutes)) < 30


def test_what_is_no_interval_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="'often' is no interval"):
        trigger_of("crm", "often")
