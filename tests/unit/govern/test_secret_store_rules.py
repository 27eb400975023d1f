from __future__ import annotations

from typing import Any

import pytest

from datasurface import (
    AwsSecrets,
    Credential,
    CredentialKind,
    Environment,
    EnvironmentSecrets,
    KubernetesSecrets,
    PostgresDatabase,
    Snapshot,
    SqliteDatabase,
)
from datasurface.databases.base import capability_map
from datasurface.govern.check import check
from datasurface.graph.build import build_graph
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
