from __future__ import annotations

from typing import Any

import pytest

from datasurface import (
    AwsSecrets,
    AzureKeyVault,
    Credential,
    CredentialKind,
    Environment,
    EnvironmentSecrets,
    FileSecrets,
    KubernetesSecrets,
    PostgresDatabase,
    Snapshot,
    SqliteDatabase,
)
from datasurface.databases.base import capability_map
from datasurface.govern.check import check
from datasurface.graph.build import build_graph
from datasurface.model.secret_stores import ConfiguredStore, StoreChoice, store_problem
from unit.govern.secret_models import consumed_model


def codes(model: Any, **more: Any) -> list[str]:
    return [f.code for f in check(model, capability_map(), graph=build_graph(model), **more).findings]


@pytest.mark.parametrize(
    ("credentials", "stores", "found"),
    [
        (("crm-reader", "crm_reader"), None, ["DS-D004"]),
        (("crm-reader", "crm_reader"), [EnvironmentSecrets()], ["DS-D004"]),
        (("crm-reader", "crm_reader"), [AwsSecrets()], []),
        (("crm-reader", "crm_reader"), [KubernetesSecrets()], []),
        (("crm-reader-82882d21", "crm_reader"), [KubernetesSecrets()], ["DS-D004"]),
        (("crm-reader", "crm_reader"), ["aws", "environment"], ["DS-D004"]),
    ],
)
def test_credentials_meet_only_in_stores_that_are_asked(credentials: Any, stores: Any, found: list[str]) -> None:
    first, second = credentials
    model = consumed_model(
        Snapshot(PostgresDatabase("db", host="h", database="d", credential=first), credential=second), secrets=stores
    )
    assert codes(model) == found


def test_a_store_that_is_not_installed_is_found_where_it_is_named() -> None:
    model = consumed_model(
        Snapshot(PostgresDatabase("db", host="h", database="d")),
        secrets=["vault"],
        environments=[Environment("prod", secrets=["vaults"])],
    )
    assert codes(model) == ["DS-R015", "DS-R015"]
    assert codes(model, secret_stores={"vault", "vaults"}) == []


@pytest.mark.parametrize("kind", CredentialKind)
def test_a_credential_is_of_a_kind_that_its_database_can_use(kind: CredentialKind) -> None:
    credential = Credential("c", kind=kind)
    postgres = consumed_model(Snapshot(PostgresDatabase("db", host="h", database="d"), credential=credential))
    assert codes(postgres) == ([] if kind is CredentialKind.PASSWORD else ["DS-S010"])
    sqlite = consumed_model(Snapshot(SqliteDatabase("db", path="x.db"), credential=credential))
    assert codes(sqlite) == ["DS-S010"]


@pytest.mark.parametrize(
    "store",
    [
        AwsSecrets(region="eu-west-1", prefix="team/data"),
        AwsSecrets(region="us-gov-east-1"),
        KubernetesSecrets(namespace="data-prod", prefix="acme.data"),
        AzureKeyVault("acme-vault"),
        AzureKeyVault("https://acme.vault.azure.cn/"),
        FileSecrets("/run/secrets"),
        "azure",
    ],
)
def test_settings_that_can_be(store: StoreChoice) -> None:
    assert store_problem(store) is None


@pytest.mark.parametrize(
    ("store", "problem"),
    [
        (AwsSecrets(region="Ireland"), "region='Ireland'"),
        (AwsSecrets(prefix="/data"), "prefix='/data'"),
        (AwsSecrets(prefix="a b"), "letters, digits and /_+=.@-"),
        (KubernetesSecrets(namespace="Data"), "namespace='Data'"),
        (KubernetesSecrets(namespace="n" * 64), "up to 63"),
        (KubernetesSecrets(prefix="data_surface"), "prefix='data_surface'"),
        (AzureKeyVault("http://vault"), "vault='http://vault'"),
        (AzureKeyVault("v", prefix="a/b"), "prefix='a/b'"),
        (FileSecrets(""), "a folder"),
    ],
)
def test_a_setting_that_cannot_be_is_told(store: ConfiguredStore, problem: str) -> None:
    model = consumed_model(Snapshot(PostgresDatabase("db", host="h", database="d")), secrets=[store])
    (found,) = check(model, capability_map(), graph=build_graph(model)).findings
    assert found.code == "DS-N009"
    assert problem in found.message
