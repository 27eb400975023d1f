"""The tests' own Airflow is real: DAGs run by hand, time and data, secrets come from its backend, tasks are killed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_server import Airflow, airflow
from servers import Server

pytestmark = pytest.mark.slow

DAG = """
import time
try:
    from airflow.sdk import DAG, Asset, BaseHook
    from airflow.providers.standard.operators.python import PythonOperator
except ImportError:
    from airflow import DAG
    from airflow.datasets import Dataset as Asset
    from airflow.hooks.base import BaseHook
    from airflow.operators.python import PythonOperator
from datetime import datetime, timedelta

ORDERS = Asset("datasurface://acme/orders")

def produce():
    print("user is", BaseHook.get_connection("datasurface_crm").login)

with DAG("producer", schedule=None, start_date=datetime(2026, 1, 1)):
    PythonOperator(task_id="make", python_callable=produce, outlets=[ORDERS])
with DAG("consumer", schedule=[ORDERS], start_date=datetime(2026, 1, 1)):
    PythonOperator(task_id="take", python_callable=lambda: None)
with DAG("timed", schedule=timedelta(days=1), start_date=datetime(2026, 1, 1), catchup=False):
    PythonOperator(task_id="tick", python_callable=lambda: None)
with DAG("slow", schedule=None, start_date=datetime(2026, 1, 1)):
    PythonOperator(
        task_id="sleep", python_callable=lambda: time.sleep(300), retries=0, retry_delay=timedelta(seconds=1)
    )
"""


@pytest.fixture(scope="module", params=[3, 2])
def running(request: pytest.FixtureRequest, one_server: Server) -> Iterator[Airflow]:
    known = {"datasurface_crm": {"conn_type": "generic", "login": "reader", "password": "hidden-word"}}
    with one_server.database() as url, airflow(request.param, url, connections=known, dags={"all.py": DAG}) as made:
        yield made


def test_runs_by_time_by_hand_and_by_data(running: Airflow) -> None:
    running.wait_for_dags(["producer", "consumer", "timed", "slow"])
    running.trigger("producer", "by-hand")
    assert running.wait_for_run("producer", "by-hand") == "success", running.task_log("producer", "by-hand")
    assert "user is reader" in running.task_log("producer", "by-hand", "make")
    assert running.asset_events("datasurface://acme/orders") == [("datasurface://acme/orders", "producer", "by-hand")]
    [(_, kind, state)] = running.wait_for_runs("consumer", 1)
    assert kind in {"asset_triggered", "dataset_triggered"}
    assert state == "success"
    assert running.wait_for_runs("timed", 1, "scheduled")[0][2] == "success"
    assert not any("hidden-word" in text for _, text in running.dump())
    assert running.warnings() == []
    assert running.parse_warnings() == []


def test_a_killed_task_is_noticed(running: Airflow) -> None:
    running.trigger("slow", "killed")
    running.kill(running.wait_for_process("slow", "killed", "sleep"))
    assert running.wait_for_run("slow", "killed") == "failed"
