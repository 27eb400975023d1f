"""Airflow 3 runs jobs as pods of a real API server, with no more rights than the generated manifests give it.

A stand-in for the kubelet runs each pod's command as a process, with its secrets and its platform's file as folders.
"""

from __future__ import annotations

import base64
import json
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
import yaml

from airflow_server import Airflow, airflow, require
from canaries import Watch
from datasurface.model.secret_names import kubernetes_name
from deployed_model import Deployed, deployed, verdicts
from kube_cluster import Cluster, cluster, require_cluster
from kube_quota import count
from kubelet import Kubelet, kubelet
from servers import Server

pytestmark = pytest.mark.slow

JOBS, AIRFLOW = "datasurface", "datasurface-airflow"
DAGS = "acme.prod.yellow."
IMAGE = "registry.example/datasurface@sha256:" + "a" * 64
HERE = "Egress(['127.0.0.1/32'])"


@pytest.fixture(scope="module")
def api() -> Iterator[Cluster]:
    require(3)
    require_cluster()
    with cluster() as made:
        yield made


@pytest.fixture(scope="module")
def model(one_server: Server, api: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """The model, deployed as its users do: secrets put there, manifests applied, logins issued into the cluster."""
    with deployed(one_server, tmp_path_factory.mktemp("model")) as made:
        egress = f"egress={{'shop_db': {HERE}, 'merge': {HERE}}}, api_server={HERE}, airflow_database={HERE}"
        tries = "retries=4, retry_delay='1 second', longest_delay='4 seconds'"
        airflow_of = f"Airflow(kubernetes_connection='cluster', {tries})"
        deployments = f"[{airflow_of}, Kubernetes(image={IMAGE!r}, {egress})]"
        made.write(secrets="[KubernetesSecrets()]", deployments=deployments)
        made.run("deploy", "kubernetes", "-o", "manifests")
        made.run("deploy", "airflow", "-o", "dags")
        _apply(api, made.folder / "manifests")
        for name, login in made.logins.items():
            _put_secret(api, name, {"user": login, "password": made.canaries[name]})
        environ = {"KUBECONFIG": str(api.kubeconfig(made.folder / "kubeconfig", JOBS))}
        made.run("apply", "--yes", environ=environ)
        made.run("security", "sync", environ=environ)
        for name, password in _passwords(api).items():
            made.canaries.add(name, password)
        yield made


def _apply(api: Cluster, folder: Path) -> None:
    for file in sorted(folder.glob("[0-9]*.yaml")):
        for document in yaml.safe_load_all(file.read_text()):
            if document is not None and api.knows(document):
                api.apply(document)
    count(api)


def _put_secret(api: Cluster, name: str, values: dict[str, str]) -> None:
    metadata = {"name": kubernetes_name("datasurface", "acme", "prod", name), "namespace": JOBS}
    api.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": values})


def _passwords(api: Cluster) -> dict[str, str]:
    """Return every password that the cluster keeps, by the name of its Secret."""
    kept = api.call("GET", f"/api/v1/namespaces/{JOBS}/secrets")["items"]
    return {
        secret["metadata"]["name"]: base64.b64decode(secret["data"]["password"]).decode()
        for secret in kept
        if "password" in secret["data"]
    }


@pytest.fixture(scope="module", autouse=True)
def watch(model: Deployed) -> Iterator[Watch]:
    with model.canaries.watched() as made:
        yield made


@pytest.fixture(scope="module")
def node(api: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubelet]:
    with kubelet(api, tmp_path_factory.mktemp("node")) as made:
        yield made


@pytest.fixture(scope="module")
def three(
    one_server: Server, api: Cluster, model: Deployed, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Airflow]:
    """Airflow, as the service account that its chart gives to workers: nothing else lets it into the cluster."""
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "airflow-worker", "namespace": AIRFLOW},
    }
    api.apply(account)
    config = api.user(AIRFLOW, "airflow-worker").kubeconfig(tmp_path_factory.mktemp("airflow") / "kubeconfig", JOBS)
    extra = {"kube_config_path": str(config), "in_cluster": False, "namespace": JOBS}
    files = {file.name: file.read_text() for file in (model.folder / "dags").iterdir()}
    with ExitStack() as stack:
        database = stack.enter_context(one_server.database())
        known = {"cluster": {"conn_type": "kubernetes", "extra": extra}}
        made = stack.enter_context(airflow(3, database, connections=known, dags=files))
        made.command("pools", "import", str(made.dags / "acme-prod-yellow.pools.json"))
        made.wait_for_dags([f"{DAGS}{stream}" for stream in ("sales", "crm", "totals")])
        yield made


@pytest.fixture(scope="module")
def settled(three: Airflow, node: Kubelet, model: Deployed) -> Airflow:
    """Airflow, after the first runs, which nobody asked for."""
    assert node.folder.exists()
    for stream in ("sales", "crm"):
        assert three.wait_for_runs(f"{DAGS}{stream}", 1)[0][2] == "success", three.every_log()
    three.until(lambda: model.seen() == model.oracle(), 120, "views that equal the source")
    return three


def test_pods_succeed(settled: Airflow, node: Kubelet, model: Deployed) -> None:
    assert model.seen()["sales_orders"]
    assert {name.split("-yellow-")[1].split("-")[0] for name in node.ran} >= {"sales", "crm", "totals"}
    [sales] = [pod for name, pod in node.ran.items() if "-sales-" in name]
    assert sales["spec"]["serviceAccountName"].startswith("ds-acme-prod-yellow-ing")
    assert sales["metadata"]["labels"]["dag_id"] == f"{DAGS}sales"
    assert verdicts(settled.task_log(f"{DAGS}sales", settled.runs(f"{DAGS}sales")[0][0]))[-1]["exit"] == 0


def test_nothing_to_do_is_skipped(settled: Airflow) -> None:
    assert settled.wait_for_run(f"{DAGS}crm", settled.trigger(f"{DAGS}crm", "again")) == "success"
    assert settled.tasks(f"{DAGS}crm", "again") == {"run": "skipped"}


def test_a_pod_that_fails_for_good(settled: Airflow, node: Kubelet, model: Deployed) -> None:
    """One pod, no second try, and the reason stands in the task's log."""
    model.sell("ALTER TABLE customers RENAME TO clients")
    before = len(node.ran)
    assert settled.wait_for_run(f"{DAGS}crm", settled.trigger(f"{DAGS}crm", "broken")) == "failed"
    assert settled.tries(f"{DAGS}crm", "broken", "run") == 1, settled.task_log(f"{DAGS}crm", "broken")
    assert len([name for name in list(node.ran)[before:] if "-crm-" in name]) == 1
    assert "customers" in settled.task_log(f"{DAGS}crm", "broken")
    model.sell("ALTER TABLE clients RENAME TO customers")


def test_a_fault_that_passes(settled: Airflow, model: Deployed, api: Cluster) -> None:
    """While somebody else runs the stream the job ends with 75, and its task is tried again."""
    model.sell("UPDATE orders SET amount = 70 WHERE id = 7")
    environ = {"KUBECONFIG": str(model.folder / "kubeconfig")}
    with psycopg.connect(model.source) as connection:
        connection.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
        run = ("run", "--once", "--stream", "sales")
        other = threading.Thread(target=lambda: model.run(*run, environ=environ))
        other.start()
        settled.until(lambda: waits_for_lock(model), 60, "a run that holds the stream")
        settled.trigger(f"{DAGS}sales", "busy")
        settled.until(lambda: settled.tries(f"{DAGS}sales", "busy", "run") > 1, 120, "a second try")
    other.join()
    assert settled.wait_for_run(f"{DAGS}sales", "busy") == "success", settled.task_log(f"{DAGS}sales", "busy")
    assert model.seen()["sales_orders"] == model.oracle()["sales_orders"]
    exits = [each["exit"] for each in verdicts(settled.task_log(f"{DAGS}sales", "busy"))]
    assert (exits[0], exits[-1] in {0, 99}) == (75, True)
    assert model.versions(7) == [(7,), (70,)]
    assert len(api.call("GET", f"/api/v1/namespaces/{JOBS}/pods")["items"]) < 3


def test_a_pod_that_is_deleted(settled: Airflow, node: Kubelet, model: Deployed, api: Cluster) -> None:
    """A pod that is taken away in the middle of its batch leaves nothing to repair: the next try ends what it began."""
    model.sell("INSERT INTO orders VALUES (99, 2, 5.50)")
    before = len(node.ran)
    with psycopg.connect(model.source) as connection:
        connection.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
        settled.trigger(f"{DAGS}sales", "deleted")
        settled.until(
            lambda: waits_for_lock(model) or ended(settled, "deleted"), 60, "a batch that waits for its source"
        )
        assert not ended(settled, "deleted"), settled.task_log(f"{DAGS}sales", "deleted")
        [name] = [each for each in list(node.ran)[before:] if "-sales-" in each]
        api.call("DELETE", f"/api/v1/namespaces/{JOBS}/pods/{name}", {"gracePeriodSeconds": 2})
        settled.until(lambda: settled.tries(f"{DAGS}sales", "deleted", "run") > 1, 120, "a second try")
        assert node.running[node.ran[name]["metadata"]["uid"]].poll() == -signal.SIGKILL
    assert settled.wait_for_run(f"{DAGS}sales", "deleted") == "success"
    settled.until(lambda: model.seen() == model.oracle(), 120, "views that equal the source")
    assert model.versions(99) == [(Decimal("5.50"),)]


def ended(three: Airflow, run: str) -> bool:
    return three.run_state(f"{DAGS}sales", run) == "failed"


def waits_for_lock(model: Deployed) -> bool:
    asked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with psycopg.connect(model.source) as connection:
        return connection.execute(asked).fetchone() != (0,)


def test_no_secret_outside_of_secrets(
    settled: Airflow, node: Kubelet, model: Deployed, api: Cluster, watch: Watch
) -> None:
    """Secrets are in Secrets, and in the folder of the pod that mounts them, which is gone with it."""
    kept = f"/api/v1/namespaces/{JOBS}"
    settled.until(lambda: not api.call("GET", f"{kept}/pods")["items"], 120, "a cluster without pods")
    secrets, public = (api.call("GET", f"{kept}/{each}")["items"] for each in ("secrets", "configmaps"))
    assert model.canaries.in_text(json.dumps(secrets)) == set(model.canaries.values)
    for documents in (public, node.ran):
        assert documents
        assert model.canaries.in_text(json.dumps(documents)) == set()
    assert model.canaries.in_folder(node.folder) == set()
    assert model.canaries.in_folder(settled.home) == set()
    assert model.canaries.in_folder(model.folder) == set()
    assert model.canaries.in_rows(settled.dump()) == set()
    assert watch.jobs
    assert watch.seen == set()
