"""A real API server takes the generated manifests, and its RBAC allows and forbids what they say.

It is Kubernetes 1.20: newer kinds and fields are checked against the published schemas elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from datasurface.deploy.kubernetes.access import AIRFLOW_ACCOUNTS
from datasurface.deploy.kubernetes.cluster import Cluster as Deployed
from datasurface.deploy.kubernetes.target import objects
from datasurface.deploy.names import job_account
from datasurface.deploy.pod_secrets import secret_name
from datasurface.release.job import PlatformSpec
from datasurface.release.needs import SystemJob, issued_credentials
from deploy.kubernetes_model import deployable
from kube_cluster import Cluster, Document, Refused, cluster

pytestmark = pytest.mark.slow

JOBS, AIRFLOW = "datasurface", "datasurface-airflow"
ISSUER = SystemJob.SECURITY
TOO_NEW = {"CronJob"}
"""Kinds that are legal today and that 1.20 does not know under their present version."""
OF_OPERATORS = {"Cluster", "ScheduledBackup"}
POD_RIGHTS = [("pods", verb) for verb in ("create", "delete", "get", "list", "patch", "watch")] + [("pods/log", "get")]
NOBODYS = [
    ("secrets", "list"),
    ("secrets", "watch"),
    ("pods/exec", "create"),
    ("pods/attach", "create"),
    ("pods/ephemeralcontainers", "patch"),
    ("serviceaccounts/token", "create"),
    ("serviceaccounts", "impersonate"),
    ("configmaps", "patch"),
]


@pytest.fixture(scope="module")
def manifests() -> list[Document]:
    return [dict(document) for document in objects(Deployed.of(deployable()))]


@pytest.fixture(scope="module")
def platform() -> PlatformSpec:
    [found] = deployable().platforms
    return found


@pytest.fixture(scope="module")
def api(manifests: list[Document]) -> Iterator[Cluster]:
    """An API server to which everything was applied that it knows, and the accounts that Airflow's chart makes."""
    with cluster() as made:
        for document in manifests:
            if made.knows(document):
                made.apply(document)
        for name in AIRFLOW_ACCOUNTS:
            metadata = {"name": name, "namespace": AIRFLOW}
            made.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
        yield made


def who(account: str, namespace: str = JOBS) -> str:
    return f"system:serviceaccount:{namespace}:{account}"


def accounts(manifests: list[Document]) -> list[str]:
    return [each["metadata"]["name"] for each in manifests if each["kind"] == "ServiceAccount"]


def test_manifests_are_taken(api: Cluster, manifests: list[Document]) -> None:
    """Each is accepted by server-side apply, and again; what is not known is only too new, or an operator's."""
    unknown = {each["kind"] for each in manifests if not api.knows(each)}
    assert unknown <= TOO_NEW | OF_OPERATORS
    taken = [each for each in manifests if each["kind"] not in unknown]
    assert {"NetworkPolicy", "Role", "RoleBinding", "ResourceQuota", "ServiceAccount", "PriorityClass"} <= {
        each["kind"] for each in taken
    }
    for document in taken:
        before, after = api.call("GET", api.path_of(document)), api.apply(document, dry=True)
        for part in set(document) - {"metadata"}:
            assert before.get(part) == after.get(part), document["metadata"]


def test_a_wrong_manifest_is_refused(api: Cluster, manifests: list[Document]) -> None:
    """The server would have said so."""
    quota = next(each for each in manifests if each["kind"] == "ResourceQuota")
    with pytest.raises(Refused, match=r"must match the regex|quantities"):
        api.apply({**quota, "spec": {"hard": {"requests.cpu": "much"}}}, dry=True)


def test_jobs_have_no_rights(api: Cluster, manifests: list[Document], platform: PlatformSpec) -> None:
    issuer = job_account(platform, ISSUER)
    asked = [*POD_RIGHTS, *NOBODYS, ("secrets", "get"), ("secrets", "create"), ("configmaps", "get")]
    for account in accounts(manifests):
        if account != issuer:
            assert [each for each in asked if api.may(who(account), each[1], each[0], JOBS)] == [], account


def test_the_issuer_writes_what_it_issues(api: Cluster, platform: PlatformSpec) -> None:
    issuer = who(job_account(platform, ISSUER))
    for credential in issued_credentials(platform):
        name = secret_name(platform, credential)
        assert all(api.may(issuer, verb, "secrets", JOBS, name=name) for verb in ("get", "patch", "delete"))
    assert api.may(issuer, "create", "secrets", JOBS)
    assert platform.credential is not None
    assert not api.may(issuer, "get", "secrets", JOBS, name=secret_name(platform, platform.credential))
    assert not api.may(issuer, "get", "secrets", AIRFLOW)
    assert [each for each in [*POD_RIGHTS, *NOBODYS] if api.may(issuer, each[1], each[0], JOBS)] == []


def test_airflow_handles_pods_and_no_secrets(api: Cluster) -> None:
    for account in AIRFLOW_ACCOUNTS:
        worker = who(account, AIRFLOW)
        assert [each for each in POD_RIGHTS if not api.may(worker, each[1], each[0], JOBS)] == []
        assert [each for each in [*NOBODYS, ("secrets", "get")] if api.may(worker, each[1], each[0], JOBS)] == []
        assert [each for each in POD_RIGHTS if api.may(worker, each[1], each[0], "kube-system")] == []
        for verb in ("create", "patch", "bind", "escalate"):
            assert not api.may(worker, verb, "rolebindings", JOBS, group="rbac.authorization.k8s.io")


def test_the_server_really_refuses(api: Cluster, platform: PlatformSpec) -> None:
    """Not only by its own account of who may what: with the tokens of those accounts."""
    run = next(each for each in issued_credentials(platform) if each.name.endswith(".run"))
    own = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": secret_name(platform, run), "namespace": JOBS}}
    assert platform.credential is not None
    others = f"/api/v1/namespaces/{JOBS}/secrets/{secret_name(platform, platform.credential)}"
    issuer = api.user(JOBS, job_account(platform, ISSUER))
    issuer.call("POST", f"/api/v1/namespaces/{JOBS}/secrets", {**own, "stringData": {"password": "first"}})
    issuer.call("PATCH", api.path_of(own), {"stringData": {"password": "next"}}, "application/merge-patch+json")
    [job] = [each for each in platform.jobs if each.stream == "crm"]
    for user in (api.user(JOBS, job_account(platform, job)), api.user(AIRFLOW, "airflow-worker")):
        with pytest.raises(Refused, match="403"):
            user.call("GET", api.path_of(own))
    for user in (issuer, api.user(AIRFLOW, "airflow-worker")):
        with pytest.raises(Refused, match="403"):
            user.call("GET", others)


def test_a_pod_of_nobody_is_refused(api: Cluster) -> None:
    """A pod starts only as an account that was made for it."""
    spec = {"serviceAccountName": "nobody", "containers": [{"name": "job", "image": "x"}]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x", "namespace": JOBS}, "spec": spec}
    with pytest.raises(Refused, match='serviceaccount \\\\"nobody\\\\" not found'):
        api.user(AIRFLOW, "airflow-worker").call("POST", f"/api/v1/namespaces/{JOBS}/pods", pod)
