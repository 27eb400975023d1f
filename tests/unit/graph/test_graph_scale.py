from __future__ import annotations

from datasurface import Priority
from datasurface.graph.build import build_graph
from datasurface.graph.reasons import why
from unit.graph.graph_models import consumer, model, source, transformer

MANY = 10_000


def test_ten_thousand_transformers_in_a_chain():
    links = [transformer("t0", "crm.d"), *(transformer(f"t{i}", f"t{i - 1}_out.d") for i in range(1, MANY))]
    last = consumer("w", f"t{MANY - 1}_out.d", priority=Priority.CRITICAL)
    graph = build_graph(model(source("crm"), *links, last))
    assert len(graph.transformers) == MANY
    assert len(graph.streams) == MANY + 1
    assert {s.priority for s in graph.streams} == {Priority.CRITICAL}
    assert graph.problems == ()
    assert len(why(graph, "crm")) == 2 * MANY + 1


def test_ten_thousand_transformers_side_by_side():
    fan = [transformer(f"t{i}", "crm.d") for i in range(MANY)]
    graph = build_graph(model(source("crm"), *fan, consumer("w", *(f"t{i}_out.d" for i in range(MANY)))))
    assert len(graph.transformers) == MANY
    (crm,) = [s for s in graph.streams if s.name == "crm"]
    assert len(crm.datasets[0].reasons) == MANY
    assert len(graph.exports) == MANY + 1


def test_ten_thousand_transformers_in_a_ring_that_nothing_feeds():
    ring = [transformer(f"t{i}", f"t{(i - 1) % MANY}_out.d") for i in range(MANY)]
    graph = build_graph(model(*ring, consumer("w", "t0_out.d")))
    assert graph.streams == ()
    (problem,) = graph.problems
    assert problem.kind == "no_source"
    assert "and 9995 more" in problem.message
