"""Models for tests of deployment, compiled as an environment binds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from datasurface import (
    Column,
    Dataset,
    DatasetGroup,
    Datastore,
    DataTransformer,
    Ecosystem,
    Environment,
    GitHubRepository,
    GovernanceZone,
    Kubernetes,
    PostgresDatabase,
    Priority,
    Snapshot,
    SqlQueries,
    Team,
    Workspace,
    YellowPlatform,
)
from datasurface.databases.base import capability_map
from datasurface.deploy.base import Deployable, Learned
from datasurface.graph.build import build_graph
from datasurface.model.capture import Every
from datasurface.model.deployment import Deployment
from datasurface.model.types import BigInt, String
from datasurface.release.compile import compile_release
from datasurface.release.system import with_system

IMAGE = "registry.example/datasurface@sha256:" + "a" * 64
CLUSTER = Kubernetes(image=IMAGE)
MERGE = PostgresDatabase("merge", host="merge.example", database="merge", credential="merge_admin", connections=8)
SHOP = PostgresDatabase("shop_db", host="shop.example", database="shop", credential="shop_reader", connections=3)
COLUMNS = [Column("id", BigInt, key=True), Column("name", String(40))]


def store(name: str, every: Every = "5 minutes", *, source: PostgresDatabase = SHOP, doc: str = "") -> Datastore:
    """Return a datastore with one dataset `orders`."""
    return Datastore(
        name, capture=Snapshot(source, every=every), datasets=[Dataset("orders", columns=COLUMNS)], doc=doc
    )


def derived(name: str, inputs: Sequence[str], every: Every | None = None) -> Workspace:
    """Return a workspace whose transformer of the same name copies its inputs' rows into `<name>_out.rows`."""
    query = " UNION ALL ".join(f"SELECT id, name FROM {each.replace('.', '_')}" for each in inputs)
    output = Datastore(f"{name}_out", datasets=[Dataset("rows", columns=COLUMNS)])
    code = DataTransformer(name, code=SqlQueries({"rows": query}), output=output, every=every)
    return Workspace(name, groups=[DatasetGroup("in", sinks=inputs)], transformer=code)


def model(
    stores: Sequence[Datastore],
    *,
    transformers: Sequence[Workspace] = (),
    deployments: Sequence[Deployment] = (),
    platform: YellowPlatform | None = None,
    priority: Priority = Priority.MEDIUM,
    releases: str | None = None,
) -> Ecosystem:
    """Return a model whose workspace `reports` consumes everything, with an environment `prod`."""
    sinks = [f"{each.name}.{dataset.name}" for each in stores for dataset in each.datasets]
    sinks += [f"{each.name}_out.rows" for each in transformers]
    yellow = platform or YellowPlatform("yellow", container=MERGE)
    reports = Workspace("reports", groups=[DatasetGroup("all", sinks=sinks)], priority=priority)
    team = Team("sales", datastores=stores, workspaces=[reports, *transformers])
    return Ecosystem(
        "acme",
        owner=GitHubRepository("acme/model"),
        platforms=[yellow],
        zones=[GovernanceZone("usa", teams=[team])],
        environments=[
            Environment(
                "prod",
                platforms=[yellow],
                deployments=deployments,
                releases=releases,
                release_store="/releases" if releases is not None else None,
            )
        ],
    )


def deployable(ecosystem: Ecosystem, learned: Mapping[str, Learned] | None = None) -> Deployable:
    """Return what the environment `prod` of a model deploys; `learned` is of the platform `yellow`."""
    graph = build_graph(with_system(ecosystem))
    release = compile_release(ecosystem, graph, capabilities=capability_map(), environment="prod")
    return Deployable(
        release=release, environment=ecosystem.environments[0], learned={"yellow": learned} if learned else {}
    )
