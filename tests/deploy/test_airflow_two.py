"""Airflow 2.11 runs generated DAGs: by time, by data, with a failing and a killed task; no secret is seen."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from airflow_server import Airflow, airflow, require
from canaries import Watch
from deployed_model import Deployed, deployed, verdicts
from servers import Server

pytestmark = pytest.mark.slow

DAGS = "acme.prod.yellow."


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    require(2)
    with tempfile.TemporaryDirectory(prefix="ds-two-") as made:
        yield Path(made)


@pytest.fixture(scope="module")
def model(one_server: Server, folder: Path) -> Iterator[Deployed]:
    with deployed(one_server, folder) as made:
        command = [sys.executable, "-m", "datasurface"]
        settings = f"tasks=TaskKind.PROCESS, command={command}, folder={str(folder)!r}, retry_delay='1 second'"
        made.write(secrets='["environment", "files"]', deployments=f'[Airflow(version="2.11", {settings})]')
        made.run("apply", "--yes", environ=made.secrets)
        made.issue()
        made.run("deploy", "airflow", "-o", "dags")
        yield made


@pytest.fixture(scope="module", autouse=True)
def watch(model: Deployed) -> Iterator[Watch]:
    with model.canaries.watched() as made:
        yield made


@pytest.fixture(scope="module")
def two(one_server: Server, model: Deployed) -> Iterator[Airflow]:
    files = {file.name: file.read_text() for file in (model.folder / "dags").iterdir()}
    with ExitStack() as stack:
        database = stack.enter_context(one_server.database())
        known = model.connections()
        made = stack.enter_context(airflow(2, database, connections=known, dags=files))
        made.command("pools", "import", str(made.dags / "acme-prod-yellow.pools.json"))
        made.wait_for_dags([f"{DAGS}{stream}" for stream in ("sales", "crm", "totals")])
        yield made


def test_time_and_data(two: Airflow, model: Deployed) -> None:
    """The first runs are made by the clock; what they change makes the transformer run, and its end is the oracle's."""
    assert two.warnings() == []
    assert two.parse_warnings() == []
    for stream in ("sales", "crm"):
        assert two.wait_for_runs(f"{DAGS}{stream}", 1)[0][1:] == ("scheduled", "success"), two.every_log()
    two.until(lambda: model.seen() == model.oracle(), 120, "views that equal the source")
    assert two.wait_for_runs(f"{DAGS}totals", 1, "dataset_triggered")[0][2] == "success"


def test_changes(two: Airflow, model: Deployed) -> None:
    model.sell("UPDATE orders SET amount = 1000 WHERE id = 7", "DELETE FROM orders WHERE id = 8")
    ran = len(two.runs(f"{DAGS}totals"))
    assert two.wait_for_run(f"{DAGS}sales", two.trigger(f"{DAGS}sales", "changed")) == "success"
    assert two.wait_for_run(f"{DAGS}crm", two.trigger(f"{DAGS}crm", "unchanged")) == "success"
    assert two.tasks(f"{DAGS}crm", "unchanged") == {"run": "skipped"}
    two.wait_for_runs(f"{DAGS}totals", ran + 1)
    assert model.seen() == model.oracle()
    assert len(two.runs(f"{DAGS}totals")) == ran + 1


def test_failed_for_good(two: Airflow, model: Deployed) -> None:
    """Another try would not help: there is none, and the log says what is wrong."""
    model.sell("ALTER TABLE customers RENAME TO clients")
    assert two.wait_for_run(f"{DAGS}crm", two.trigger(f"{DAGS}crm", "broken")) == "failed"
    assert two.tries(f"{DAGS}crm", "broken", "run") == 1
    assert "customers" in str(verdicts(two.task_log(f"{DAGS}crm", "broken"))[-1]["streams"][0]["error"])
    model.sell("ALTER TABLE clients RENAME TO customers", "INSERT INTO customers VALUES (3, 'Edsger')")
    assert two.wait_for_run(f"{DAGS}crm", two.trigger(f"{DAGS}crm", "mended")) == "success"


def test_killed(two: Airflow, model: Deployed) -> None:
    """A task that is killed in the middle of its batch is tried again, and nothing is left to repair."""
    model.sell("INSERT INTO orders VALUES (99, 3, 5.50)")
    with psycopg.connect(model.source) as connection:
        connection.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
        two.trigger(f"{DAGS}sales", "killed")
        two.until(lambda: waits_for_lock(model), 60, "a batch that waits for its source")
        two.kill(two.wait_for_process(f"{DAGS}sales", "killed", "run"))
    assert two.wait_for_run(f"{DAGS}sales", "killed") == "success"
    assert two.tries(f"{DAGS}sales", "killed", "run") == 2
    two.until(lambda: model.seen() == model.oracle(), 120, "views that equal the source")
    assert model.versions(7) == [(7,), (1000,)]


def waits_for_lock(model: Deployed) -> bool:
    asked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with psycopg.connect(model.source) as connection:
        return connection.execute(asked).fetchone() != (0,)


def test_no_secret_anywhere(two: Airflow, model: Deployed, watch: Watch) -> None:
    assert len(model.canaries.values) >= 4
    assert model.canaries.in_folder(two.home, but=["connections.json"]) == set()
    assert model.canaries.in_folder(model.folder) == set()
    assert model.canaries.in_rows(two.dump()) == set()
    assert any(" sales " in line for line in watch.jobs)
    assert watch.seen == set()
