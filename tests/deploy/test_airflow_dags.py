"""Generated DAG files in a real Airflow, without a server: they parse, say the right thing, and stay the same."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from airflow_server import require
from airflow_settings import programs
from datasurface import Airflow, Cron, External, PostgresDatabase, TaskKind
from datasurface.deploy.airflow.target import TARGET
from datasurface.deploy.base import Deployable, Learned
from datasurface.deploy.folder import write
from deploying import CLUSTER, deployable, derived, model, store

PROGRAMS = Path(__file__).parent / "airflow_programs"
PREFIX = "acme.prod.yellow."
pytestmark = pytest.mark.slow
LINES = pytest.mark.parametrize("line", [3, 2])


def run_program(line: int, name: str, *arguments: str, **environ: str) -> Any:
    """Run one of the programs in Airflow's environment; return what it printed last, as JSON."""
    require(line)
    told = {
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": "/opt/airflow/dags",
        "PATH": os.environ["PATH"],
        "PYTHONPATH": "",
    }
    with tempfile.TemporaryDirectory(prefix=f"ds-airflow{line}-") as home:
        done = subprocess.run(
            [str(programs(line) / "python"), str(PROGRAMS / name), *arguments],
            env={"AIRFLOW_HOME": home, **told, **environ},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return json.loads(done.stdout.rsplit("\n", 1)[-1])


def deployed(folder: Path, found: Deployable) -> Path:
    """Write the DAG files of an environment into a folder."""
    write(folder, TARGET.files(found))
    return folder


@cache
def _whole(settings: Airflow) -> Deployable:
    other = PostgresDatabase("odd_db", host="odd.example", database="odd")
    stores = [
        store("crm"),
        store("erp", Cron("0 6 * * *", tz="Europe/Berlin")),
        store("hook", External()),
        store("odd", "7 minutes", source=other),
        *[store(f"s{number}", "1 minute") for number in range(3)],
    ]
    transformers = [derived("sums", ["crm.orders", "erp.orders"]), derived("more", ["sums_out.rows"])]
    learned: Mapping[str, Learned] = {f"s{number}": Learned(seconds=1) for number in range(3)}
    ecosystem = model(stores, transformers=transformers, deployments=[settings, CLUSTER], releases="v*")
    return deployable(ecosystem, learned)


def _settings(line: int, tasks: TaskKind) -> Airflow:
    return Airflow(version="3" if line == 3 else "2.11", tasks=tasks)


@pytest.fixture(scope="module")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int, TaskKind], Any]:
    """Return what parsing the whole model comes to, done once for each Airflow and kind of task."""

    @cache
    def parse(line: int, tasks: TaskKind) -> Any:
        folder = tmp_path_factory.mktemp(f"dags-{line}-{tasks.value}")
        return run_program(line, "parse.py", str(deployed(folder, _whole(_settings(line, tasks)))), PYTHONHASHSEED="1")

    return parse


@LINES
@pytest.mark.parametrize("tasks", list(TaskKind))
def test_all_dags_parse_quietly(parsed: Callable[[int, TaskKind], Any], line: int, tasks: TaskKind) -> None:
    """No error, no warning, no connection, no process: an unreachable database cannot take a DAG away."""
    told = parsed(line, tasks)
    assert (told["errors"], told["warnings"], told["seen"]) == ({}, [], [])
    streams = {"crm", "erp", "hook", "odd", "sums_out", "more_out"}
    (group,) = [name for name in told["dags"] if "group" in name]
    system = {f"ds-{kind}" for kind in ("apply", "security", "retention", "audit", "airflow-pools", "airflow-history")}
    assert set(told["dags"]) == {f"{PREFIX}{name}" for name in streams | system} | {group}
    for name, data in told["dags"].items():
        assert [task["__var"]["task_id"] for task in data["dag"]["tasks"]] == (
            ["run", "verdict"] if name == group else ["run"]
        )


@LINES
def test_schedules_are_what_the_model_says(parsed: Callable[[int, TaskKind], Any], line: int) -> None:
    told = parsed(line, TaskKind.PROCESS)
    kinds = {
        name.removeprefix(PREFIX): data["dag"].get("timetable", {"__type": "NullTimetable"})
        for name, data in told["dags"].items()
    }
    assert kinds["hook"]["__type"].endswith("NullTimetable")
    assert kinds["erp"]["__var"]["expression"] == "0 6 * * *"
    assert kinds["erp"]["__var"]["timezone"] == "Europe/Berlin"
    assert kinds["odd"]["__type"].endswith("DeltaTriggerTimetable")
    assert kinds["sums_out"]["__type"].endswith("OrTimeSchedule")
    inputs = json.dumps(kinds["sums_out"])
    assert "_any" in inputs
    assert "_all" not in inputs
    assert all(f"x-datasurface://acme/prod/yellow/{name}" in inputs for name in ("crm", "erp"))
    assert "yellow/sums_out" in json.dumps(kinds["more_out"])
    # The first run of what has a schedule is due at once, not an interval later.
    now = datetime.fromisoformat(told["now"])
    first = {name: datetime.fromisoformat(at) for name, at in told["next"].items() if at}
    assert all(at <= now + timedelta(minutes=1) for at in first.values()), first
    assert f"{PREFIX}hook" not in first


@LINES
def test_a_task_reads_only_its_own_dag(tmp_path: Path, line: int) -> None:
    many = deployable(model([store(f"t{n}") for n in range(300)], deployments=[_settings(line, TaskKind.POD), CLUSTER]))
    big = deployed(tmp_path / "big", many)
    parts = sorted(big.glob("acme-prod-yellow.????????.json"))
    own = next(part for part in parts if f'"{PREFIX}t7":' in part.read_text())
    for part in parts:
        if part != own:
            part.unlink()
    told = run_program(line, "parse.py", str(big), _AIRFLOW_PARSING_CONTEXT_DAG_ID=f"{PREFIX}t7")
    assert (list(told["dags"]), told["errors"]) == ([f"{PREFIX}t7"], {})


@LINES
def test_no_version_of_a_dag_without_a_change(
    parsed: Callable[[int, TaskKind], Any], tmp_path: Path, line: int
) -> None:
    """Generated and parsed again, in another folder and with another seed of hashes: every DAG stays as it is."""
    again = deployed(tmp_path / "elsewhere", _whole(_settings(line, TaskKind.POD)))
    versions = run_program(line, "parse.py", str(again), PYTHONHASHSEED="2")["versions"]
    assert versions == parsed(line, TaskKind.POD)["versions"]
