from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from datasurface import (
    Assign,
    Consistency,
    Ecosystem,
    GitHubRepository,
    GovernanceZone,
    History,
    Priority,
    Team,
    Workspace,
    YellowPlatform,
)
from datasurface.graph.build import build_graph
from datasurface.graph.lineage import upstream
from datasurface.graph.nodes import Graph, Stream
from datasurface.graph.reasons import why
from datasurface.graph.render import document, dot, mermaid, text
from unit.graph.graph_models import group, source, transformer

Parts = tuple[list[Workspace], list[Assign]]

STORES = ["s0.a", "s0.b", "s1.a", "s1.b", *(f"t{i}_out.d" for i in range(5)), "gone.d"]
PLATFORMS = [None, "blue", "yellow"]
some_sinks = st.lists(st.sampled_from(STORES), max_size=4, unique=True)
histories = st.sampled_from(History)
priorities = st.sampled_from(Priority)
transformers = st.builds(
    lambda sinks, priority, platform: (sinks, priority, platform), some_sinks, priorities, st.sampled_from(PLATFORMS)
)
consumers = st.lists(st.tuples(some_sinks, histories, st.sampled_from(PLATFORMS)), max_size=3)
rules = st.lists(
    st.builds(
        Assign,
        st.sampled_from(["blue", "yellow", "red"]),
        workspace=st.sampled_from([None, "w0", "w1", "t0"]),
        history=st.none() | histories,
        zone=st.sampled_from([None, "z0", "z1"]),
    ),
    max_size=4,
)


def parts_of(sinks_of_transformers: Sequence[Any], groups_of_consumers: Sequence[Any]) -> list[Workspace]:
    made = [
        transformer(f"t{i}", *sinks, priority=priority, platform=platform)
        for i, (sinks, priority, platform) in enumerate(sinks_of_transformers)
    ]
    for i, (groups, priority) in enumerate(groups_of_consumers):
        asked = [group(f"g{j}", *sinks, history=h, platform=p) for j, (sinks, h, p) in enumerate(groups)]
        made.append(Workspace(f"w{i}", groups=asked, priority=priority))
    return made


def ecosystem(workspaces: Sequence[Workspace], assignments: Sequence[Assign], order: random.Random | None) -> Ecosystem:
    """Spread the parts over two zones, always the same ones in each, in the order that `order` makes."""

    def shuffled(items: Sequence[Any]) -> list[Any]:
        return order.sample(list(items), len(items)) if order else list(items)

    def reordered(workspace: Workspace) -> Workspace:
        groups = [
            group(g.name, *shuffled(g.sinks), history=g.history, platform=g.platform)
            for g in shuffled(workspace.groups)
        ]
        return Workspace(workspace.name, groups=groups, transformer=workspace.transformer, priority=workspace.priority)

    stores = [source("s0", "a", "b"), source("s1", "a", "b", consistency=Consistency.DATASET)]
    zones = []
    for z in range(2):
        mine = [reordered(w) for w in workspaces if int(w.name[1:]) % 2 == z]
        teams = [Team("p", datastores=[stores[z]]), Team("c", workspaces=shuffled(mine))]
        zones.append(GovernanceZone(f"z{z}", teams=shuffled(teams)))
    return Ecosystem(
        "e",
        owner=GitHubRepository("a/b"),
        platforms=shuffled([YellowPlatform("blue"), YellowPlatform("yellow", histories=[History.LIVE])]),
        assignments=shuffled(assignments),
        zones=shuffled(zones),
    )


models = st.tuples(
    st.builds(
        parts_of,
        st.lists(transformers, max_size=5),
        st.lists(st.tuples(consumers, priorities), max_size=3),
    ),
    rules,
)


@given(models, st.randoms(use_true_random=False))
@settings(deadline=None)
def test_the_order_of_declaration_makes_no_difference(parts: Parts, order: random.Random):
    plain = build_graph(ecosystem(*parts, None))
    shuffled = build_graph(ecosystem(*parts, order))
    assert document(shuffled) == document(plain)
    assert (text(shuffled), mermaid(shuffled), dot(shuffled)) == (text(plain), mermaid(plain), dot(plain))


@given(models)
@settings(deadline=None)
def test_equal_models_give_equal_graphs(parts: Parts):
    assert build_graph(ecosystem(*parts, None)) == build_graph(ecosystem(*parts, None))


@given(models)
@settings(deadline=None)
def test_every_part_of_a_graph_is_needed_and_fed(parts: Parts):
    graph = build_graph(ecosystem(*parts, None))
    names = {(s.platform, s.name) for s in graph.streams}
    running = {(t.platform, t.workspace.name) for t in graph.transformers}
    for export in graph.exports:
        assert all((export.platform, stream) in names for _sink, stream in export.sinks)
        assert export.workspace.transformer is None or (export.platform, export.workspace.name) in running
    for node in graph.transformers:
        assert {(node.platform, stream) for stream in (*node.inputs, *node.outputs)} <= names
    ends = {(s.platform, f"stream:{s.name}") for s in graph.streams if _ends_at_a_consumer(graph, s)}
    assert ends == {(p, f"stream:{n}") for p, n in names}
    for stream in graph.streams:
        assert all(need.reasons for need in stream.datasets)
        assert why(graph, stream.name)
        for need in stream.datasets:
            reference = f"{stream.datastore.name}.{need.dataset.name}"
            found = upstream(graph, reference)
            generators = [t for t in graph.transformers if not t.inputs and t.workspace.name in found.transformers]
            assert found.sources or generators


def _ends_at_a_consumer(graph: Graph, stream: Stream) -> bool:
    """Follow the edges forward from a stream to a group of a workspace without transformer."""
    real = {f"export:{e.workspace.name}.{e.group.name}" for e in graph.exports if e.workspace.transformer is None}
    work, seen = [f"stream:{stream.name}"], set()
    while work:
        at = work.pop()
        if at in real:
            return True
        fresh = {e.target for e in graph.edges if (e.platform, e.source) == (stream.platform, at)} - seen
        seen |= fresh
        work += fresh
    return False
