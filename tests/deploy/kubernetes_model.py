"""A model that is deployed to a cluster: two sources, a transformer with a role of its own, an environment."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from datasurface import (
    Airflow,
    AwsRole,
    BigInt,
    CloudNativePostgres,
    Column,
    Dataset,
    DatasetGroup,
    Datastore,
    DataTransformer,
    Ecosystem,
    Egress,
    Environment,
    GitHubRepository,
    GovernanceZone,
    Kubernetes,
    KubernetesSecrets,
    PostgresDatabase,
    Snapshot,
    SqlQueries,
    Team,
    Tls,
    Workspace,
    YellowPlatform,
)
from datasurface.deploy.base import Deployable
from datasurface.graph.build import build_graph
from datasurface.model.deployment import Deployment
from datasurface.model.secret_stores import StoreChoice
from datasurface.release.compile import compile_release
from datasurface.release.system import with_system

IMAGE = "registry.example/datasurface@sha256:" + "0" * 64
SETTINGS = Kubernetes(
    image=IMAGE,
    version="1.34",
    egress={"crm_db": Egress(["10.1.2.0/24"])},
    api_server=Egress(["10.96.0.1/32"]),
    airflow_database=Egress(["10.9.0.7/32"]),
    release_store=Egress(["10.7.0.0/28"]),
    release_secret="release-store",
    pull_secrets=["registry"],
)
POSTGRES = CloudNativePostgres("merge", container="merge_db", backups="merge-backups")
MERGE = PostgresDatabase(
    "merge_db", host="merge-rw.datasurface.svc", database="merge", credential="merge_admin", tls=Tls.VERIFY_FULL
)
STORES: tuple[StoreChoice, ...] = ("files", KubernetesSecrets())


def ecosystem(
    *deployments: Deployment, streams: int = 0, stores: Sequence[StoreChoice] = STORES, merge: PostgresDatabase = MERGE
) -> Ecosystem:
    crm = PostgresDatabase("crm_db", host="db.acme.example", database="crm", tls=Tls.REQUIRE)
    erp = PostgresDatabase("erp_db", host="10.3.4.5", port=6432, database="erp", tls=Tls.REQUIRE)
    key = [Column("id", BigInt, key=True)]
    stores_of_data = [
        Datastore("crm", capture=Snapshot(crm, credential="crm_reader", every="5 minutes"),
            datasets=[Dataset("orders", columns=key)]),
        Datastore("erp", capture=Snapshot(erp, credential="erp_reader", every="1 day"),
            datasets=[Dataset("items", columns=key)]),
        *[
            Datastore(f"store_{number}", capture=Snapshot(crm, credential="crm_reader", every="1 minute"),
                datasets=[Dataset("rows", columns=key)])
            for number in range(streams)
        ],
    ]  # fmt: skip
    derive = DataTransformer(
        "derive",
        code=SqlQueries({"totals": 'SELECT id FROM "crm_orders"'}),
        output=Datastore("derived", datasets=[Dataset("totals", columns=key)]),
        run_as=AwsRole("arn:aws:iam::123456789012:role/derive"),
    )
    sinks = ["erp.items", "derived.totals", *[f"store_{number}.rows" for number in range(streams)]]
    workspaces = [
        Workspace("deriving", groups=[DatasetGroup("in", sinks=["crm.orders"])], transformer=derive),
        Workspace("reports", groups=[DatasetGroup("live", sinks=sinks)]),
    ]
    environment = Environment(
        "prod",
        containers={"merge": merge},
        platforms=[YellowPlatform("yellow", container=merge)],
        secrets=stores,
        deployments=deployments,
        releases="v*",
        release_store="s3://acme-releases/prod",
    )
    return Ecosystem(
        "acme",
        owner=GitHubRepository("acme/model"),
        platforms=[YellowPlatform("yellow", container=PostgresDatabase("merge", host="h", database="d"))],
        environments=[environment],
        zones=[GovernanceZone("usa", teams=[Team("sales", datastores=stores_of_data, workspaces=workspaces)])],
    )


def deployable(
    *deployments: Deployment, streams: int = 0, stores: Sequence[StoreChoice] = STORES, merge: PostgresDatabase = MERGE
) -> Deployable:
    """Return the model, bound to its environment; by default with Airflow, on a cluster with a server of its own."""
    chosen = deployments or (Airflow(), dataclasses.replace(SETTINGS, postgres=POSTGRES))
    model = ecosystem(*chosen, streams=streams, stores=stores, merge=merge)
    release = compile_release(model, build_graph(with_system(model)), environment="prod")
    return Deployable(release=release, environment=model.environments[0])
