from __future__ import annotations

from datasurface import BigInt, Column, Consistency, Dataset, DatasetSink, Datastore, Workspace
from datasurface.graph.build import build_graph
from datasurface.graph.nodes import Edge, Graph, StreamKind
from unit.graph.graph_models import (
    consumer,
    exports,
    group,
    model,
    problems,
    running,
    source,
    stream,
    streams,
    transformer,
)


def test_an_empty_model_has_an_empty_graph():
    assert build_graph(model()) == Graph()


def test_only_what_is_asked_for_is_carried_in_the_datastores_order():
    graph = build_graph(model(source("crm", "c", "b", "a"), consumer("w", "crm.a", "crm.c")))
    assert [d.dataset.name for d in stream(graph, "crm").datasets] == ["c", "a"]
    assert graph.unused == ("crm.b",)
    assert stream(graph, "crm").kind is StreamKind.INGESTION
    assert (stream(graph, "crm").zone, stream(graph, "crm").team) == ("usa", "sales")


def test_a_datastore_that_nobody_asks_for_makes_no_stream():
    graph = build_graph(model(source("crm", "a"), source("hr", "b"), consumer("w", "crm.a")))
    assert streams(graph) == ["yellow:crm"]
    assert graph.unused == ("hr.b",)


def test_datasets_that_are_read_one_by_one_are_streams_of_their_own():
    graph = build_graph(
        model(source("crm", "a", "b", "c", consistency=Consistency.DATASET), consumer("w", "crm.b", "crm.a"))
    )
    assert streams(graph) == ["yellow:crm.a", "yellow:crm.b"]
    assert exports(graph) == {"yellow:w.g": ["crm.a", "crm.b"]}
    assert [stream for _sink, stream in graph.exports[0].sinks] == ["crm.a", "crm.b"]


def test_a_chain_of_transformers_is_followed_to_its_source():
    graph = build_graph(
        model(source("crm"), transformer("t1", "crm.d"), transformer("t2", "t1_out.d"), consumer("w", "t2_out.d"))
    )
    assert streams(graph) == ["yellow:crm", "yellow:t1_out", "yellow:t2_out"]
    assert running(graph) == ["yellow:t1", "yellow:t2"]
    assert [(t.inputs, t.outputs) for t in graph.transformers] == [(("crm",), ("t1_out",)), (("t1_out",), ("t2_out",))]
    assert stream(graph, "t1_out").kind is StreamKind.OUTPUT
    assert graph.problems == ()


def test_a_diamond_is_built_once():
    graph = build_graph(
        model(
            source("crm"),
            transformer("left", "crm.d"),
            transformer("right", "crm.d"),
            transformer("join", "left_out.d", "right_out.d"),
            consumer("w", "join_out.d"),
        )
    )
    assert streams(graph) == ["yellow:crm", "yellow:join_out", "yellow:left_out", "yellow:right_out"]
    assert graph.transformers[0].inputs == ("left_out", "right_out")


def test_a_transformer_that_nobody_consumes_is_not_run():
    graph = build_graph(model(source("crm"), transformer("t", "crm.d")))
    assert (graph.streams, graph.transformers, graph.exports, graph.problems) == ((), (), (), ())
    assert graph.unused == ("crm.d", "t_out.d")


def test_transformers_that_only_transformers_consume_are_not_run():
    graph = build_graph(model(source("crm"), transformer("t1", "crm.d", "t2_out.d"), transformer("t2", "t1_out.d")))
    assert running(graph) == []
    assert problems(graph) == []


def test_a_transformer_that_reads_its_own_output_runs_for_a_consumer():
    graph = build_graph(model(source("crm"), transformer("t", "crm.d", "t_out.d"), consumer("w", "t_out.d")))
    assert graph.transformers[0].inputs == ("crm", "t_out")
    assert problems(graph) == []


def test_a_transformer_that_only_itself_consumes_is_not_run():
    graph = build_graph(model(source("crm"), transformer("t", "crm.d", "t_out.d")))
    assert running(graph) == []
    assert graph.unused == ("crm.d", "t_out.d")


def test_own_output_that_a_transformer_reads_back_is_carried_too():
    graph = build_graph(
        model(
            source("crm"),
            transformer("t", "crm.d", "t_out.state", outputs=["d", "state", "log"]),
            consumer("w", "t_out.d"),
        )
    )
    assert [d.dataset.name for d in stream(graph, "t_out").datasets] == ["d", "state"]
    assert graph.unused == ("t_out.log",)


def test_a_cycle_with_a_source_runs():
    graph = build_graph(
        model(
            source("crm"),
            transformer("t1", "crm.d", "t2_out.d"),
            transformer("t2", "t1_out.d"),
            consumer("w", "t2_out.d"),
        )
    )
    assert running(graph) == ["yellow:t1", "yellow:t2"]
    assert problems(graph) == []


def test_a_cycle_without_source_is_reported_once_and_not_built():
    graph = build_graph(
        model(
            source("crm"),
            transformer("t2", "t1_out.d"),
            transformer("t1", "t2_out.d"),
            transformer("tail", "t1_out.d"),
            consumer("w", "tail_out.d", "crm.d"),
        )
    )
    assert problems(graph) == [("no_source", "workspace t1")]
    assert "t1, t2 feed only each other" in graph.problems[0].message
    assert streams(graph) == ["yellow:crm"]
    assert exports(graph) == {"yellow:w.g": ["crm.d"]}


def test_two_cycles_without_source_are_two_problems():
    graph = build_graph(
        model(
            transformer("a1", "a2_out.d"),
            transformer("a2", "a1_out.d"),
            transformer("b", "b_out.d"),
            consumer("w", "a1_out.d", "b_out.d"),
        )
    )
    assert problems(graph) == [("no_source", "workspace a1"), ("no_source", "workspace b")]
    assert "only its own output" in graph.problems[1].message
    assert graph.exports == ()


def test_a_transformer_without_inputs_makes_its_data_itself():
    graph = build_graph(model(transformer("calendar"), consumer("w", "calendar_out.d")))
    assert running(graph) == ["yellow:calendar"]
    assert graph.transformers[0].inputs == ()
    assert problems(graph) == []


def test_references_to_nothing_are_left_out():
    graph = build_graph(model(source("crm"), consumer("w", "crm.d", "crm.gone", "gone.d", "nonsense", "a.b.c", "")))
    assert exports(graph) == {"yellow:w.g": ["crm.d"]}
    assert problems(graph) == []


def test_a_datastore_that_nothing_feeds_makes_no_stream():
    lost = Datastore("lost", datasets=[Dataset("d", columns=[Column("id", BigInt)])])
    graph = build_graph(model(lost, consumer("w", "lost.d")))
    assert (graph.streams, graph.exports, graph.unused) == ((), (), ())


def test_the_first_of_two_equal_names_counts():
    graph = build_graph(
        model(
            source("crm", "a", "a"),
            source("crm", "b"),
            transformer("t", "crm.a"),
            transformer("t", "crm.b", outputs=["other"]),
            Workspace("w", groups=[group("g", "crm.a", "crm.b"), group("g", "t_out.d")]),
            consumer("w", "t_out.d"),
        )
    )
    assert streams(graph) == ["yellow:crm"]
    assert exports(graph) == {"yellow:w.g": ["crm.a"]}


def test_a_sink_given_twice_is_one():
    first = DatasetSink("crm.d", columns=["id"])
    graph = build_graph(model(source("crm"), Workspace("w", groups=[group("g", first, "crm.d")])))
    assert graph.exports[0].sinks == ((first, "crm"),)


def test_edges_lead_from_sources_through_transformers_to_groups():
    graph = build_graph(model(source("crm"), transformer("t", "crm.d"), consumer("w", "t_out.d")))
    assert graph.edges == (
        Edge("yellow", "source:crm_db", "stream:crm"),
        Edge("yellow", "stream:crm", "export:t.in"),
        Edge("yellow", "stream:crm", "transformer:t"),
        Edge("yellow", "stream:t_out", "export:w.g"),
        Edge("yellow", "transformer:t", "stream:t_out"),
    )
