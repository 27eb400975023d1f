"""Databases that answer from here: a real PostgreSQL, with the secrets that jobs find in the stand-in for AWS."""

from __future__ import annotations

import json
import os
from urllib.parse import urlsplit

import psycopg
import pytest

from datasurface import AwsSecrets, Kubernetes, PostgresDatabase, YellowPlatform
from datasurface.deploy.aws.preflight.clients import Clients
from datasurface.deploy.aws.preflight.subject import AwsSubject
from deploying import deployable, model, store
from preflight_bench import IMAGE, aws, fails, passes, results, subject, warns


@pytest.fixture
def given(cloud: Clients, postgres_url: str) -> AwsSubject:
    """A deployment whose merge database and source are one database that exists, and whose secrets are in AWS."""
    parts = urlsplit(postgres_url)
    name = parts.path.removeprefix("/")
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE orders (id bigint PRIMARY KEY, name varchar(40))")
    where = {"host": parts.hostname or "", "port": parts.port or 5432, "database": name}
    merge = PostgresDatabase("merge", credential="merge_admin", **where)  # type: ignore[arg-type]
    shop = PostgresDatabase("shop_db", credential="shop_reader", **where)  # type: ignore[arg-type]
    platform = YellowPlatform("yellow", container=merge, secrets=[AwsSecrets(region="eu-central-1")])
    made = model([store("crm", source=shop)], deployments=[aws(), Kubernetes(image=IMAGE)], platform=platform)
    secret = json.dumps({"username": parts.username, "password": parts.password or "none"})
    for credential in ("merge_admin", "shop_reader"):
        cloud.client("secretsmanager").create_secret(Name=f"datasurface/acme/prod/{credential}", SecretString=secret)
    return subject(what=deployable(made), clients=cloud, environ=dict(os.environ))


def test_databases_that_answer(given: AwsSubject) -> None:
    seen = passes("aws.database.answers", given)
    for word in ("login: accepted", "may create schemas", "1 table as the model says"):
        assert word in seen


def test_a_table_that_is_not_there(given: AwsSubject, postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("DROP TABLE orders")
    fails("aws.database.answers", given, "crm.orders")


def test_a_login_that_is_refused(given: AwsSubject, cloud: Clients) -> None:
    cloud.client("secretsmanager").put_secret_value(
        SecretId="datasurface/acme/prod/merge_admin",
        SecretString='{"username": "nobody_known", "password": "wrong-password"}',
    )
    fails("aws.database.answers", given, "merge")
    assert "wrong-password" not in str([found.to_json() for found in results("aws.database.answers", given)])


def test_databases_that_only_the_jobs_reach(cloud: Clients) -> None:
    hidden = PostgresDatabase("merge", host="127.0.0.1", port=9, database="merge", credential="merge_admin")
    platform = YellowPlatform("yellow", container=hidden, secrets=["aws"])
    shop = PostgresDatabase("shop_db", host="127.0.0.1", port=9, database="shop", credential="shop_reader")
    made = model([store("crm", source=shop)], deployments=[aws(), Kubernetes(image=IMAGE)], platform=platform)
    warns("aws.database.answers", subject(what=deployable(made), clients=cloud), "datasurface doctor", "-n datasurface")
