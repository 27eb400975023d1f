"""`preflight kubernetes` against a real API server: the rights that it says are missing are those that are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from datasurface.deploy.kubernetes.preflight import PREFLIGHT
from datasurface.deploy.preflight.check import Result, Verdict
from datasurface.deploy.preflight.run import run_checks
from deploy.kubernetes_model import deployable
from kube_cluster import Cluster, cluster

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def api() -> Iterator[Cluster]:
    with cluster() as found:
        yield found


def _run(user: Cluster, folder: Path) -> dict[str, list[Result]]:
    config = user.kubeconfig(folder / "config", "default")
    target = deployable()
    found: dict[str, list[Result]] = {}
    for result in run_checks(PREFLIGHT.checks, PREFLIGHT.subject(target, {"KUBECONFIG": str(config)})):
        found.setdefault(result.id.removeprefix("kubernetes."), []).append(result)
    return found


def test_the_rules_that_are_missing_are_enough_and_no_more(api: Cluster, tmp_path: Path) -> None:
    account: dict[str, Any] = {"apiVersion": "v1", "kind": "ServiceAccount"}
    api.apply({**account, "metadata": {"name": "deployer", "namespace": "default"}})
    user = api.user("default", "deployer")
    (refused,) = _run(user, tmp_path)["cluster.rights"]
    assert refused.verdict is Verdict.FAIL
    assert refused.outcome.document is not None
    subject = {"kind": "ServiceAccount", "name": "deployer", "namespace": "default"}
    roles: Any = refused.outcome.document["items"]
    for role in roles:
        namespace = role["metadata"].get("namespace")
        if namespace is not None:
            api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        api.apply(role)
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": role["kind"], "name": role["metadata"]["name"]}
        binding = {"apiVersion": role["apiVersion"], "kind": f"{role['kind']}Binding", "metadata": role["metadata"]}
        api.apply({**binding, "roleRef": reference, "subjects": [subject]})
    found = _run(user, tmp_path)
    (granted,) = found["cluster.rights"]
    assert granted.verdict is Verdict.PASS, granted
    assert any("not made by these files" in result.outcome.why for result in found["cluster.namespaces"])
    for right in ("delete", "deletecollection"):
        assert not api.may(
            "system:serviceaccount:default:deployer", right, "networkpolicies", "datasurface", "networking.k8s.io"
        )


def test_an_old_cluster_without_nodes_is_told_what_it_lacks(api: Cluster, tmp_path: Path) -> None:
    found = _run(api, tmp_path)
    worst = {name: min(results, key=lambda result: result.verdict.severity) for name, results in found.items()}
    assert worst["cluster.reached"].verdict is Verdict.PASS
    assert worst["cluster.rights"].verdict is Verdict.PASS
    for name, words in (
        ("cluster.version", "1.20 is older than 1.31"),
        ("nodes.present", "no node takes pods"),
        ("cluster.secrets", "it is not there"),
        ("cluster.operator", "does not know it"),
        ("cluster.storage", "no default storage class"),
    ):
        assert worst[name].verdict is Verdict.FAIL, name
        assert words in worst[name].outcome.why
