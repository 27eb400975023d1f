"""The demonstration's model on a real Airflow 3, by its own DAGs: two days of changes, failures and a new release."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import psycopg
import pytest

from airflow_server import Airflow, airflow
from datasurface.demo.changes import make_changes
from deploy.flights import fill, oracle, seen, write_model
from servers import Server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
PREFIX = "nyc_flights.test.yellow."
MORE = 'Workspace("tower", groups=[DatasetGroup("now", sinks=["weather.hourly"])]),'


def _connection(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    return {
        "conn_type": "postgres",
        "host": parts.hostname,
        "port": parts.port,
        "schema": parts.path[1:],
        "login": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
    }


class Deployment:
    """A model folder, its databases, its release store, and the Airflow that runs it."""

    def __init__(self, folder: Path, source: str, merge: str, metadata: str) -> None:
        self.folder, self.source, self.merge, self.metadata = folder, source, merge, metadata
        for name in ("model", "releases", "secrets"):
            (folder / name).mkdir()
        (folder / "secrets").chmod(0o700)
        self.environ = {k: v for k, v in os.environ.items() if not k.startswith(("DATASURFACE_", "PG"))}
        self.environ["DATASURFACE_SECRETS"] = str(folder / "secrets")

    def release(self, tag: str, dags: Path, more: str = "") -> None:
        """Do what CI does with a tag: publish the release, and write the DAG files."""
        write_model(
            self.folder / "model",
            source=self.source,
            merge=self.merge,
            more=more,
            every="8 seconds",
            store=self.folder / "releases",
            folder=self.folder / "model",
            version="3",
            command=[sys.executable, "-m", "datasurface"],
        )
        self.command("release", "publish", "-e", "test", "--ref", tag)
        self.command("deploy", "airflow", "-e", "test", "-o", str(dags))

    def command(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "datasurface", "-m", str(self.folder / "model"), *arguments],
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{arguments}:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def is_right(self) -> bool:
        """Whether consumers see what the source has."""
        wanted = oracle(self.source)
        try:
            return seen(self.merge, wanted) == wanted
        except psycopg.errors.UndefinedTable:
            return False

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.merge, autocommit=True) as connection:
            return connection.execute(statement.encode()).fetchall()


@pytest.fixture
def deployment(one_server: Server, tmp_path: Path) -> Iterator[Deployment]:
    with one_server.database() as source, one_server.database() as merge, one_server.database() as metadata:
        fill(source)
        yield Deployment(tmp_path, source, merge, metadata)


def test_the_demonstration_runs_on_airflow(deployment: Deployment, tmp_path: Path) -> None:
    generated = tmp_path / "generated"
    deployment.release("v1", generated)
    connections = {
        "datasurface_merge": _connection(deployment.merge),
        "datasurface_airport": _connection(deployment.source),
        "datasurface_airflow": _connection(deployment.metadata),
    }
    dags = {path.name: path.read_text() for path in generated.glob("acme*")} | {
        path.name: path.read_text() for path in generated.glob("nyc*")
    }
    environ = {"DATASURFACE_SECRETS": deployment.environ["DATASURFACE_SECRETS"]}
    with airflow(3, deployment.metadata, connections=connections, environ=environ, dags=dags) as running:
        began = time.monotonic()
        _first_day(deployment, running)
        print("first", time.monotonic() - began)
        make_changes(deployment.source)
        running.until(deployment.is_right, 120, "consumers that see the second day")
        print("second", time.monotonic() - began)
        _a_killed_job(deployment, running)
        print("killed", time.monotonic() - began)
        _a_failed_transformer(running)
        _a_new_release(deployment, running, generated)
        print("released", time.monotonic() - began)
        assert running.parse_warnings() == []
        assert running.import_errors() == []
        assert running.dag_versions(f"{PREFIX}nyc") == 1


def _first_day(deployment: Deployment, running: Airflow) -> None:
    running.until(deployment.is_right, 180, "consumers that see the first day")


def _a_killed_job(deployment: Deployment, running: Airflow) -> None:
    """Whatever kills a job, the next try goes on, and nothing is to be repaired."""
    found: list[Any] = []

    def runs() -> bool:
        found[:] = running.task_processes("datasurface -m") or running.task_processes("job nyc")
        return bool(found)

    running.until(runs, 60, "a job that runs")
    running.kill(found[0].pid)
    with psycopg.connect(deployment.source) as connection:
        connection.execute("UPDATE planes SET seats = seats + 1 WHERE tailnum = 'N10156'")
    running.until(deployment.is_right, 120, "consumers that see what was changed after a job was killed")


def _a_failed_transformer(running: Airflow) -> None:
    """A transformer that fails is a failed task with its reason, tried once, and nobody else's affair."""
    dag = f"{PREFIX}broken"
    run = running.wait_for_runs(dag, 1)[0]
    assert run[2] == "failed"
    assert running.tries(dag, run[0], "run") == 1
    assert "division by zero" in running.task_log(dag, run[0])


def _a_new_release(deployment: Deployment, running: Airflow, generated: Path) -> None:
    """CI publishes a release and writes the DAG files; the system's own DAG applies it."""
    before = {path.name: path.read_text() for path in generated.glob("nyc*")}
    deployment.release("v2", generated, more=MORE)
    for path in generated.glob("nyc*"):
        if before.get(path.name) != path.read_text():
            (running.dags / path.name).write_text(path.read_text())
    wanted = oracle(deployment.source)["delays_now.weather_hourly"]
    view = "tower_now.weather_hourly"

    def is_there() -> bool:
        try:
            return seen(deployment.merge, {view: wanted}) == {view: wanted}
        except psycopg.errors.UndefinedTable:
            return False

    running.until(is_there, 120, "the view of the new release")
