"""Settings of deployments: every one that a target would refuse is found before anything is made."""

from __future__ import annotations

import pytest

from datasurface import (
    Airflow,
    Aws,
    AwsSecrets,
    CloudNativePostgres,
    ClusterNodes,
    Egress,
    Environment,
    Kubernetes,
    KubernetesSecrets,
    PostgresDatabase,
    Snapshot,
    YellowPlatform,
)
from datasurface.databases.base import capability_map
from datasurface.govern.check import check
from datasurface.model.deployment import Deployment
from unit.govern.secret_models import consumed_model

_PLACE = Egress(["10.1.2.0/24"])
_IMAGE = "registry.example/datasurface@sha256:" + "0" * 64


def _codes(*deployments: Deployment) -> list[str]:
    merge = PostgresDatabase("merge", host="10.0.0.1", database="merge", credential="merge")
    environment = Environment(
        "prod",
        platforms=[YellowPlatform("yellow", container=merge)],
        deployments=deployments,
        secrets=[AwsSecrets()] if any(isinstance(each, Aws) for each in deployments) else None,
    )
    model = consumed_model(
        Snapshot(PostgresDatabase("db", host="10.0.0.1", database="d"), credential="reader"), environments=[environment]
    )
    return [found.code for found in check(model, capability_map()).findings]


@pytest.mark.parametrize(
    "deployment",
    [
        Airflow(version="2.10"),
        Airflow(version="4"),
        Airflow(timeout="long"),
        Airflow(retry_delay="0 seconds"),
        Airflow(look_again="daily"),
        Airflow(history="90"),
        Airflow(failures="my hook"),
        Kubernetes(image="registry.example/datasurface:latest"),
        Kubernetes(image=_IMAGE, namespace="Data"),
        Kubernetes(image=_IMAGE, namespace="d" * 64),
        Kubernetes(image=_IMAGE, version="v1.34"),
        Kubernetes(image=_IMAGE, parallelism=0),
        Kubernetes(image=_IMAGE, log_days=0),
        Kubernetes(image=_IMAGE, pull_secrets=["Registry"]),
        Kubernetes(image=_IMAGE, release_secret="a_b"),
        Kubernetes(image=_IMAGE, airflow_image="apache/airflow:3"),
        Kubernetes(image=_IMAGE, airflow_logs="gs://bucket"),
        Kubernetes(image=_IMAGE, node_selector={"pool": "a b"}),
        Kubernetes(image=_IMAGE, environment={"A-B": ""}),
        Kubernetes(image=_IMAGE, nodes=ClusterNodes(cpu=4, memory="16 GB")),
        Kubernetes(image=_IMAGE, egress={"db": Egress(["10.1.2.3/24"])}),
        Kubernetes(image=_IMAGE, egress={"db": Egress(["everywhere"])}),
        Kubernetes(image=_IMAGE, api_server=Egress()),
        Kubernetes(image=_IMAGE, api_server=Egress(["10.0.0.1/32"], port=65536)),
        Kubernetes(image=_IMAGE, dns=Egress(namespace="Kube")),
        Kubernetes(image=_IMAGE, dns=Egress(pods={"k8s app": "x"})),
        Kubernetes(image=_IMAGE, api_server=_PLACE, postgres=CloudNativePostgres("Merge", container="merge")),
        Kubernetes(
            image=_IMAGE, api_server=_PLACE, postgres=CloudNativePostgres("merge", container="merge", instances=0)
        ),
        Kubernetes(
            image=_IMAGE, api_server=_PLACE, postgres=CloudNativePostgres("merge", container="merge", storage="50 GB")
        ),
        Kubernetes(
            image=_IMAGE,
            api_server=_PLACE,
            postgres=CloudNativePostgres("merge", container="merge", storage_class="Fast"),
        ),
        Aws(account="12345678901", region="eu-central-1"),
        Aws(account="123456789012", region="Frankfurt"),
        Aws(account="123456789012", region="eu-central-1", cluster="c" * 101),
    ],
)
def test_a_setting_that_cannot_be_is_found(deployment: Deployment) -> None:
    assert _codes(deployment) == ["DS-N010"]


def test_a_place_that_nobody_has_told_is_found() -> None:
    merge = PostgresDatabase("merge", host="merge.db.svc", database="merge", credential="merge")
    source = PostgresDatabase("db", host="db.acme.example", database="d")

    def told(*more: Deployment, **settings: object) -> list[str]:
        cluster = Kubernetes(image=_IMAGE, **settings)  # type: ignore[arg-type]
        environment = Environment(
            "prod",
            platforms=[YellowPlatform("yellow", container=merge)],
            deployments=[cluster, *more],
            releases="v*",
            release_store="s3://acme-releases",
            secrets=[KubernetesSecrets(), *([AwsSecrets()] if any(isinstance(each, Aws) for each in more) else [])],
        )
        made = consumed_model(Snapshot(source, credential="reader"), environments=[environment])
        findings = check(made, capability_map()).findings
        assert {found.code for found in findings} <= {"DS-L004"}
        return [found.message.removeprefix("nothing tells where ").partition(" is,")[0] for found in findings]

    assert told() == ["db", "the Kubernetes API", "the release store"]
    assert told(egress={"db": _PLACE}, api_server=_PLACE, release_store=_PLACE) == []
    both = {"egress": {"db": _PLACE}, "release_store": _PLACE}
    assert told(Airflow(), **both) == ["Airflow's own database", "the Kubernetes API"]
    assert told(Airflow(), Aws(account="123456789012", region="eu-central-1"), **both) == []


def test_settings_that_can_be_are_not_found() -> None:
    aws = Aws(account="123456789012", region="us-gov-west-1", cluster="acme_prod")
    assert _codes(Airflow(version="3.1"), Kubernetes(image=_IMAGE, namespace="acme-data"), aws) == []


def test_two_of_a_kind_are_found() -> None:
    assert _codes(Airflow(), Airflow(version="2.11")) == ["DS-D005"]
