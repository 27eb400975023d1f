from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta

import pytest

from datasurface.errors import ConfigurationError, MissingExtraError
from datasurface.model.capture import Cron, Every, External
from datasurface.runtime.schedule import is_due, next_due, offset

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
BERLIN = "Europe/Berlin"  # 2026: forward on 29 March at 01:00 UTC, back on 25 October at 01:00 UTC
NEW_YORK = "America/New_York"  # 2026: forward on 8 March at 07:00 UTC, back on 1 November at 06:00 UTC
HAVANA = "America/Havana"  # 2026: forward on 8 March at 05:00 UTC, where midnight does not exist


def occurrences(cron: Cron, since: str, until: str) -> list[str]:
    """Run the schedule as a process would that starts each batch a little after it is due."""
    last, end = datetime.fromisoformat(since + "Z"), datetime.fromisoformat(until + "Z")
    found: list[str] = []
    while (due := next_due(cron, last, last)) is not None and due < end:
        found.append(due.strftime("%d %H:%M"))
        last = due + timedelta(milliseconds=3)
    return found


@pytest.mark.parametrize(
    ("every", "last", "due"),
    [
        ("5 minutes", None, NOON),
        ("5 minutes", NOON - 2 * MINUTE, NOON + 3 * MINUTE),
        ("5 minutes", NOON - 5 * MINUTE, NOON),
        ("5 minutes", NOON - timedelta(days=3), NOON - timedelta(days=3) + 5 * MINUTE),  # in the past: at once
        ("1 day", NOON, NOON + timedelta(days=1)),
        ("5 minutes", NOON + timedelta(days=1), NOON + 5 * MINUTE),  # the clock was set back
        ("5 minutes", NOON + 2 * MINUTE, NOON + 5 * MINUTE),
        (External(), None, None),
        (External(), NOON - timedelta(days=9), None),
        (Cron("0 6 * * *"), None, NOON),  # a new stream need not wait for its first occurrence
        (Cron("0 6 * * *"), NOON, NOON + timedelta(hours=18)),
        (Cron("0 6 * * *"), NOON - timedelta(days=4), NOON - timedelta(days=3, hours=6)),  # missed: at once
        (Cron("0 6 * * *"), NOON + timedelta(days=90), NOON + timedelta(hours=18)),  # the clock was set back
        (Cron("0 12 * * *"), NOON, NOON + timedelta(days=1)),
        (Cron("0 12 * * *"), NOON - timedelta(microseconds=1), NOON),
    ],
)
def test_next_due(every: Every, last: datetime | None, due: datetime | None):
    assert next_due(every, last, NOON) == due


@pytest.mark.parametrize("every", ["2 minutes", Cron("*/2 * * * *")])
def test_a_long_pause_is_caught_up_once(every: Every):
    slept_since = NOON - timedelta(days=2)
    assert is_due(every, slept_since, NOON)
    assert not is_due(every, NOON, NOON + timedelta(seconds=119))
    assert is_due(every, NOON, NOON + timedelta(seconds=120))


@pytest.mark.parametrize(
    ("every", "last", "due"),
    [
        ("1 hour", None, True),
        ("1 hour", NOON - timedelta(minutes=59), False),
        ("1 hour", NOON - timedelta(minutes=60), True),
        ("1 hour", NOON + timedelta(seconds=1), False),  # two machines' clocks differ
        ("1 hour", NOON + timedelta(days=9), True),  # the clock was set back: nobody knows when it ran
        (Cron("0 0 1 1 *"), NOON + timedelta(days=9), True),
        (External(), None, False),
        (External(), NOON + timedelta(days=9), False),
    ],
)
def test_is_due(every: Every, last: datetime | None, *, due: bool):
    assert is_due(every, last, NOON) is due


@pytest.mark.parametrize(
    ("cron", "since", "until", "expected"),
    [
        # a time that does not exist: once, right after the gap
        (Cron("30 2 * * *", tz=BERLIN), "2026-03-28T00:00", "2026-03-31T00:00", "28 01:30, 29 01:00, 30 00:30"),
        (Cron("30 2 * * *", tz=NEW_YORK), "2026-03-07T00:00", "2026-03-10T00:00", "07 07:30, 08 07:00, 09 06:30"),
        (Cron("0 2 * * *", tz=BERLIN), "2026-03-29T00:00", "2026-03-30T12:00", "29 01:00, 30 00:00"),
        (Cron("30 0 * * *", tz=HAVANA), "2026-03-08T00:00", "2026-03-10T00:00", "08 05:00, 09 04:30"),
        # several of them meet in one instant and are one run
        (Cron("0,20,40 2 * * *", tz=BERLIN), "2026-03-29T00:00", "2026-03-30T00:10", "29 01:00, 30 00:00"),
        (Cron("*/20 2 * * *", tz=BERLIN), "2026-03-29T00:00", "2026-03-30T00:10", "29 01:00, 30 00:00"),
        (Cron("15 1,2,3 * * *", tz=BERLIN), "2026-03-29T00:00", "2026-03-29T12:00", "29 00:15, 29 01:00, 29 01:15"),
        # a time that comes twice: once, the first time
        (Cron("30 2 * * *", tz=BERLIN), "2026-10-24T12:00", "2026-10-27T00:00", "25 00:30, 26 01:30"),
        (Cron("30 1 * * *", tz=NEW_YORK), "2026-10-31T12:00", "2026-11-03T00:00", "01 05:30, 02 06:30"),
        (Cron("*/30 2 * * *", tz=BERLIN), "2026-10-24T12:00", "2026-10-26T01:15", "25 00:00, 25 00:30, 26 01:00"),
        # the edges of the doubled hour exist once
        (Cron("0 3 * * *", tz=BERLIN), "2026-10-25T00:00", "2026-10-26T00:00", "25 02:00"),
        (Cron("59 1 * * *", tz=BERLIN), "2026-10-24T12:00", "2026-10-26T00:00", "24 23:59"),
        # a last run in the second pass of the doubled hour does not bring back the first
        (Cron("30 2 * * *", tz=BERLIN), "2026-10-25T01:10", "2026-10-26T12:00", "26 01:30"),
        (Cron("*/5 2 * * *", tz=BERLIN), "2026-10-25T01:10", "2026-10-26T01:01", "26 01:00"),
        # wildcard hours: every real hour
        (Cron("0 * * * *", tz=BERLIN), "2026-03-29T00:30", "2026-03-29T03:30", "29 01:00, 29 02:00, 29 03:00"),
        (Cron("0 * * * *", tz=BERLIN), "2026-10-24T23:30", "2026-10-25T02:30", "25 00:00, 25 01:00, 25 02:00"),
        (Cron("30 * * * *", tz=NEW_YORK), "2026-03-08T06:00", "2026-03-08T08:50", "08 06:30, 08 07:30, 08 08:30"),
        (Cron("30 * * * *", tz=NEW_YORK), "2026-11-01T05:00", "2026-11-01T07:50", "01 05:30, 01 06:30, 01 07:30"),
        (Cron("*/30 * * * *", tz=BERLIN), "2026-10-25T00:10", "2026-10-25T01:40", "25 00:30, 25 01:00, 25 01:30"),
        # days and weekdays are local ones
        (Cron("0 6 * * 1-5", tz=BERLIN), "2026-03-27T00:00", "2026-03-31T00:00", "27 05:00, 30 04:00"),
        (Cron("0 0 1 * *", tz=NEW_YORK), "2026-03-02T00:00", "2026-05-02T00:00", "01 04:00, 01 04:00"),
        (Cron("0 0 29 2 *"), "2026-03-01T00:00", "2029-01-01T00:00", "29 00:00"),
        (Cron("0 0 13 * 5"), "2026-03-09T00:00", "2026-03-15T00:00", "13 00:00"),
        (Cron("0 0 * * 7"), "2026-03-09T00:00", "2026-03-23T00:00", "15 00:00, 22 00:00"),
    ],
)  # fmt: skip
def test_cron_occurrences(cron: Cron, since: str, until: str, expected: str):
    assert ", ".join(occurrences(cron, since, until)) == expected


@pytest.mark.parametrize("tz", [BERLIN, NEW_YORK])
@pytest.mark.parametrize("minute", [0, 1, 29, 30, 59])
@pytest.mark.parametrize("hour", [0, 1, 2, 3, 4, 23])
def test_a_daily_cron_runs_on_every_day_of_a_year_once(tz: str, hour: int, minute: int):
    runs = occurrences(Cron(f"{minute} {hour} * * *", tz=tz), "2026-01-01T10:00", "2027-01-01T10:00")
    assert len(runs) == 365


@pytest.mark.parametrize(
    ("every", "says"),
    [
        ("soon", "'soon' is no interval"),
        ("0 minutes", "'0 minutes' is no interval"),
        (Cron("61 * * * *"), "bad minute"),
        (Cron("0 6 * *"), "4 fields, not 5"),
        (Cron("0 0 6 * * *"), "6 fields, not 5"),
        (Cron("0 0 31 2 *"), "bad day-of-month"),
        (Cron("0 0 1 2 1#6"), "bad day-of-week"),
        (Cron("0 6 * * *", tz="Europe/Berlino"), "no time zone 'Europe/Berlino'"),
        (Cron("0 6 * * *", tz="../../etc/passwd"), "no time zone"),
        (Cron("0 6 * * *", tz="Europe"), "no time zone"),
    ],
)
def test_a_schedule_that_cannot_be_understood_is_named(every: Every, says: str):
    for last in (NOON, None):
        with pytest.raises(ConfigurationError, match=says):
            next_due(every, last, NOON)


def test_cron_without_its_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "cronsim", None)
    with pytest.raises(MissingExtraError, match=r'pip install "datasurface\[cron\]"'):
        next_due(Cron("0 6 * * *"), NOON, NOON)
    assert next_due("5 minutes", NOON, NOON) == NOON + 5 * MINUTE


def test_five_hundred_streams_of_a_minute_are_spread_over_it():
    names = [f"store_{n}" for n in range(500)]
    dues = [next_due("1 minute", NOON, NOON, spread=offset(name, "1 minute")) for name in names]
    a_second: dict[int, int] = {}
    for due in dues:
        assert due is not None
        assert NOON < due <= NOON + MINUTE
        a_second[due.second] = a_second.get(due.second, 0) + 1
    assert len(a_second) == 60
    assert max(a_second.values()) < 25


def test_spreading_moves_long_intervals_by_five_minutes_at_most():
    due = next_due("1 day", NOON, NOON, spread=offset("crm", "1 day"))
    assert due is not None
    assert timedelta(0) <= NOON + timedelta(days=1) - due < 5 * MINUTE


def test_the_offset_is_the_same_everywhere_and_zero_for_schedules_with_their_own_times():
    assert offset("crm", "1 minute") == offset("crm", "1 minute") != offset("erp", "1 minute")
    assert offset("crm", Cron("0 6 * * *")) == offset("crm", External()) == timedelta(0)
