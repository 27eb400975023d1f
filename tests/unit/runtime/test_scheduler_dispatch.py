from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasurface.graph.order import acyclic
from datasurface.model.capture import Snapshot
from datasurface.model.infrastructure import PostgresDatabase
from datasurface.model.vocabulary import Priority
from datasurface.release.job import JobSpec
from datasurface.runtime.dispatch import Dispatch
from datasurface.runtime.timetable import Timetable

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
NAMES = st.sampled_from("abcdef")


def job(stream: str, *, priority: Priority = Priority.MEDIUM, source: str = "db", connections: int = 4) -> JobSpec:
    container = PostgresDatabase(source, host="localhost", database="d")
    return JobSpec(
        stream,
        platform="yellow",
        datastore=stream,
        datasets=(),
        capture=Snapshot(container, every="1 minute"),
        priority=priority,
        connections=connections,
    )


def dispatch_of(
    *jobs: JobSpec, after: Mapping[str, Collection[str]] | None = None, limits: Mapping[str, int] | None = None
) -> Dispatch:
    dispatch = Dispatch(limits=limits or {}, after=after or {})
    dispatch.admit(jobs, NOON)
    return dispatch


def picked(dispatch: Dispatch) -> list[str]:
    """Pick as long as there is anything to pick, and finish nothing."""
    streams: list[str] = []
    while (chosen := dispatch.pick()) is not None:
        streams.append(chosen.stream)
    return streams


def order(dispatch: Dispatch) -> list[str]:
    """Run one at a time until nothing is left."""
    streams: list[str] = []
    while (chosen := dispatch.pick()) is not None:
        streams.append(chosen.stream)
        dispatch.finish(chosen.stream)
    assert dispatch.idle
    return streams


def test_the_highest_priority_goes_first_and_equals_by_name():
    jobs = [
        job("slow", priority=Priority.LOW),
        job("b"),
        job("a"),
        job("vital", priority=Priority.CRITICAL),
        job("soon", priority=Priority.HIGH),
    ]
    assert order(dispatch_of(*jobs)) == ["vital", "soon", "a", "b", "slow"]


@pytest.mark.parametrize(("minutes", "first"), [(2.9, "vital"), (3.1, "slow")])
def test_waiting_makes_up_for_priority(minutes: float, first: str):
    dispatch = dispatch_of(job("slow", priority=Priority.LOW))
    dispatch.admit([job("vital", priority=Priority.CRITICAL)], NOON + minutes * MINUTE)
    assert order(dispatch)[0] == first


def test_low_priority_is_not_starved_by_a_flood_of_critical_streams():
    dispatch = dispatch_of(job("slow", priority=Priority.LOW), limits={"db": 1})
    ran = []
    for tick in range(60):  # two critical streams come for each one that can run
        now = NOON + tick * timedelta(seconds=10)
        dispatch.admit([job(f"vital {tick} {n}", priority=Priority.CRITICAL) for n in (0, 1)], now)
        chosen = dispatch.pick()
        assert chosen is not None
        dispatch.finish(chosen.stream)
        ran.append(chosen.stream)
    assert "slow" in ran


def test_a_full_container_holds_back_its_own_streams_only():
    jobs = [job(f"a{n}", source="a", priority=Priority.CRITICAL) for n in range(3)] + [job("b0", source="b")]
    dispatch = dispatch_of(*jobs, limits={"a": 2})
    assert picked(dispatch) == ["a0", "a1", "b0"]
    dispatch.finish("b0")
    assert picked(dispatch) == []
    dispatch.finish("a0")
    assert picked(dispatch) == ["a2"]


def test_the_limit_is_the_container_s_connections_unless_given_and_never_none_at_all():
    jobs = [job(f"s{n}", connections=3) for n in range(5)]
    assert len(picked(dispatch_of(*jobs))) == 3
    assert len(picked(dispatch_of(*jobs, limits={"db": 4}))) == 4
    assert len(picked(dispatch_of(*jobs, limits={"db": 0}))) == 1


def test_a_stream_runs_once_at_a_time_and_is_queued_once():
    dispatch = dispatch_of(job("a"))
    dispatch.admit([job("a")], NOON)
    assert picked(dispatch) == ["a"]
    dispatch.admit([job("a")], NOON)
    assert picked(dispatch) == []
    dispatch.finish("a")
    assert dispatch.idle
    dispatch.admit([job("a")], NOON)
    assert picked(dispatch) == ["a"]


def test_inputs_come_before_dependents_whatever_their_priority():
    jobs = [job("mart", priority=Priority.CRITICAL), job("join"), job("crm"), job("erp", priority=Priority.LOW)]
    dispatch = dispatch_of(*jobs, after={"mart": {"join"}, "join": {"crm", "erp"}})
    assert order(dispatch) == ["crm", "erp", "join", "mart"]


def test_inputs_that_are_not_due_are_not_waited_for():
    assert order(dispatch_of(job("mart"), after={"mart": {"crm"}})) == ["mart"]


def test_a_dependent_waits_for_the_run_that_is_on_not_for_later_ones():
    dispatch = dispatch_of(job("crm"), after={"mart": {"crm"}})
    assert picked(dispatch) == ["crm"]
    dispatch.admit([job("mart")], NOON)
    assert picked(dispatch) == []
    dispatch.finish("crm")
    dispatch.admit([job("crm")], NOON)
    assert sorted(picked(dispatch)) == ["crm", "mart"]


def test_what_waits_can_be_forgotten_while_what_runs_goes_on():
    dispatch = dispatch_of(job("a"), job("b"), job("c"), after={"c": {"a"}}, limits={"db": 1})
    assert picked(dispatch) == ["a"]
    dispatch.clear({"b": {"a"}})
    assert dispatch.running == {"a"}
    assert not dispatch.waiting
    dispatch.admit([job("b")], NOON)
    dispatch.finish("a")
    assert order(dispatch) == ["b"]


def test_cycles_lose_one_edge_and_nothing_else():
    assert acyclic({"a": ["b"], "b": ["a"], "c": ["b"]}) == {"a": set(), "b": {"a"}, "c": {"b"}}
    assert acyclic({"a": ["b"], "b": ["a", "crm"]}) == {"a": {"b"}, "b": {"crm"}}, "it begins where a source enters"
    assert acyclic({"a": ["a"]}) == {"a": set()}


def test_a_long_chain_is_no_recursion():
    chain = {f"s{n:05}": [f"s{n + 1:05}"] for n in range(5000)}
    assert acyclic(chain)["s00000"] == {"s00001"}


@given(after=st.dictionaries(NAMES, st.sets(NAMES)), sources=st.dictionaries(NAMES, st.sampled_from("xy")))
def test_any_order_ends_and_runs_every_stream_once(after: dict[str, set[str]], sources: dict[str, str]):
    jobs = [job(name, source=sources.get(name, "z"), connections=1) for name in "abcdef"]
    ran = order(dispatch_of(*jobs, after=after))
    assert sorted(ran) == list("abcdef")
    assert all(ran.index(i) < ran.index(stream) for stream, inputs in acyclic(after).items() for i in inputs)


@given(st.lists(st.tuples(NAMES, st.integers(0, 5), st.booleans())))
def test_a_timetable_answers_as_a_dictionary_would(steps: list[tuple[str, int, bool]]):
    timetable, expected = Timetable(), dict[str, datetime]()
    for stream, minutes, taking in steps:
        time = NOON + minutes * MINUTE
        if taking:
            due = sorted((due, name) for name, due in expected.items() if due <= time)
            assert timetable.take(time) == [name for _, name in due]
            expected = {name: due for name, due in expected.items() if due > time}
        else:
            timetable.set(stream, time)
            expected[stream] = time
        assert timetable.next() == min(expected.values(), default=None)
