"""The manifests: valid for every supported version, legal in every name, and no more open than the jobs need."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from datasurface import (
    Airflow,
    Aws,
    AwsIdentity,
    AwsSecrets,
    Egress,
    KubernetesSecrets,
    PostgresDatabase,
    TaskKind,
    Tls,
)
from datasurface.deploy.base import Deployable
from datasurface.deploy.kubernetes.cluster import Cluster
from datasurface.deploy.kubernetes.doctor import doctor_job
from datasurface.deploy.kubernetes.network import open_ways
from datasurface.deploy.kubernetes.target import TARGET
from datasurface.deploy.pod import job_labels, job_pod
from datasurface.deploy.pod_secrets import mounted_secrets, needed, secret_name
from datasurface.errors import ConfigurationError
from datasurface.release.needs import SystemJob, issued_credentials
from deploy.kubernetes_model import MERGE, POSTGRES, SETTINGS, deployable
from deploy.network_world import may_connect

GOLDEN = Path(__file__).parent / "golden" / "kubernetes"
VERSIONS = [f"1.{minor}" for minor in range(31, int(kubernetes_validate.latest_version().split(".")[1]) + 1)]
_OTHERS = ("postgresql.cnpg.io/", "monitoring.coreos.com/")
"""Kinds of operators, which the published schemas do not have."""
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_ALONE = dataclasses.replace(SETTINGS, postgres=POSTGRES)
_ELSEWHERE = PostgresDatabase("merge_db", host="10.8.0.9", database="merge", credential="merge_admin", tls=Tls.REQUIRE)
_ON_AWS = dataclasses.replace(SETTINGS, api_server=None, airflow_database=None)
CASES = {
    "alone": lambda: deployable(_ALONE),
    "airflow": deployable,
    "processes": lambda: deployable(Airflow(tasks=TaskKind.PROCESS), SETTINGS, merge=_ELSEWHERE),
    "aws": lambda: deployable(
        dataclasses.replace(SETTINGS, secret_store=Egress(["10.0.9.0/24"])), stores=[AwsSecrets()], merge=_ELSEWHERE
    ),
    "eks": lambda: deployable(
        Airflow(),
        Aws(account="123456789012", region="eu-central-1"),
        dataclasses.replace(
            SETTINGS, api_server=None, airflow_database=None, metrics_for="monitoring", service_monitors=True
        ),
        stores=[AwsSecrets()],
        merge=_ELSEWHERE,
    ),
    "files": lambda: deployable(SETTINGS, stores=["files"], merge=_ELSEWHERE),
}


def _documents(target: Deployable) -> Iterator[dict[str, Any]]:
    for file in TARGET.files(target):
        if file.path[0].isdigit():
            yield from yaml.safe_load_all(file.content)


@pytest.fixture(params=list(CASES), scope="module")
def documents(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    return list(_documents(CASES[request.param]()))


@pytest.mark.parametrize("version", [VERSIONS[0], VERSIONS[-1]])
def test_every_object_is_valid_for_the_oldest_and_the_newest_version(
    documents: list[dict[str, Any]], version: str
) -> None:
    for document in documents:
        if not document["apiVersion"].startswith(_OTHERS):
            kubernetes_validate.validate(document, version, strict=True)


@pytest.mark.parametrize("version", VERSIONS)
def test_an_object_of_each_kind_is_valid_for_every_version(version: str) -> None:
    kinds = {d["kind"]: d for d in _documents(deployable(SETTINGS, merge=_ELSEWHERE))}
    assert len(kinds) > 9
    for document in kinds.values():
        kubernetes_validate.validate(document, version, strict=True)


def test_every_name_is_legal_and_nothing_is_there_twice(documents: list[dict[str, Any]]) -> None:
    found = [(d["kind"], d["metadata"].get("namespace"), d["metadata"]["name"]) for d in documents]
    assert len(found) == len(set(found))
    for kind, _, name in found:
        assert _LABEL.fullmatch(name), (kind, name)
        assert len(name) <= (52 if kind == "CronJob" else 63), name
    for labels in _all(documents, "labels"):
        assert all(len(value) <= 63 for value in labels.values())


def _all(value: object, key: str) -> Iterator[Any]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name == key:
                yield inner
            yield from _all(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from _all(inner, key)


def _pods(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    jobs = [d["spec"]["jobTemplate"]["spec"]["template"] for d in documents if d["kind"] == "CronJob"]
    return [*jobs, *[d["spec"]["template"] for d in documents if d["kind"] == "Deployment"]]


def test_no_pod_can_become_more_than_it_is(documents: list[dict[str, Any]]) -> None:
    pods = _pods(documents)
    assert pods
    for pod in pods:
        spec = pod["spec"]
        assert spec["securityContext"]["runAsNonRoot"]
        assert spec["securityContext"]["runAsUser"] >= 10000
        assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & spec.keys()
        (container,) = spec["containers"]
        context = container["securityContext"]
        assert context["readOnlyRootFilesystem"]
        assert not context["allowPrivilegeEscalation"]
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert re.search("@sha256:[0-9a-f]{64}$", container["image"])
        assert container["resources"]["limits"]["memory"] == container["resources"]["requests"]["memory"]
        assert not list(_all(pod, "secretKeyRef"))
        assert {next(iter(v.keys() - {"name"})) for v in spec["volumes"]} <= {"configMap", "emptyDir", "secret"}
    assert not [d for d in documents if d["kind"] in {"Secret", "PersistentVolumeClaim", "ClusterRole"}]


def test_a_pod_has_the_secrets_of_its_own_job_and_no_others() -> None:
    target = CASES["alone"]()
    (platform,) = target.platforms
    issued = set(issued_credentials(platform))
    crm = platform.job("crm")
    assert crm is not None
    found = {each.credential.name: each for each in mounted_secrets(platform, crm, _ALONE)}
    assert set(found) == {"crm_reader", "yellow.run"}
    assert found["yellow.run"].optional
    assert not found["crm_reader"].optional
    security = {each.credential.name for each in mounted_secrets(platform, SystemJob.SECURITY, _ALONE)}
    assert security == {"merge_admin"}
    assert {credential.name for credential in issued} <= {c.name for c in needed(platform, SystemJob.SECURITY)}
    apply = {each.credential.name: each.secret for each in mounted_secrets(platform, SystemJob.APPLY, _ALONE)}
    assert apply["merge_admin"] == "merge-app"
    assert set(apply) == {"merge_admin", "yellow.run"}


def test_only_the_job_that_issues_passwords_may_write_secrets_and_only_those() -> None:
    target = CASES["alone"]()
    (platform,) = target.platforms
    documents = list(_documents(target))
    (role,) = [d for d in documents if d["kind"] == "Role"]
    named, made = role["rules"]
    assert named["resourceNames"] == sorted(secret_name(platform, c) for c in issued_credentials(platform))
    assert named["verbs"] == ["delete", "get", "patch"]
    assert made["verbs"] == ["create"]
    (binding,) = [d for d in documents if d["kind"] == "RoleBinding"]
    (subject,) = binding["subjects"]
    tokens = {
        pod["spec"]["serviceAccountName"]: pod["spec"]["automountServiceAccountToken"] for pod in _pods(documents)
    }
    assert [name for name, token in tokens.items() if token] == [subject["name"]]


def test_a_clouds_store_needs_no_secret_of_the_cluster() -> None:
    documents = list(_documents(CASES["aws"]()))
    assert not [d for d in documents if d["kind"] == "Role"]
    volumes = [volume for pod in _pods(documents) for volume in pod["spec"]["volumes"]]
    assert {v["name"] for v in volumes if "secret" in v} == {"releases"}


def test_where_no_store_can_keep_them_no_password_is_issued() -> None:
    target = CASES["files"]()
    (platform,) = target.platforms
    assert SystemJob.SECURITY not in Cluster.of(target).system_jobs(platform)
    crm = platform.job("crm")
    assert crm is not None
    assert [each.credential.name for each in mounted_secrets(platform, crm, SETTINGS)] == ["crm_reader", "merge_admin"]


def test_each_job_reaches_what_it_needs_and_nothing_else() -> None:
    target = CASES["alone"]()
    (platform,) = target.platforms
    policies = [d for d in _documents(target) if d["kind"] == "NetworkPolicy"]
    crm, erp = platform.job("crm"), platform.job("erp")
    assert crm is not None
    assert erp is not None
    derived = next(job for job in platform.jobs if job.transformer is not None)
    merge = ("datasurface", {"cnpg.io/cluster": "merge"})
    places: dict[str, dict[str, Any]] = {
        "merge": {"port": 5432, "pod": merge},
        "crm": {"port": 5432, "address": "10.1.2.77"},
        "erp": {"port": 6432, "address": "10.3.4.5"},
        "releases": {"port": 443, "address": "10.7.0.3"},
        "api": {"port": 443, "address": "10.96.0.1"},
        "names": {"port": 53, "protocol": "UDP", "pod": ("kube-system", {"k8s-app": "kube-dns"})},
        "internet": {"port": 443, "address": "93.184.216.34"},
        "crm by ssh": {"port": 22, "address": "10.1.2.77"},
        "another pod": {"port": 5432, "pod": ("datasurface", job_labels(platform, crm))},
        "another namespace": {"port": 5432, "pod": ("default", {"cnpg.io/cluster": "merge"})},
    }
    expected = {
        crm: {"merge", "names", "crm"},
        erp: {"merge", "names", "erp"},
        derived: {"merge", "names"},
        SystemJob.APPLY: {"merge", "names", "releases"},
        SystemJob.SECURITY: {"merge", "names", "api"},
        SystemJob.RETENTION: {"merge", "names"},
        SystemJob.AUDIT: {"merge", "names", "crm", "erp"},
    }
    for kind, wanted in expected.items():
        labels = job_labels(platform, kind)
        reached = {name for name, place in places.items() if may_connect(policies, "datasurface", labels, **place)}
        assert reached == wanted, kind


def test_nothing_reaches_a_pod_but_jobs_their_server() -> None:
    policies = [d for d in _documents(CASES["airflow"]()) if d["kind"] == "NetworkPolicy"]
    closed = [p for p in policies if p["spec"]["podSelector"] == {} and "Ingress" in p["spec"]["policyTypes"]]
    assert {p["metadata"]["namespace"] for p in closed} == {"datasurface", "datasurface-airflow"}
    open_ = [p for p in policies if p["spec"].get("ingress")]
    assert {p["metadata"]["name"] for p in open_} >= {"among-themselves"}
    assert all("from" in rule for p in open_ for rule in p["spec"]["ingress"])
    cidrs = [block["cidr"] for block in _all(policies, "ipBlock")]
    assert not {"0.0.0.0/0", "::/0"} & set(cidrs)


def test_a_way_to_everywhere_is_only_there_if_the_model_says_so() -> None:
    assert open_ways(Cluster.of(CASES["alone"]())) == ()
    settings = dataclasses.replace(_ALONE, egress={"crm_db": Egress(["0.0.0.0/0"])})
    assert [way.to.cidrs for way in open_ways(Cluster.of(deployable(settings)))] == [("0.0.0.0/0",)] * 2


def test_all_that_nothing_tells_the_place_of_is_named_at_once() -> None:
    settings = dataclasses.replace(SETTINGS, egress={}, api_server=None, release_store=None)
    with pytest.raises(ConfigurationError) as caught:
        TARGET.files(deployable(settings, merge=_ELSEWHERE))
    for place in ("'crm_db' is (egress=)", "Kubernetes API is (api_server=)", "release store is (release_store=)"):
        assert place in caught.value.message


def test_a_container_that_does_not_stand_for_the_cluster_is_refused() -> None:
    other = dataclasses.replace(MERGE, host="merge", tls=Tls.PREFER)
    with pytest.raises(ConfigurationError, match=r"merge-rw\.datasurface\.svc.*tls=prefer") as caught:
        TARGET.files(deployable(_ALONE, merge=other))
    assert "correct it in the environment's containers" in caught.value.hint


def test_the_operators_password_is_not_looked_for_in_a_cloud() -> None:
    settings = dataclasses.replace(_ALONE, secret_store=Egress(["10.0.9.0/24"]))
    with pytest.raises(ConfigurationError, match="asks a cloud's secret store"):
        TARGET.files(deployable(settings, stores=[AwsSecrets()]))


def test_the_quota_holds_what_may_run_at_once() -> None:
    for parallelism in (1, 3, 16):
        settings = dataclasses.replace(SETTINGS, parallelism=parallelism)
        documents = list(_documents(deployable(settings, merge=_ELSEWHERE)))
        (quota,) = [d["spec"]["hard"] for d in documents if d["kind"] == "ResourceQuota"]
        pods = [pod["spec"]["containers"][0]["resources"] for pod in _pods(documents)]
        memory = sorted(int(r["requests"]["memory"].removesuffix("Mi")) for r in pods)[-parallelism:]
        cpu = sorted(int(r["requests"]["cpu"].removesuffix("m")) for r in pods)[-parallelism:]
        assert int(quota["requests.memory"].removesuffix("Mi")) >= sum(memory)
        assert int(quota["requests.cpu"].removesuffix("m")) >= sum(cpu)
        assert int(quota["pods"]) >= len(memory)


def test_the_files_are_as_they_were() -> None:
    files = {file.path: file.content for file in TARGET.files(CASES["alone"]())}
    if os.environ.get("DATASURFACE_WRITE_GOLDEN"):
        for path, content in files.items():
            place = GOLDEN / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(content)
    kept = {str(path.relative_to(GOLDEN)): path.read_text() for path in GOLDEN.rglob("*") if path.is_file()}
    assert files == kept


_DIGEST = """
import hashlib, json, sys
from datasurface.deploy.kubernetes.target import TARGET
from deploy.kubernetes_model import SETTINGS, POSTGRES, deployable
import dataclasses
files = TARGET.files(deployable(dataclasses.replace(SETTINGS, postgres=POSTGRES), streams=40))
print(hashlib.sha256(json.dumps([[f.path, f.content] for f in files]).encode()).hexdigest())
"""


def test_another_process_writes_the_same_bytes() -> None:
    digests = set()
    for seed in ("1", "2"):
        environ = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parents[1])}
        run = subprocess.run([sys.executable, "-c", _DIGEST], env=environ, capture_output=True, text=True, check=True)
        digests.add(run.stdout)
    assert len(digests) == 1


def test_a_thousand_streams_take_seconds_and_twice_the_same() -> None:
    target = deployable(_ALONE, streams=1000)
    began = time.monotonic()
    first = TARGET.files(target)
    assert time.monotonic() - began < 10
    assert _digest(first) == _digest(TARGET.files(target))


def _digest(files: object) -> str:
    return hashlib.sha256(json.dumps([[f.path, f.content] for f in files]).encode()).hexdigest()  # type: ignore[attr-defined]


def test_a_pod_outside_of_the_cluster_is_told() -> None:
    target = deployable(SETTINGS, stores=[KubernetesSecrets(context="here")], merge=_ELSEWHERE)
    with pytest.raises(ConfigurationError, match="the context 'here' of a kubeconfig"):
        TARGET.files(target)


def test_a_job_pod_waits_for_no_secret_that_is_issued_later() -> None:
    (platform,) = CASES["alone"]().platforms
    job = platform.job("crm")
    assert job is not None
    pod: Any = job_pod(platform, job, _ALONE, arguments=["job", "crm"])
    secrets = {v["secret"]["secretName"]: v["secret"] for v in pod["volumes"] if "secret" in v}
    optional = {name for name, secret in secrets.items() if secret.get("optional")}
    assert optional == {name for name in secrets if name.startswith("datasurface.acme.prod.yellow-run")}
    assert secrets["merge-ca"]["items"] == [{"key": "ca.crt", "path": "ca.crt"}]


def test_on_aws_places_and_identities_follow_from_the_network() -> None:
    documents = list(_documents(CASES["eks"]()))
    policies = [d for d in documents if d["kind"] == "NetworkPolicy"]
    (platform,) = CASES["eks"]().platforms
    labels = job_labels(platform, SystemJob.RETENTION)
    assert may_connect(policies, "datasurface", labels, 80, address="169.254.170.23")
    assert may_connect(policies, "datasurface", labels, 443, address="10.64.3.9")
    assert not may_connect(policies, "datasurface", labels, 80, address="169.254.169.254")
    assert not list(_all([d for d in documents if d["kind"] == "ServiceAccount"], "eks.amazonaws.com/role-arn"))


def test_service_accounts_name_their_roles_where_pods_take_them_on_by_them() -> None:
    aws = Aws(account="123456789012", region="cn-north-1", identity=AwsIdentity.IRSA)
    target = deployable(aws, _ON_AWS, stores=[AwsSecrets()], merge=_ELSEWHERE)
    accounts = [d for d in _documents(target) if d["kind"] == "ServiceAccount"]
    roles = {a["metadata"]["name"]: a["metadata"]["annotations"]["eks.amazonaws.com/role-arn"] for a in accounts}
    (derived,) = [role for role in roles.values() if role.endswith(":role/derive")]
    assert derived == "arn:aws:iam::123456789012:role/derive"
    others = {name: role for name, role in roles.items() if role != derived}
    assert all(role == f"arn:aws-cn:iam::123456789012:role/{name}" for name, role in others.items())
    assert len(others) == 5


def test_doctor_runs_where_a_job_does_and_with_no_more() -> None:
    target = CASES["alone"]()
    (platform,) = target.platforms
    crm = platform.job("crm")
    assert crm is not None
    found = yaml.safe_load(doctor_job(target, "crm"))
    kubernetes_validate.validate(found, VERSIONS[0], strict=True)
    pod = found["spec"]["template"]
    job: Any = job_pod(platform, crm, _ALONE, arguments=["job", "crm"])
    assert pod["spec"]["volumes"] == job["volumes"]
    assert pod["spec"]["serviceAccountName"] == job["serviceAccountName"]
    assert pod["metadata"]["labels"] == job_labels(platform, crm)
    assert pod["spec"]["containers"][0]["args"] == [
        "doctor", "--stream", "crm", "--platform-file", "/etc/datasurface/platform.json"
    ]  # fmt: skip
    applying = yaml.safe_load(doctor_job(target, None))
    assert applying["spec"]["template"]["metadata"]["labels"]["datasurface.io/job"] == "apply"
    with pytest.raises(ConfigurationError, match="no stream 'gone'") as caught:
        doctor_job(target, "gone")
    assert "crm" in caught.value.hint


def test_prometheus_and_nobody_else_may_ask_for_metrics() -> None:
    documents = list(_documents(CASES["eks"]()))
    (deployment,) = [d for d in documents if d["kind"] == "Deployment"]
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    spec = deployment["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert container["args"][0] == "metrics"
    assert not spec["automountServiceAccountToken"]
    policies = [d for d in documents if d["kind"] == "NetworkPolicy" and d["spec"].get("ingress")]
    open_ = [p for p in policies if p["metadata"]["namespace"] == "datasurface"]
    (rule,) = [rule for p in open_ for rule in p["spec"]["ingress"]]
    assert rule["from"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]
    assert rule["ports"] == [{"port": 9464, "protocol": "TCP"}]
    for kind in ("Service", "ServiceMonitor"):
        (found,) = [d["spec"]["selector"] for d in documents if d["kind"] == kind]
        assert (found.get("matchLabels") or found).items() <= labels.items()
    assert may_connect(
        [d for d in documents if d["kind"] == "NetworkPolicy"], "datasurface", labels, 5432, address="10.8.0.9"
    )
