"""The demonstration's model on a real Airflow 3, by its own DAGs: two days of changes, failures and a new release."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import psutil
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
            every="15 seconds",
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
        return self.shows(oracle(self.source))

    def shows(self, wanted: Mapping[str, Any]) -> bool:
        """Whether views hold these rows."""
        try:
            return seen(self.merge, wanted) == wanted
        except (psycopg.errors.UndefinedTable, psycopg.errors.InsufficientPrivilege):
            return False  # not applied yet, or applied and not yet synced for the first time

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
    environ = {
        "DATASURFACE_SECRETS": deployment.environ["DATASURFACE_SECRETS"],
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "120",
    }
    dags = _files(generated)
    with airflow(3, deployment.metadata, connections=connections, environ=environ, dags=dags) as running:
        running.until(deployment.is_right, 180, "consumers that see the first day")
        make_changes(deployment.source)
        running.until(deployment.is_right, 120, "consumers that see the second day")
        assert "asset_triggered" in {kind for _, kind, _ in running.runs(f"{PREFIX}named")}
        _a_killed_job(deployment, running)
        _a_failed_transformer(running)
        _a_new_release(deployment, running, generated)
        assert running.parse_warnings() == []
        assert (running.import_errors(), running.warnings()) == ([], [])
        assert {running.dag_versions(f"{PREFIX}{stream}") for stream in ("nyc", "cancelled", "broken")} == {1}
        _no_secrets(deployment, running)


def _files(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.glob("nyc*")}


def _a_killed_job(deployment: Deployment, running: Airflow) -> None:
    """Whatever kills a job, the next try goes on, and nothing is to be repaired."""
    killed: list[str] = []

    def kill() -> bool:
        asked = "SELECT run_id FROM task_instance WHERE dag_id = %s AND state = 'running' AND try_number = 1"
        found = running.task_processes("job nyc ")
        runs = running.rows(asked, f"{PREFIX}nyc")
        with suppress(psutil.NoSuchProcess, AssertionError):
            if found and runs:
                running.kill(found[0].pid)
                killed.append(runs[0][0])
        return bool(killed)

    running.until(kill, 90, "a job that runs")
    with psycopg.connect(deployment.source) as connection:
        connection.execute("UPDATE planes SET seats = seats + 1 WHERE tailnum = 'N10156'")
    assert running.wait_for_run(f"{PREFIX}nyc", killed[0], seconds=120) == "success"
    assert running.tries(f"{PREFIX}nyc", killed[0], "run") > 1
    assert "killed by SIGKILL" in running.task_log(f"{PREFIX}nyc", killed[0])
    running.until(deployment.is_right, 120, "consumers that see what was changed after a job was killed")


def _a_failed_transformer(running: Airflow) -> None:
    """A transformer that fails is a failed task with its reason, tried once, and nobody else's affair."""
    dag = f"{PREFIX}broken"
    failed = [run for run in running.wait_for_runs(dag, 1) if run[2] == "failed"]
    for run, _, _ in failed:
        log = running.task_log(dag, run)
        if "division by zero" in log:
            assert running.tries(dag, run, "run") == 1
            assert "datasurface.failed" in log
            return
    raise AssertionError([running.task_log(dag, run) for run, _, _ in failed])


def _a_new_release(deployment: Deployment, running: Airflow, generated: Path) -> None:
    """CI publishes a release and writes the DAG files; the system's own DAG applies it."""
    before = _files(generated)
    deployment.release("v2", generated, more=MORE)
    for name, text in _files(generated).items():
        if before.get(name) != text:
            (running.dags / name).write_text(text)
    view = "tower_now.weather_hourly"
    wanted = oracle(deployment.source)["delays_now.weather_hourly"]
    running.until(lambda: deployment.shows({view: wanted}), 120, "the view of the new release")
    # Nothing but the release itself is an input of the model's own tables.
    named = "SELECT count(*) FROM stewards_model.datasurface_model_workspaces WHERE name = 'tower'"
    running.until(lambda: deployment.rows(named) == [(1,)], 120, "the new workspace in the model's own tables")


def _no_secrets(deployment: Deployment, running: Airflow) -> None:
    """Passwords are in no file, no log and no row of Airflow's database."""
    password = unquote(urlsplit(deployment.merge).password or "")
    issued = [path.read_text().strip() for path in (deployment.folder / "secrets").glob("**/password")]
    assert issued
    texts = [*_files(running.dags).values(), running.every_log(), *(row for _, row in running.dump())]
    assert not [secret for secret in (password, *issued) if any(secret in text for text in texts)]
