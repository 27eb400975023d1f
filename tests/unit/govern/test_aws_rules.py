"""Deployments to AWS that do not fit the model are found by `check`, before anything is generated."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from aws_models import MERGE, aws, model
from datasurface import AuroraCluster, AuroraDatabase, Ecosystem, PostgresDatabase
from datasurface.databases.base import capability_map
from datasurface.govern.check import check
from datasurface.model.infrastructure import Container
from datasurface.model.secret_stores import StoreChoice


def found(ecosystem: Ecosystem) -> list[str]:
    report = check(ecosystem, capability_map(), environment="prod")
    return [each.message for each in report.findings if each.code == "DS-L005"]


def test_a_deployment_that_fits_is_not_found() -> None:
    assert found(model(aws())) == []


@pytest.mark.parametrize("secrets", [("environment",), ("environment", "files")])
def test_a_platform_whose_jobs_would_find_no_secret(secrets: Sequence[StoreChoice]) -> None:
    assert found(model(aws(), secrets=secrets)) == [
        "platform yellow asks no secret store of AWS, so that its jobs find no secret"
    ]


@pytest.mark.parametrize(
    ("made", "merge", "words"),
    [
        ("other", MERGE, "there is no such container"),
        ("db_0", MERGE, "it is the database of no platform"),
        ("merge", PostgresDatabase("merge", host="h", database="d", credential="x"), "is a PostgresDatabase"),
        ("merge", AuroraDatabase("merge", host="m.ec2.internal", database="d", credential="x"), "cannot be given"),
        ("merge", AuroraDatabase("merge", host="m.db.acme.internal", database="d"), "nobody administers it"),
    ],
)
def test_a_database_that_cannot_be_made(made: str, merge: Container, words: str) -> None:
    (message,) = found(model(aws(databases=[AuroraCluster(made)]), merge=merge))  # type: ignore[arg-type]
    assert words in message


def test_a_host_of_awss_own_needs_no_private_zone() -> None:
    host = "m.cluster-abc.eu-central-1.rds.amazonaws.com"
    assert found(model(aws(), merge=AuroraDatabase("merge", host=host, database="d", credential="x"))) == []
