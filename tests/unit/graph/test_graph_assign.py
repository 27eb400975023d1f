from __future__ import annotations

import pytest

from datasurface import Assign, AssignStatus, History, LegacyPlatform, Workspace, YellowPlatform
from datasurface.graph.build import build_graph
from unit.graph.graph_models import consumer, exports, group, model, problems, running, source, streams, transformer

TWO = (YellowPlatform("blue"), YellowPlatform("yellow"))


def served(*assignments: Assign, platform: str | None = None) -> list[str]:
    """Return where the group `w.g`, which asks for history, is served."""
    w = Workspace("w", groups=[group("g", "crm.d", history=History.FULL, platform=platform)])
    return list(exports(build_graph(model(source("crm"), w, platforms=TWO, assignments=assignments))))


def test_the_only_platform_needs_no_rule():
    assert list(exports(build_graph(model(source("crm"), consumer("w", "crm.d"))))) == ["yellow:w.g"]


def test_the_only_platform_that_serves_the_history_needs_no_rule():
    platforms = [YellowPlatform("blue", histories=[History.LIVE]), YellowPlatform("yellow", histories=[History.FULL])]
    w = Workspace("w", groups=[group("live", "crm.d"), group("full", "crm.d", history=History.FULL)])
    graph = build_graph(model(source("crm"), w, platforms=platforms))
    assert list(exports(graph)) == ["blue:w.live", "yellow:w.full"]
    assert streams(graph) == ["blue:crm", "yellow:crm"]


@pytest.mark.parametrize("platforms", [(), TWO, (YellowPlatform("y", histories=[History.FULL]),)])
def test_without_a_rule_none_or_several_platforms_are_a_problem(platforms: tuple[YellowPlatform, ...]):
    graph = build_graph(model(source("crm"), consumer("w", "crm.d"), platforms=platforms))
    assert problems(graph) == [("no_platform", "workspace w / group g")]
    assert graph.problems[0].subject == group("g", "crm.d")
    assert graph.streams == ()
    assert graph.unused == ()


def test_a_group_names_its_platform_against_every_rule():
    assert served(Assign("blue", workspace="w", group="g"), platform="yellow") == ["yellow:w.g"]


@pytest.mark.parametrize(
    ("weak", "strong"),
    [
        (Assign("blue"), Assign("yellow", zone="usa")),
        (Assign("blue", zone="usa"), Assign("yellow", workspace="w")),
        (Assign("blue", history=History.FULL), Assign("yellow", workspace="w")),
        (Assign("blue", workspace="w"), Assign("yellow", zone="usa", history=History.FULL)),
        (Assign("blue", zone="usa", history=History.FULL), Assign("yellow", workspace="w", group="g")),
        (Assign("blue", workspace="w", group="g"), Assign("yellow", workspace="w", group="g", zone="usa")),
    ],
)
def test_the_most_specific_rule_wins(weak: Assign, strong: Assign):
    assert served(weak, strong) == ["yellow:w.g"]
    assert served(strong, weak) == ["yellow:w.g"]


@pytest.mark.parametrize(
    "other",
    [
        Assign("blue", workspace="x"),
        Assign("blue", group="x"),
        Assign("blue", history=History.LIVE),
        Assign("blue", zone="x"),
        Assign("blue", workspace="w", zone="x"),
    ],
)
def test_a_rule_matches_only_if_all_it_says_does(other: Assign):
    assert served(Assign("yellow"), other) == ["yellow:w.g"]


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (Assign("blue", workspace="w"), Assign("yellow", workspace="w")),
        (Assign("blue", zone="usa"), Assign("yellow", history=History.FULL)),
    ],
)
def test_equally_specific_rules_for_different_platforms_are_a_tie(one: Assign, two: Assign):
    w = Workspace("w", groups=[group("g", "crm.d", history=History.FULL)])
    graph = build_graph(model(source("crm"), w, platforms=TWO, assignments=[one, two]))
    assert problems(graph) == [("tie", "workspace w / group g")]
    assert "blue, yellow" in graph.problems[0].message
    assert graph.streams == ()


def test_equally_specific_rules_for_one_platform_are_no_tie():
    assert served(Assign("blue", zone="usa"), Assign("blue", history=History.FULL)) == ["blue:w.g"]


def test_a_decommissioned_rule_does_not_count():
    gone = Assign("blue", workspace="w", status=AssignStatus.DECOMMISSIONED)
    assert served(gone, Assign("yellow")) == ["yellow:w.g"]
    leaving = Assign("blue", workspace="w", status=AssignStatus.DECOMMISSIONING)
    assert served(leaving, Assign("yellow")) == ["blue:w.g"]


def test_a_group_that_names_an_unknown_platform_is_a_problem():
    graph = build_graph(model(source("crm"), consumer("w", "crm.d", platform="red")))
    assert problems(graph) == [("unknown_platform", "workspace w / group g")]


def test_a_rule_that_names_an_unknown_platform_is_one_problem_however_many_groups_it_hits():
    rule = Assign("red", zone="usa")
    graph = build_graph(model(source("crm"), consumer("v", "crm.d"), consumer("w", "crm.d"), assignments=[rule]))
    assert problems(graph) == [("unknown_platform", "ecosystem acme / assign red")]
    assert graph.problems[0].subject is rule
    assert graph.exports == ()


@pytest.mark.parametrize("by_rule", [True, False])
def test_a_platform_that_does_not_serve_the_history_is_a_problem(by_rule: bool):
    blue = YellowPlatform("blue", histories=[History.LIVE])
    w = Workspace("w", groups=[group("g", "crm.d", history=History.FULL, platform=None if by_rule else "blue")])
    rules = [Assign("blue")] if by_rule else []
    graph = build_graph(model(source("crm"), w, platforms=[blue], assignments=rules))
    assert problems(graph) == [("platform_cannot", "workspace w / group g")]


def test_a_legacy_platform_moves_nothing_but_its_groups_still_ask():
    legacy = LegacyPlatform("old")
    graph = build_graph(
        model(
            source("crm"),
            source("hr"),
            transformer("t", "hr.d"),
            consumer("w", "crm.d", "t_out.d", platform="old"),
            platforms=[legacy],
        )
    )
    assert (graph.streams, graph.transformers, graph.exports, graph.unused, graph.problems) == ((), (), (), (), ())


def test_a_legacy_platform_is_never_chosen_by_itself():
    graph = build_graph(model(source("crm"), consumer("w", "crm.d"), platforms=[LegacyPlatform("old")]))
    assert problems(graph) == [("no_platform", "workspace w / group g")]


def test_a_transformer_runs_wherever_its_output_is_consumed():
    graph = build_graph(
        model(
            source("crm"),
            transformer("t", "crm.d"),
            consumer("v", "t_out.d", platform="blue"),
            consumer("w", "t_out.d", platform="yellow"),
            platforms=TWO,
        )
    )
    assert running(graph) == ["blue:t", "yellow:t"]
    assert streams(graph) == ["blue:crm", "blue:t_out", "yellow:crm", "yellow:t_out"]
    assert problems(graph) == []


def test_a_broad_rule_does_not_bind_a_transformer():
    graph = build_graph(
        model(
            source("crm"),
            transformer("t", "crm.d"),
            consumer("w", "t_out.d", platform="blue"),
            platforms=TWO,
            assignments=[Assign("yellow", zone="usa")],
        )
    )
    assert running(graph) == ["blue:t"]
    assert problems(graph) == []


@pytest.mark.parametrize("by_rule", [True, False])
def test_a_transformer_that_is_bound_elsewhere_cannot_serve_its_consumer(by_rule: bool):
    rules = [Assign("yellow", workspace="t")] if by_rule else []
    graph = build_graph(
        model(
            source("crm"),
            transformer("t", "crm.d", platform=None if by_rule else "yellow"),
            consumer("v", "t_out.d", platform="blue"),
            consumer("w", "t_out.d", platform="yellow"),
            platforms=TWO,
            assignments=rules,
        )
    )
    assert running(graph) == ["yellow:t"]
    assert problems(graph) == [("platform_cannot", "workspace t / group in")]
    assert exports(graph) == {"yellow:t.in": ["crm.d"], "yellow:w.g": ["t_out.d"]}


def test_a_transformer_whose_inputs_need_history_that_the_platform_lacks_is_a_problem():
    live = YellowPlatform("live", histories=[History.LIVE])
    graph = build_graph(
        model(
            source("crm"), transformer("t", "crm.d", history=History.FULL), consumer("w", "t_out.d"), platforms=[live]
        )
    )
    assert problems(graph) == [("platform_cannot", "workspace t / group in")]
    assert running(graph) == []


def test_what_only_a_refused_transformer_feeds_is_not_run():
    graph = build_graph(
        model(
            source("crm"),
            transformer("t1", "crm.d", platform="yellow"),
            transformer("t2", "t1_out.d", "t2_out.d"),
            consumer("w", "t2_out.d", platform="blue"),
            platforms=TWO,
        )
    )
    assert running(graph) == []
    assert problems(graph) == [("platform_cannot", "workspace t1 / group in")]
