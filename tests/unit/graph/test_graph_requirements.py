from __future__ import annotations

import pytest

from datasurface import DatasetGroup, History, Latency, Priority, Workspace
from datasurface.graph.build import build_graph
from datasurface.graph.requirements import strongest
from unit.graph.graph_models import consumer, group, model, need, source, stream, transformer


def test_the_strongest_need_wins_and_every_reason_is_kept():
    w = Workspace(
        "reports",
        priority=Priority.HIGH,
        groups=[
            DatasetGroup("live", sinks=["crm.d"], latency=Latency.MINUTES),
            DatasetGroup("audit", sinks=["crm.d"], history=History.FULL, latency=Latency.DAYS, retention="7 years"),
        ],
    )
    graph = build_graph(model(source("crm"), w, consumer("desk", "crm.d", priority=Priority.LOW)))
    found = need(graph, "crm")
    assert (found.history, found.latency, found.retention) == (History.FULL, Latency.MINUTES, "7 years")
    assert (stream(graph, "crm").priority, stream(graph, "crm").latency) == (Priority.HIGH, Latency.MINUTES)
    assert [str(r) for r in found.reasons] == [
        "group g of workspace desk asks for crm.d (history live, latency hours)",
        "group audit of workspace reports asks for crm.d (history full, latency days, kept 7 years)",
        "group live of workspace reports asks for crm.d (history live, latency minutes)",
    ]


def test_needs_are_each_datasets_own():
    w = Workspace("w", groups=[group("a", "crm.a"), group("b", "crm.b", history=History.FULL)])
    graph = build_graph(model(source("crm", "a", "b"), w))
    assert need(graph, "crm", "a").history is History.LIVE
    assert need(graph, "crm", "b").history is History.FULL


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        (["7 years", "90 days"], "7 years"),
        (["12 months", "360 days"], "12 months"),
        (["7 years", None], None),
        (["7 years", "not a length"], "not a length"),
    ],
)
def test_the_longest_retention_wins_and_none_is_for_ever(asked: list[str | None], kept: str | None):
    groups = [group(f"g{i}", "crm.d", history=History.FULL, retention=text) for i, text in enumerate(asked)]
    assert strongest(groups).retention == kept
    assert strongest(groups[::-1]).retention == kept


def test_a_group_that_wants_no_history_does_not_make_it_last_for_ever():
    full = group("full", "crm.d", history=History.FULL, retention="90 days")
    assert strongest([full, group("live", "crm.d")]).retention == "90 days"
    assert strongest([full, group("live", "crm.d", retention="7 years")]).retention == "7 years"
    assert strongest([group("live", "crm.d", retention="7 years")]).retention is None


def test_priority_travels_back_through_transformers():
    graph = build_graph(
        model(
            source("crm"),
            source("hr"),
            transformer("t1", "crm.d"),
            transformer("t2", "t1_out.d"),
            consumer("w", "t2_out.d", priority=Priority.CRITICAL),
            consumer("v", "t1_out.d", "hr.d", priority=Priority.LOW),
        )
    )
    assert [t.priority for t in graph.transformers] == [Priority.CRITICAL, Priority.CRITICAL]
    assert {s.name: s.priority for s in graph.streams} == {
        "crm": Priority.CRITICAL,
        "hr": Priority.LOW,
        "t1_out": Priority.CRITICAL,
        "t2_out": Priority.CRITICAL,
    }


def test_priority_travels_around_a_cycle():
    graph = build_graph(
        model(
            source("crm"),
            transformer("t1", "crm.d", "t3_out.d"),
            transformer("t2", "t1_out.d"),
            transformer("t3", "t2_out.d"),
            consumer("w", "t2_out.d", priority=Priority.HIGH),
        )
    )
    assert {s.priority for s in graph.streams} == {Priority.HIGH}


def test_a_transformers_own_priority_holds_for_its_inputs_only():
    graph = build_graph(
        model(
            source("crm"),
            transformer("t", "crm.d", priority=Priority.HIGH),
            consumer("w", "t_out.d", priority=Priority.LOW),
        )
    )
    assert graph.transformers[0].priority is Priority.HIGH
    assert {s.name: s.priority for s in graph.streams} == {"crm": Priority.HIGH, "t_out": Priority.LOW}
