from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from datasurface.model.capture import Cron, Every
from datasurface.model.effective import duration
from datasurface.runtime.schedule import next_due, offset

MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
INTERVALS = st.builds("{} {}".format, st.integers(1, 400), st.sampled_from(["seconds", "minutes", "hours", "days"]))
NAMES = st.text(min_size=1, max_size=20)
CRONS = st.builds(
    lambda minute, hour, tz: Cron(f"{minute} {hour} * * *", tz=tz),
    st.sampled_from(["0", "30", "*/20", "5,35", "*"]),
    st.sampled_from(["*", "2", "1-3", "*/6"]),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Havana"]),
)


def length(every: str) -> timedelta:
    interval = duration(every)
    assert interval is not None
    return interval


@given(every=INTERVALS, stream=NAMES, first=MOMENTS, late=st.lists(st.integers(0, 999), min_size=1, max_size=30))
def test_runs_that_start_in_time_keep_a_steady_grid(every: str, stream: str, first: datetime, late: list[int]):
    interval, spread = length(every), offset(stream, every)
    rounding = timedelta(microseconds=1) * (interval // timedelta(minutes=5) + 1)  # the grid divides into whole ones
    last, slots = first, []
    for microseconds in late:
        due = next_due(every, last, last, spread=spread)
        assert due is not None
        assert due > last
        slots.append(due)
        last = due + timedelta(microseconds=microseconds)
    for earlier, later in pairwise(slots):
        assert interval - rounding <= later - earlier <= interval


@given(every=INTERVALS, stream=NAMES, last=MOMENTS, now=MOMENTS)
def test_no_clock_stops_a_stream_for_longer_than_its_interval(every: str, stream: str, last: datetime, now: datetime):
    for spread in (None, offset(stream, every)):
        due = next_due(every, last, now, spread=spread)
        assert due is not None
        assert due <= now + length(every)


@given(every=INTERVALS | CRONS, stream=NAMES, last=MOMENTS, pause=st.timedeltas(timedelta(0), timedelta(days=400)))
def test_after_any_pause_a_stream_runs_at_most_once_at_once(
    every: Every, stream: str, last: datetime, pause: timedelta
):
    now = last + pause
    following = next_due(every, now, now, spread=offset(stream, every))
    assert following is not None
    assert following > now


@given(cron=CRONS, first=MOMENTS, late=st.lists(st.integers(0, 10**9), min_size=1, max_size=20))
def test_a_cron_never_skips_or_repeats_a_slot(cron: Cron, first: datetime, late: list[int]):
    last = first
    for microseconds in late:
        due = next_due(cron, last, last)
        assert due is not None
        assert due > last
        just_before = due - timedelta(microseconds=1)
        assert next_due(cron, just_before, just_before) == due
        between = last + (due - last) / 2
        assert next_due(cron, between, between) == due
        last = due + timedelta(microseconds=microseconds)
