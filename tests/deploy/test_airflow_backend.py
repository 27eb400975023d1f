"""A running task of Airflow 3 gets its secrets from the backend when it starts, and leaves them nowhere.

Secrets Manager is moto's, over HTTP; the backend is the amazon provider's own, the databases are real.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack

import psycopg
import pytest
from psycopg import sql

from airflow_server import Airflow, airflow, require
from airflow_settings import Backend
from canaries import Watch
from cloud import Gate
from cloud_secrets import KEYS, REGION, put
from deployed_model import Deployed, deployed, verdicts
from servers import Server

pytestmark = pytest.mark.slow

DAGS = "acme.prod.yellow."
BACKEND = "airflow.providers.amazon.aws.secrets.secrets_manager.SecretsManagerBackend"


@pytest.fixture(scope="module")
def model(one_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    require(3)
    folder = tmp_path_factory.mktemp("model")
    with deployed(one_server, folder) as made:
        command = [sys.executable, "-m", "datasurface"]
        settings = f"tasks=TaskKind.PROCESS, command={command}, folder={str(folder)!r}, retry_delay='1 second'"
        made.write(secrets='["environment", "files"]', deployments=f"[Airflow({settings})]")
        made.run("apply", "--yes", environ=made.secrets)
        made.issue()
        made.run("deploy", "airflow", "-o", "dags")
        yield made


@pytest.fixture(scope="module", autouse=True)
def watch(model: Deployed) -> Iterator[Watch]:
    with model.canaries.watched() as made:
        yield made


@pytest.fixture(scope="module")
def three(one_server: Server, model: Deployed, aws: Gate) -> Iterator[Airflow]:
    for name, known in model.connections().items():
        put(aws, f"airflow/connections/{name}", known["login"], known["password"])
    files = {file.name: file.read_text() for file in (model.folder / "dags").iterdir()}
    arguments = {"connections_prefix": "airflow/connections", "variables_prefix": None, "config_prefix": None}
    backend = Backend(BACKEND, {**arguments, "region_name": REGION, "endpoint_url": aws.url})
    with ExitStack() as stack:
        database = stack.enter_context(one_server.database())
        made = stack.enter_context(airflow(3, database, backend=backend, environ=KEYS, dags=files))
        made.command("pools", "import", str(made.dags / "acme-prod-yellow.pools.json"))
        made.wait_for_dags([f"{DAGS}{stream}" for stream in ("sales", "crm", "totals")])
        yield made


def test_a_running_task_gets_its_own(three: Airflow, model: Deployed, aws: Gate) -> None:
    for stream in ("sales", "crm"):
        assert three.wait_for_runs(f"{DAGS}{stream}", 1)[0][2] == "success", three.every_log()
    three.until(lambda: model.seen() == model.oracle(), 120, "views that equal the source")
    del aws.asked[:]
    assert three.wait_for_run(f"{DAGS}crm", three.trigger(f"{DAGS}crm", "alone")) == "success"
    asked = {name for name in aws.asked if not name.endswith("datasurface_airflow")}
    assert {f"airflow/connections/datasurface_{name}" for name in ("merge_admin", "shop_reader")} <= asked


def test_at_the_moment_it_starts(three: Airflow, model: Deployed, aws: Gate, one_server: Server) -> None:
    """A password that was changed in the database and in the store is the one that the next task uses."""
    login = model.logins["shop_reader"]
    model.canaries.add("shop_reader before", model.canaries["shop_reader"])
    model.canaries.add("shop_reader", f"{model.canaries['shop_reader']}changed")
    with psycopg.connect(one_server.url, autocommit=True) as admin:
        statement = sql.SQL("ALTER ROLE {} PASSWORD {}")
        admin.execute(statement.format(sql.Identifier(login), model.canaries["shop_reader"]))
    model.sell("UPDATE orders SET amount = 2000 WHERE id = 3")
    assert three.wait_for_run(f"{DAGS}sales", three.trigger(f"{DAGS}sales", "refused")) == "failed"
    assert "password" in str(verdicts(three.task_log(f"{DAGS}sales", "refused"))[-1])
    put(aws, "airflow/connections/datasurface_shop_reader", login, model.canaries["shop_reader"])
    assert three.wait_for_run(f"{DAGS}sales", three.trigger(f"{DAGS}sales", "renewed")) == "success"
    three.until(lambda: model.seen() == model.oracle(), 120, "views that equal the source")


def test_no_secret_anywhere(three: Airflow, model: Deployed, watch: Watch) -> None:
    assert model.canaries.in_folder(three.home) == set()
    assert model.canaries.in_folder(model.folder) == set()
    rows = list(three.dump())
    assert model.canaries.in_rows(rows) == set()
    assert {"log", "serialized_dag", "task_instance"} <= {name for name, _ in rows}
    assert any(" sales " in line for line in watch.jobs)
    assert watch.seen == set()
