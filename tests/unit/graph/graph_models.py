"""Short ways to make models for the tests of the graph."""

from __future__ import annotations

from collections.abc import Sequence

from datasurface import (
    Assign,
    BigInt,
    Column,
    Consistency,
    Dataset,
    DatasetGroup,
    DatasetSink,
    Datastore,
    DataTransformer,
    Ecosystem,
    GitHubRepository,
    GovernanceZone,
    History,
    LegacyPlatform,
    PostgresDatabase,
    Priority,
    PythonModule,
    Snapshot,
    Team,
    Workspace,
    YellowPlatform,
)
from datasurface.graph.nodes import Graph, Stream, StreamDataset

COLUMNS = [Column("id", BigInt, key=True), Column("note", BigInt)]
DATABASE = PostgresDatabase("crm_db", host="db", database="crm")


def source(name: str, *datasets: str, consistency: Consistency = Consistency.DATASTORE) -> Datastore:
    return Datastore(
        name,
        capture=Snapshot(DATABASE, every="5 minutes", consistency=consistency),
        datasets=[Dataset(d, columns=COLUMNS) for d in datasets or ("d",)],
    )


def group(
    name: str,
    *sinks: str | DatasetSink,
    history: History = History.LIVE,
    platform: str | None = None,
    retention: str | None = None,
) -> DatasetGroup:
    return DatasetGroup(name, sinks=list(sinks), history=history, platform=platform, retention=retention)


def consumer(name: str, *sinks: str, priority: Priority = Priority.MEDIUM, platform: str | None = None) -> Workspace:
    return Workspace(name, groups=[group("g", *sinks, platform=platform)], priority=priority)


def transformer(
    name: str,
    *sinks: str,
    outputs: Sequence[str] = ("d",),
    priority: Priority = Priority.LOW,
    platform: str | None = None,
    history: History = History.LIVE,
) -> Workspace:
    """Make the workspace `name`, whose transformer writes the datastore `name_out`."""
    return Workspace(
        name,
        groups=[group("in", *sinks, platform=platform, history=history)] if sinks else [],
        priority=priority,
        transformer=DataTransformer(
            name,
            code=PythonModule("a:b"),
            output=Datastore(f"{name}_out", datasets=[Dataset(d, columns=COLUMNS) for d in outputs]),
        ),
    )


def model(
    *parts: Datastore | Workspace,
    platforms: Sequence[YellowPlatform | LegacyPlatform] = (YellowPlatform("yellow"),),
    assignments: Sequence[Assign] = (),
) -> Ecosystem:
    return Ecosystem(
        "acme",
        owner=GitHubRepository("acme/model"),
        platforms=platforms,
        assignments=assignments,
        zones=[
            GovernanceZone(
                "usa",
                teams=[
                    Team(
                        "sales",
                        datastores=[p for p in parts if isinstance(p, Datastore)],
                        workspaces=[p for p in parts if isinstance(p, Workspace)],
                    )
                ],
            )
        ],
    )


def streams(graph: Graph) -> list[str]:
    return [f"{s.platform}:{s.name}" for s in graph.streams]


def running(graph: Graph) -> list[str]:
    return [f"{t.platform}:{t.workspace.name}" for t in graph.transformers]


def exports(graph: Graph) -> dict[str, list[str]]:
    return {
        f"{e.platform}:{e.workspace.name}.{e.group.name}": [sink.dataset for sink, _ in e.sinks] for e in graph.exports
    }


def problems(graph: Graph) -> list[tuple[str, str]]:
    return [(p.kind, p.path) for p in graph.problems]


def stream(graph: Graph, name: str) -> Stream:
    (found,) = [s for s in graph.streams if s.name == name]
    return found


def need(graph: Graph, name: str, dataset: str = "d") -> StreamDataset:
    (found,) = [d for d in stream(graph, name).datasets if d.dataset.name == dataset]
    return found
