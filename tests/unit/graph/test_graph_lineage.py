from __future__ import annotations

import pytest

from datasurface import DatasetSink, Workspace
from datasurface.graph.build import build_graph
from datasurface.graph.lineage import (
    ColumnLineage,
    ColumnPlace,
    Lineage,
    column_downstream,
    column_upstream,
    downstream,
    upstream,
)
from datasurface.graph.nodes import Graph
from unit.graph.graph_models import consumer, group, model, source, transformer


@pytest.fixture(scope="module")
def graph() -> Graph:
    return build_graph(
        model(
            source("crm", "a", "b"),
            transformer("t1", "crm.a"),
            transformer("t2", "t1_out.d", "t2_out.d"),
            Workspace("w", groups=[group("g", "t2_out.d", DatasetSink("crm.b", columns=["id"]))]),
        )
    )


def test_upstream_reaches_the_sources(graph: Graph):
    assert upstream(graph, "t2_out.d") == Lineage(
        datasets=("crm.a", "t1_out.d", "t2_out.d"), transformers=("t1", "t2"), sources=("crm_db",)
    )
    assert upstream(graph, "crm.a") == Lineage(sources=("crm_db",))


def test_downstream_reaches_the_views(graph: Graph):
    assert downstream(graph, "crm.a") == Lineage(
        datasets=("t1_out.d", "t2_out.d"), transformers=("t1", "t2"), views=("t1.in", "t2.in", "w.g")
    )
    assert downstream(graph, "crm.b") == Lineage(views=("w.g",))


def test_what_the_graph_does_not_have_has_no_lineage(graph: Graph):
    assert upstream(graph, "no.such") == downstream(graph, "no.such") == Lineage()
    assert column_upstream(graph, "crm.a.gone") == column_downstream(graph, "crm.a.gone") == ColumnLineage()


def test_an_ingested_column_is_traced_exactly(graph: Graph):
    assert column_upstream(graph, "crm.b.id") == ColumnLineage(exact=(ColumnPlace("source crm_db: public.b", "id"),))
    assert column_downstream(graph, "crm.b.id") == ColumnLineage(exact=(ColumnPlace("view w.g: crm.b", "id"),))


def test_a_column_that_no_view_chooses_goes_nowhere(graph: Graph):
    assert column_downstream(graph, "crm.b.note") == ColumnLineage()


def test_a_transformer_says_that_its_columns_are_unknown(graph: Graph):
    assert column_upstream(graph, "t1_out.d.id").unknown == (
        "transformer of workspace t1 makes it; of which columns is not known",
    )
    found = column_downstream(graph, "crm.a.id")
    assert found.exact == (ColumnPlace("view t1.in: crm.a", "id"),)
    assert found.unknown == ("transformer of workspace t1 reads it; what it makes of it is not known",)


def test_a_long_chain_is_walked_to_its_end():
    links = [transformer("t0", "crm.d"), *(transformer(f"t{i}", f"t{i - 1}_out.d") for i in range(1, 3000))]
    graph = build_graph(model(source("crm"), *links, consumer("w", "t2999_out.d")))
    assert len(upstream(graph, "t2999_out.d").transformers) == 3000
    assert upstream(graph, "t2999_out.d").sources == ("crm_db",)
