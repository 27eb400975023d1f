from __future__ import annotations

from datasurface import YellowPlatform
from datasurface.graph.build import build_graph
from datasurface.graph.reasons import why
from unit.graph.graph_models import consumer, model, source, transformer


def test_a_stream_is_explained_up_to_the_consumers():
    graph = build_graph(model(source("crm"), transformer("clean", "crm.d"), consumer("desk", "clean_out.d")))
    assert why(graph, "crm") == [
        "this stream exists because group in of workspace clean asks for crm.d (history live, latency hours)",
        "workspace clean has a transformer, which feeds stream clean_out",
        "stream clean_out exists because group g of workspace desk asks for clean_out.d (history live, latency hours)",
    ]


def test_an_unknown_stream_has_no_reasons():
    assert why(build_graph(model(source("crm"))), "crm") == []


def test_a_cycle_is_followed_once():
    graph = build_graph(model(source("crm"), transformer("t", "crm.d", "t_out.d"), consumer("w", "t_out.d")))
    assert why(graph, "t_out") == [
        "this stream exists because group in of workspace t asks for t_out.d (history live, latency hours)",
        "this stream exists because group g of workspace w asks for t_out.d (history live, latency hours)",
        "workspace t has a transformer, which feeds stream t_out",
    ]


def test_each_platform_is_explained():
    graph = build_graph(
        model(
            source("crm"),
            consumer("v", "crm.d", platform="blue"),
            consumer("w", "crm.d", platform="yellow"),
            platforms=[YellowPlatform("blue"), YellowPlatform("yellow")],
        )
    )
    first, second = why(graph, "crm")
    assert first.startswith("on platform blue, this stream exists because group g of workspace v")
    assert second.startswith("on platform yellow, this stream exists because group g of workspace w")
