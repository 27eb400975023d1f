"""Models for tests of the target `aws`: a source, a merge database on Aurora, a transformer with a role of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from datasurface import (
    Airflow,
    AuroraCluster,
    AuroraDatabase,
    Aws,
    AwsRole,
    AwsSecrets,
    BigInt,
    Column,
    Dataset,
    DatasetGroup,
    Datastore,
    DataTransformer,
    Ecosystem,
    Environment,
    GitHubRepository,
    GovernanceZone,
    Hint,
    Kubernetes,
    PostgresDatabase,
    PythonModule,
    Snapshot,
    String,
    Team,
    Workspace,
    YellowPlatform,
)
from datasurface.databases.base import capability_map
from datasurface.deploy.aws.target import stacks
from datasurface.deploy.base import Deployable
from datasurface.graph.build import build_graph
from datasurface.model.deployment import Deployment
from datasurface.model.secret_stores import StoreChoice
from datasurface.release.compile import compile_release
from datasurface.release.system import with_system

Template = dict[str, Any]
ACCOUNT, REGION = "123456789012", "eu-central-1"
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/jobs@sha256:" + "a" * 64
COLUMNS = [Column("id", BigInt, key=True), Column("name", String(40))]
MERGE = AuroraDatabase("merge", host="merge.db.acme.internal", database="merge", credential="merge_admin")
AIRFLOW = Airflow()
ROLE = AwsRole("sums-role")
OPS = f"arn:aws:iam::{ACCOUNT}:role/ops"


def aws(**settings: object) -> Aws:
    """Return settings with a database that is made."""
    return Aws(**{"account": ACCOUNT, "region": REGION, "databases": [AuroraCluster("merge")], **settings})  # type: ignore[arg-type]


def model(
    settings: Deployment,
    *,
    stores: int = 1,
    logins: int = 20,
    production: bool = True,
    secrets: Sequence[StoreChoice] = (AwsSecrets(),),
    merge: AuroraDatabase | PostgresDatabase = MERGE,
    airflow: Airflow | None = AIRFLOW,
    role: AwsRole | None = ROLE,
    hints: dict[str, Hint] | None = None,
) -> Ecosystem:
    """Return a model with so many sources `shop_0`, …, each with so many logins between them."""
    own = PostgresDatabase("merge", host="localhost", database="merge", credential="merge_admin")
    sources = [
        PostgresDatabase(f"db_{n}", host=f"db{n}.example", database="shop", credential=f"reader_{n % logins}")
        for n in range(stores)
    ]
    datastores = [
        Datastore(
            f"shop_{n}",
            capture=Snapshot(source, every="1 hour"),
            datasets=[Dataset("orders", columns=COLUMNS)],
        )
        for n, source in enumerate(sources)
    ]
    sums = DataTransformer(
        "sums",
        code=PythonModule("sums:run"),
        run_as=role,
        secrets={"api": "sums_api"},
        output=Datastore("sums_out", datasets=[Dataset("rows", columns=COLUMNS)]),
    )
    sinks = [f"shop_{n}.orders" for n in range(stores)]
    workspaces = [
        Workspace("reports", groups=[DatasetGroup("all", sinks=[*sinks, "sums_out.rows"])]),
        Workspace("sums", groups=[DatasetGroup("input", sinks=sinks[:1])], transformer=sums),
    ]
    around: list[Deployment] = [Kubernetes(image=IMAGE), *([airflow] if airflow else [])]
    return Ecosystem(
        "acme",
        owner=GitHubRepository("acme/model"),
        platforms=[YellowPlatform("yellow", container=own, hints=hints or {})],
        zones=[GovernanceZone("usa", teams=[Team("sales", datastores=datastores, workspaces=workspaces)])],
        environments=[
            Environment(
                "prod",
                containers={"merge": merge},
                production=production,
                secrets=secrets,
                deployments=[settings, *around],
            )
        ],
    )


def deployable(ecosystem: Ecosystem) -> Deployable:
    """Return what the environment `prod` of a model deploys."""
    graph = build_graph(with_system(ecosystem))
    release = compile_release(ecosystem, graph, capabilities=capability_map(), environment="prod")
    return Deployable(release=release, environment=ecosystem.environments[0])


def templates(settings: Aws | None = None, **more: Any) -> dict[str, Template]:
    """Return the templates for a model, by their stacks."""
    return {s.key: dict(s.document) for s in stacks(deployable(model(settings or aws(), **more)))}


def of_type(template: Template, kind: str) -> dict[str, Template]:
    """Return the properties of the resources of a type, by their titles."""
    return {
        title: resource.get("Properties", {})
        for title, resource in template["Resources"].items()
        if resource["Type"] == kind
    }
