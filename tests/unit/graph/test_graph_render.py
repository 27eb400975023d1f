from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasurface import Cron, Dataset, Datastore, External, History, PostgresDatabase, Snapshot, Workspace
from datasurface.graph.build import build_graph
from datasurface.graph.nodes import Graph
from datasurface.graph.render import document, dot, mermaid, text
from unit.graph.graph_models import COLUMNS, consumer, group, model, source, transformer

MERMAID_LINE = re.compile(
    r"""
    flowchart[ ]LR
    | [ ]{2}end
    | [ ]{2}\w+[ ]-->[ ]\w+
    | [ ]{2}subgraph[ ]platform\d+\["[^"]*"\]
    | [ ]{4}\w+ (\[\(|\[|\{\{|\(\[) "([^"\#`<>]|\#\d+;|<br/>)*" (\)\]|\]|\}\}|\]\))
    """,
    re.VERBOSE,
)


@pytest.fixture(scope="module")
def graph() -> Graph:
    return build_graph(
        model(
            source("crm", "orders", "spare"),
            transformer("clean", "crm.orders"),
            transformer("loop", "loop_out.d"),
            Workspace(
                "reports",
                groups=[
                    group("live", "clean_out.d"),
                    group("audit", "crm.orders", history=History.FULL, retention="7 years"),
                ],
            ),
        )
    )


def test_text(graph: Graph):
    assert (
        text(graph)
        == """\
platform yellow
  source crm_db
    stream crm (every 5 minutes, priority medium)
      dataset orders (history full, latency hours, kept 7 years)
      -> transformer clean
      -> group reports.audit (history full)
  transformer clean (reads crm, when its inputs have changed, priority medium)
    stream clean_out (priority medium)
      dataset d (history live, latency hours)
      -> group reports.live (history live)

not asked for by anybody
  crm.spare
  loop_out.d

problems
  workspace loop: its transformer reads only its own output; no source feeds it (no_source)
"""
    )


def test_mermaid(graph: Graph):
    assert (
        mermaid(graph)
        == """\
flowchart LR
  subgraph platform1["platform yellow"]
    source_yellow_crm_db[("crm_db")]
    stream_yellow_clean_out["stream clean_out<br/>d<br/>priority medium"]
    stream_yellow_crm["stream crm<br/>orders (history)<br/>every 5 minutes, priority medium"]
    transformer_yellow_clean{{"transformer clean"}}
    export_yellow_reports_audit(["group reports.audit<br/>history full"])
    export_yellow_reports_live(["group reports.live<br/>history live"])
  end
  source_yellow_crm_db --> stream_yellow_crm
  stream_yellow_clean_out --> export_yellow_reports_live
  stream_yellow_crm --> export_yellow_reports_audit
  stream_yellow_crm --> transformer_yellow_clean
  transformer_yellow_clean --> stream_yellow_clean_out
"""
    )


def test_dot(graph: Graph):
    assert (
        dot(graph)
        == """\
digraph datasurface {
  rankdir=LR;
  subgraph cluster_1 {
    label="platform yellow";
    source_yellow_crm_db [label="crm_db", shape=cylinder];
    stream_yellow_clean_out [label="stream clean_out\\nd\\npriority medium", shape=box];
    stream_yellow_crm [label="stream crm\\norders (history)\\nevery 5 minutes, priority medium", shape=box];
    transformer_yellow_clean [label="transformer clean", shape=hexagon];
    export_yellow_reports_audit [label="group reports.audit\\nhistory full", shape=oval];
    export_yellow_reports_live [label="group reports.live\\nhistory live", shape=oval];
  }
  source_yellow_crm_db -> stream_yellow_crm;
  stream_yellow_clean_out -> export_yellow_reports_live;
  stream_yellow_crm -> export_yellow_reports_audit;
  stream_yellow_crm -> transformer_yellow_clean;
  transformer_yellow_clean -> stream_yellow_clean_out;
}
"""
    )


def test_document(graph: Graph):
    found = json.loads(json.dumps(document(graph)))
    assert found["streams"][1] == {
        "platform": "yellow",
        "name": "crm",
        "kind": "ingestion",
        "zone": "usa",
        "team": "sales",
        "datastore": "crm",
        "container": "crm_db",
        "every": "5 minutes",
        "priority": "medium",
        "latency": "hours",
        "datasets": [
            {
                "name": "orders",
                "history": "full",
                "latency": "hours",
                "retention": "7 years",
                "reasons": [
                    {
                        "workspace": "clean",
                        "group": "in",
                        "dataset": "crm.orders",
                        "wants": "history live, latency hours",
                    },
                    {
                        "workspace": "reports",
                        "group": "audit",
                        "dataset": "crm.orders",
                        "wants": "history full, latency hours, kept 7 years",
                    },
                ],
            }
        ],
    }
    assert found["streams"][0]["container"] is None
    assert found["transformers"] == [
        {
            "platform": "yellow",
            "workspace": "clean",
            "name": "clean",
            "every": None,
            "priority": "medium",
            "inputs": ["crm"],
            "outputs": ["clean_out"],
        }
    ]
    assert found["exports"][1] == {
        "platform": "yellow",
        "workspace": "reports",
        "group": "audit",
        "history": "full",
        "sinks": [{"dataset": "crm.orders", "stream": "crm"}],
    }
    assert found["unused"] == ["crm.spare", "loop_out.d"]
    assert found["problems"][0]["kind"] == "no_source"
    assert document(graph) == found


def test_an_empty_graph_is_said_to_be_empty():
    assert text(Graph()) == "no pipelines: nothing is consumed on a platform that moves data\n"
    assert mermaid(Graph()) == "flowchart LR\n"
    assert dot(Graph()) == "digraph datasurface {\n  rankdir=LR;\n}\n"


@pytest.mark.parametrize(
    ("every", "words", "data"),
    [
        (Cron("0 6 * * 1-5", tz="Europe/Berlin"), "at 0 6 * * 1-5 (Europe/Berlin)", "cron 0 6 * * 1-5 Europe/Berlin"),
        (External(), "when asked from outside", "external"),
    ],
)
def test_schedules_are_worded(every: Cron | External, words: str, data: str):
    store = Datastore(
        "crm",
        capture=Snapshot(PostgresDatabase("db", host="h", database="d"), every=every),
        datasets=[Dataset("d", columns=COLUMNS)],
    )
    graph = build_graph(model(store, consumer("w", "crm.d")))
    assert f"stream crm ({words}, priority medium)" in text(graph)
    assert json.loads(json.dumps(document(graph)))["streams"][0]["every"] == data


@given(st.lists(st.text(st.characters(exclude_characters=".")), min_size=1, max_size=4, unique=True))
def test_any_name_gives_a_valid_drawing(names: list[str]):
    stores = [source(name, "d") for name in names]
    graph = build_graph(model(*stores, *[consumer(name, f"{name}.d") for name in names]))
    ids = set()
    for line in mermaid(graph).splitlines():
        assert MERMAID_LINE.fullmatch(line), line
        if line.startswith("    "):
            ids.add(line.strip().partition('"')[0].rstrip("[({"))
    drawn = len(graph.streams) + len(graph.exports) + (1 if graph.streams else 0)
    assert len(ids) == drawn
    for line in dot(graph).splitlines():
        assert line.isprintable()
        assert len(re.findall(r'(?<!\\)(?:\\\\)*"', line)) in (0, 2), line
    assert all(line.isprintable() for line in text(graph).split("\n"))
