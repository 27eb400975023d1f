"""`preflight kubernetes`: each check is seen to pass and to fail, and nothing but questions are asked."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from datasurface import Airflow, ClusterNodes, Egress, PostgresDatabase, Snapshot, Tls
from datasurface.deploy.base import Deployable
from datasurface.deploy.kubernetes.preflight import PREFLIGHT
from datasurface.deploy.pod_secrets import mounted_secrets
from datasurface.deploy.preflight.check import Result, Verdict
from datasurface.deploy.preflight.run import run_checks
from deploy.cluster_api import FakeCluster, fake_cluster
from deploy.kubernetes_model import MERGE, POSTGRES, SETTINGS, deployable
from kubernetes_api import kubeconfig

JOBS = "/api/v1/namespaces/datasurface"
AIRFLOW = "/api/v1/namespaces/datasurface-airflow"
KINDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
DAEMONS = "/apis/apps/v1/namespaces/kube-system/daemonsets"
CANARY = "canary-of-a-secret-7731"
STUCK = {"owner": "helm", "name": "airflow", "version": "2", "status": "pending-install"}
ALONE = dataclasses.replace(SETTINGS, postgres=POSTGRES)
ELSEWHERE = PostgresDatabase("merge_db", host="10.8.0.9", database="merge", credential="merge_admin", tls=Tls.REQUIRE)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[FakeCluster]:
    with fake_cluster() as found:
        kubeconfig(tmp_path / "config", found.url)
        _fill(found)
        yield found


def _node(name: str, cpu: str = "4", memory: str = "16Gi", arch: str = "amd64", **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "labels": {"kubernetes.io/arch": arch}},
        "spec": spec,
        "status": {
            "allocatable": {"cpu": cpu, "memory": memory, "pods": "110"},
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


def _fill(cluster: FakeCluster) -> None:
    """Make it a cluster that everything is ready on."""
    cluster.found["/version"] = {"major": "1", "minor": "34+"}
    cluster.put_list("/api/v1/nodes", *[_node(f"node-{number}") for number in range(6)])
    target = deployable()
    (platform,) = target.platforms
    secrets = "/api/v1/namespaces/datasurface/secrets"
    for job in platform.jobs:
        for each in mounted_secrets(platform, job, ALONE):
            data = {key: CANARY for _, key in each.keys}
            cluster.found[f"{secrets}/{each.secret}"] = {"metadata": {"name": each.secret}, "data": data}
    cluster.found[f"{secrets}/release-store"] = {"data": {"credentials": CANARY}}
    airflow = "/api/v1/namespaces/datasurface-airflow/secrets"
    for name, key in (
        ("airflow-metadata", "connection"),
        ("airflow-fernet-key", "fernet-key"),
        ("airflow-api-secret-key", "api-secret-key"),
        ("airflow-jwt-secret", "jwt-secret"),
    ):
        cluster.found[f"{airflow}/{name}"] = {"data": {key: CANARY}}
    for where in (secrets, airflow):
        cluster.found[f"{where}/registry"] = {"type": "kubernetes.io/dockerconfigjson", "data": {}}
    cluster.put_list(
        "/apis/storage.k8s.io/v1/storageclasses",
        {
            "metadata": {"name": "disks", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
            "provisioner": "disks.example",
            "volumeBindingMode": "WaitForFirstConsumer",
        },
    )
    cluster.put_list(DAEMONS, {"metadata": {"name": "cilium"}, "spec": {}})
    cluster.found[f"{KINDS}/clusters.postgresql.cnpg.io"] = {}
    cluster.found[f"{KINDS}/objectstores.barmancloud.cnpg.io"] = {}
    stores = "/apis/barmancloud.cnpg.io/v1/namespaces/datasurface/objectstores"
    cluster.found[f"{stores}/merge-backups"] = {}


def _run(target: Deployable, folder: Path | None = None) -> dict[str, list[Result]]:
    environ = {} if folder is None else {"KUBECONFIG": str(folder / "config")}
    results = run_checks(PREFLIGHT.checks, PREFLIGHT.subject(target, environ), offline=folder is None)
    found: dict[str, list[Result]] = {}
    for result in results:
        found.setdefault(result.id.removeprefix("kubernetes."), []).append(result)
    return found


def _worst(found: dict[str, list[Result]], check: str) -> Verdict:
    return min((result.verdict for result in found[check]), key=lambda verdict: verdict.severity)


def test_a_model_and_a_cluster_that_are_ready_pass(cluster: FakeCluster, tmp_path: Path) -> None:
    found = _run(
        deployable(Airflow(), dataclasses.replace(ALONE, nodes=ClusterNodes(cpu=4, memory="16Gi", count=6))), tmp_path
    )
    bad = {
        check: [r.outcome.why for r in results if r.verdict in {Verdict.FAIL, Verdict.WARN}]
        for check, results in found.items()
    }
    assert {check: why for check, why in bad.items() if why} == {}
    assert set(found) == {check.id.removeprefix("kubernetes.") for check in PREFLIGHT.checks}
    assert CANARY not in json.dumps([r.to_json() for results in found.values() for r in results])
    assert {method for method, path in cluster.asked if "accessreviews" not in path} == {"GET"}


def test_offline_nothing_is_asked(cluster: FakeCluster) -> None:
    found = _run(deployable())
    assert not [check for check in found if check.startswith("cluster.")]
    assert cluster.asked == []


@pytest.mark.parametrize(
    ("target", "check", "verdict", "words"),
    [
        (deployable(dataclasses.replace(ALONE, egress={})), "settings.complete", Verdict.FAIL, "'crm_db'"),
        (deployable(dataclasses.replace(ALONE, version="1.30")), "settings.version", Verdict.FAIL, "older than 1.31"),
        (deployable(dataclasses.replace(ALONE, version="1.38")), "settings.version", Verdict.WARN, "newer than"),
        (
            deployable(dataclasses.replace(ALONE, egress={"crm_db": Egress(["0.0.0.0/0"])})),
            "settings.open", Verdict.WARN, "everywhere",
        ),
        (
            deployable(SETTINGS, merge=dataclasses.replace(ELSEWHERE, tls=Tls.PREFER)),
            "settings.tls", Verdict.WARN, "tls=prefer",
        ),
        (
            deployable(SETTINGS, stores=["files"], merge=ELSEWHERE),
            "settings.passwords", Verdict.WARN, "no secret store",
        ),
        (deployable(dataclasses.replace(ALONE, parallelism=0)), "objects.quota", Verdict.FAIL, "no job may run"),
        (
            deployable(dataclasses.replace(SETTINGS, postgres=dataclasses.replace(POSTGRES, storage_class="efs-sc"))),
            "objects.storage", Verdict.FAIL, "shared file system",
        ),
        (
            deployable(dataclasses.replace(ALONE, nodes=ClusterNodes(cpu=2, memory="2Gi"))),
            "nodes.declared", Verdict.FAIL, "no node holds it",
        ),
        (
            deployable(dataclasses.replace(ALONE, nodes=ClusterNodes(cpu=3, memory="5Gi", count=1))),
            "nodes.declared", Verdict.WARN, "and there are 1",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_in_the_model_is_told(target: Deployable, check: str, verdict: Verdict, words: str) -> None:
    found = _run(target)
    assert _worst(found, check) is verdict
    assert any(words in result.outcome.why and result.outcome.remedy for result in found[check])


def _missing(cluster: FakeCluster, path: str) -> None:
    del cluster.found[path]


@pytest.mark.parametrize(
    ("change", "check", "verdict", "words"),
    [
        (lambda c: c.found.update({"/version": {"major": "1", "minor": "29"}}), "cluster.version", "fail", "older"),
        (
            lambda c: c.found.update({JOBS: {"status": {"phase": "Terminating"}, "metadata": {}}}),
            "cluster.namespaces", "fail", "being deleted",
        ),
        (
            lambda c: c.found.update({JOBS: {"status": {"phase": "Active"}, "metadata": {}}}),
            "cluster.namespaces", "warn", "not made by these files",
        ),
        (lambda c: c.denied.add(("create", "networkpolicies")), "cluster.rights", "fail", "create networkpolicies"),
        (lambda c: c.put_list("/api/v1/nodes"), "nodes.present", "fail", "no node takes pods"),
        (lambda c: c.put_list("/api/v1/nodes", _node("a", unschedulable=True)), "nodes.present", "fail", "no node"),
        (lambda c: c.put_list("/api/v1/nodes", _node("a", cpu="900m")), "nodes.present", "fail", "no node holds it"),
        (
            lambda c: c.put_list("/api/v1/nodes", _node("a"), _node("b", arch="arm64")),
            "nodes.present", "warn", "amd64 and arm64",
        ),
        (
            lambda c: _missing(c, f"{AIRFLOW}/secrets/airflow-jwt-secret"),
            "cluster.secrets", "fail", "not there",
        ),
        (
            lambda c: c.found.update({f"{JOBS}/secrets/release-store": {"data": {"other": ""}}}),
            "cluster.secrets", "fail", "has no credentials",
        ),
        (
            lambda c: _missing(c, f"{JOBS}/secrets/registry"),
            "cluster.pull-secrets", "fail", "cannot be pulled",
        ),
        (
            lambda c: c.found.update({f"{JOBS}/secrets/registry": {"type": "Opaque"}}),
            "cluster.pull-secrets", "fail", "no login",
        ),
        (lambda c: c.put_list("/apis/storage.k8s.io/v1/storageclasses"), "cluster.storage", "fail", "no default"),
        (
            lambda c: c.put_list(DAEMONS, {"metadata": {"name": "kube-flannel"}, "spec": {}}),
            "cluster.network", "warn", "flannel",
        ),
        (
            lambda c: _missing(c, f"{KINDS}/clusters.postgresql.cnpg.io"),
            "cluster.operator", "fail", "does not know it",
        ),
        (
            lambda c: c.put_list(f"{AIRFLOW}/secrets", {"metadata": {"labels": STUCK}}),
            "cluster.helm", "fail", "pending-install",
        ),
        (lambda c: c.hidden.add("/api/v1/nodes"), "nodes.present", "warn", "cannot get /api/v1/nodes"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_the_cluster_is_told(
    cluster: FakeCluster, tmp_path: Path, change: Any, check: str, verdict: str, words: str
) -> None:
    change(cluster)
    found = _run(deployable(), tmp_path)
    assert _worst(found, check).value == verdict
    assert any(words in result.outcome.why and result.outcome.remedy for result in found[check])


def test_the_rules_that_are_missing_are_written_out(cluster: FakeCluster, tmp_path: Path) -> None:
    cluster.denied |= {
        ("create", "cronjobs", "datasurface"),
        ("patch", "cronjobs", "datasurface"),
        ("create", "namespaces"),
    }
    (result,) = _run(deployable(), tmp_path)["cluster.rights"]
    assert result.outcome.document is not None
    whole, jobs = result.outcome.document["items"]  # type: ignore[misc]
    assert whole["kind"] == "ClusterRole"
    assert whole["rules"] == [{"apiGroups": [""], "resources": ["namespaces"], "verbs": ["create"]}]
    assert jobs["metadata"]["namespace"] == "datasurface"
    assert jobs["rules"] == [{"apiGroups": ["batch"], "resources": ["cronjobs"], "verbs": ["create", "patch"]}]


def test_a_cluster_that_does_not_answer_is_told_once(tmp_path: Path) -> None:
    kubeconfig(tmp_path / "config", "http://127.0.0.1:9")
    found = _run(deployable(), tmp_path)
    assert _worst(found, "cluster.reached") is Verdict.FAIL
    assert _worst(found, "cluster.rights") is Verdict.SKIPPED


def test_which_cluster_does_not_answer_is_told_without_a_login(tmp_path: Path) -> None:
    kubeconfig(tmp_path / "config", f"http://me:{CANARY}@127.0.0.1:9", token=f"{CANARY}-token")
    (result,) = _run(deployable(), tmp_path)["cluster.reached"]
    assert "the kubeconfig's context 'here', http://127.0.0.1:9, cannot be reached: " in result.outcome.why
    assert "kubectl config use-context" in result.outcome.remedy
    assert CANARY not in json.dumps(result.to_json())


def test_a_container_that_many_datastores_have_is_one_row() -> None:
    whole = deployable(ALONE, streams=5)
    (platform,) = whole.platforms
    databases = [
        PostgresDatabase("d9", host="h", database=f"d{number % 3}", tls=Tls.PREFER)
        for number in range(len(platform.jobs))
    ]
    jobs = tuple(
        dataclasses.replace(job, capture=Snapshot(database, credential="reader", every="1 day"))
        for job, database in zip(platform.jobs, databases, strict=True)
    )
    release = dataclasses.replace(whole.release, platforms=(dataclasses.replace(platform, jobs=jobs),))
    found = _run(dataclasses.replace(whole, release=release))["settings.tls"]
    assert [(result.outcome.about, result.verdict) for result in found] == [("d9", Verdict.WARN)]


def test_a_login_that_is_not_valid_is_told(cluster: FakeCluster, tmp_path: Path) -> None:
    kubeconfig(tmp_path / "config", cluster.url, token="another")
    (result,) = _run(deployable(), tmp_path)["cluster.reached"]
    assert result.outcome.remedy == "log in to the cluster again"
    assert MERGE.name in {platform.container.name for platform in deployable().platforms}


def test_what_is_too_large_for_a_copy_in_an_annotation_is_told() -> None:
    def size(streams: int) -> str:
        (result,) = _run(deployable(Airflow(), ALONE, streams=streams))["objects.sizes"]
        assert result.verdict is Verdict.PASS
        return result.outcome.why

    assert "--server-side" not in size(0)
    assert "--server-side" in size(200)
