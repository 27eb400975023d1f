"""Each job's pod as Airflow's own operator submits it: legal, with its own secrets and rights and no others."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from airflow_server import require
from airflow_settings import programs
from canaries import Canaries
from datasurface import (
    Airflow,
    AwsRole,
    AwsSecrets,
    ChangeCapture,
    Column,
    Credential,
    CredentialKind,
    Dataset,
    DatasetGroup,
    Datastore,
    DataTransformer,
    Ecosystem,
    Environment,
    GitHubRepository,
    GovernanceZone,
    Hint,
    Kubernetes,
    KubernetesSecrets,
    PostgresDatabase,
    PythonModule,
    Team,
    Watermark,
    Workspace,
    YellowPlatform,
)
from datasurface.deploy.airflow.target import TARGET
from datasurface.deploy.base import Deployable
from datasurface.deploy.names import dag_id, job_account, platform_id, system_dag_id
from datasurface.model.platform import Platform
from datasurface.model.secret_names import kubernetes_name
from datasurface.model.secret_stores import StoreChoice
from datasurface.model.types import BigInt, String, Timestamp
from datasurface.release.identity import service_account_name
from datasurface.release.job import JobSpec, PlatformSpec
from datasurface.release.needs import SystemJob, credentials_of, issued_credentials, system_credentials
from deploying import IMAGE, deployable, derived, store

pytestmark = pytest.mark.slow

VERSIONS = [f"1.{minor}" for minor in range(31, int(kubernetes_validate.latest_version().split(".")[1]) + 1)]
SECOND = PostgresDatabase("crm_db", host="crm.example", database="crm", credential="crm_reader")
COLUMNS = [Column("id", BigInt, key=True), Column("name", String(40)), Column("at", Timestamp)]


def every_kind_of_job(stores: list[StoreChoice]) -> Ecosystem:
    """Return a model with a stream of each kind of capture and code, one with an identity and secrets of its own."""
    dataset = Dataset("rows", columns=COLUMNS)
    marked = Datastore("marked", capture=Watermark(SECOND, column="at", every="1 hour"), datasets=[dataset])
    logged = Datastore("logged", capture=ChangeCapture(SECOND, every="1 minute"), datasets=[dataset])
    output = Datastore("scores", datasets=[Dataset("rows", columns=COLUMNS)])
    code = DataTransformer(
        "score",
        code=PythonModule("scoring:run"),
        output=output,
        run_as=AwsRole("scorer", account="123456789012"),
        secrets={"model_key": Credential("model_registry", kind=CredentialKind.TOKEN)},
        resources=Hint(cpu=2, memory="3Gi"),
    )
    scoring = Workspace("scoring", groups=[DatasetGroup("in", sinks=["marked.rows"])], transformer=code)
    sinks = ["shop.orders", "marked.rows", "logged.rows", "copied_out.rows", "scores.rows"]
    reports = Workspace("reports", groups=[DatasetGroup("all", sinks=sinks)])
    datastores = [store("shop"), marked, logged]
    team = Team("sales", datastores=datastores, workspaces=[reports, scoring, derived("copied", ["shop.orders"])])
    yellow = platform()
    settings = [Airflow(kubernetes_connection="cluster"), Kubernetes(image=IMAGE, pull_secrets=["registry"])]
    return Ecosystem(
        "acme",
        owner=GitHubRepository("acme/model"),
        platforms=[yellow],
        zones=[GovernanceZone("usa", teams=[team])],
        environments=[
            Environment(
                "prod",
                platforms=[yellow],
                secrets=stores,
                deployments=settings,
                releases="v*",
                release_store="s3://acme-releases/prod",
            )
        ],
    )


def platform() -> Platform:
    merge = PostgresDatabase("merge", host="merge.example", database="merge", credential="merge_admin", connections=8)
    return YellowPlatform("yellow", container=merge)


STORES: dict[str, list[StoreChoice]] = {"kubernetes": [KubernetesSecrets()], "aws": [AwsSecrets(region="eu-central-1")]}


@pytest.fixture(scope="module", params=[f"{store}-{line}" for line in (3, 2) for store in STORES])
def submitted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Submitted:
    chosen, _, line = str(request.param).partition("-")
    require(int(line))
    return Submitted(deployable(every_kind_of_job(STORES[chosen])), chosen, int(line), tmp_path_factory.mktemp("pods"))


class Submitted:
    """The pods of a model, by the ids of their DAGs, built by the operators of a real Airflow."""

    def __init__(self, deployed: Deployable, store: str, line: int, folder: Path) -> None:
        [self.platform] = deployed.platforms
        self.store = store
        for file in TARGET.files(deployed):
            (folder / file.path).write_text(file.content)
        self.pods = built(folder, line)

    @property
    def jobs(self) -> dict[str, SystemJob | JobSpec]:
        """Return each job by the id of its DAG."""
        found: dict[str, SystemJob | JobSpec] = {dag_id(self.platform, job.stream): job for job in self.platform.jobs}
        return found | {system_dag_id(self.platform, kind): kind for kind in SystemJob}

    def container(self, dag: str) -> dict[str, Any]:
        [found] = self.pods[dag]["spec"]["containers"]
        return dict(found)


def built(folder: Path, line: int) -> dict[str, Any]:
    """Have Airflow's operators build their pods; a kubeconfig that leads nowhere stands for the cluster."""
    home = folder.parent / f"{folder.name}-home"
    home.mkdir()
    config = home / "kubeconfig"
    cluster = {"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}
    context = {"name": "here", "context": {"cluster": "c", "user": "u"}}
    users = [{"name": "u", "user": {}}]
    config.write_text(
        json.dumps({"clusters": [cluster], "users": users, "contexts": [context], "current-context": "here"})
    )
    connection = {"conn_type": "kubernetes", "extra": {"kube_config_path": str(config), "in_cluster": False}}
    done = subprocess.run(
        [str(programs(line) / "python"), str(Path(__file__).parents[1] / "airflow_pods.py"), str(folder)],
        env={
            "PATH": os.environ["PATH"],
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW_CONN_CLUSTER": json.dumps(connection),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


def credentials(platform: PlatformSpec, job: SystemJob | JobSpec) -> set[str]:
    """Return the credentials that a job may have, by name, where `security` issues logins."""
    if isinstance(job, JobSpec):
        return {each.name for each in credentials_of(platform, job)}
    found = {each.name for each in system_credentials(platform, job)}
    if job is SystemJob.APPLY:
        found |= {each.name for each in system_credentials(platform, job, synced=False)}
    if job is SystemJob.SECURITY:
        found |= {each.name for each in issued_credentials(platform)}
    return found


def test_every_job_has_a_pod(submitted: Submitted) -> None:
    assert set(submitted.pods) == set(submitted.jobs)


def test_valid_in_every_version(submitted: Submitted) -> None:
    assert len(VERSIONS) >= 7
    for pod in submitted.pods.values():
        for version in VERSIONS:
            kubernetes_validate.validate(pod, version, strict=True)


def test_own_secrets_only(submitted: Submitted) -> None:
    """What is mounted is what the job looks up; what a cloud's store has, or the API, is not mounted at all."""
    issued = {each.name for each in issued_credentials(submitted.platform)}
    for dag, job in submitted.jobs.items():
        spec = submitted.pods[dag]["spec"]
        by_api = job is SystemJob.SECURITY and submitted.store == "kubernetes"
        names = credentials(submitted.platform, job) - (issued if by_api else set())
        wanted = {kubernetes_name("datasurface", "acme", "prod", name) for name in names}
        mounted = {volume["secret"]["secretName"] for volume in spec["volumes"] if "secret" in volume}
        assert mounted == (set() if submitted.store == "aws" else wanted), dag
        assert spec["automountServiceAccountToken"] is by_api
        container = submitted.container(dag)
        assert not container.get("envFrom")
        assert all("valueFrom" not in variable for variable in container["env"])


def test_code_gets_no_secret_of_sources(submitted: Submitted) -> None:
    names = credentials(submitted.platform, submitted.jobs[f"{platform_id(submitted.platform)}.scores"])
    assert names == {"model_registry", "yellow.run", "yellow.transformer.scoring"}
    assert credentials(submitted.platform, submitted.jobs[f"{platform_id(submitted.platform)}.shop"]) == {
        "shop_reader",
        "yellow.run",
    }


def test_identity(submitted: Submitted) -> None:
    """A service account a job; code with `run_as` has the account that its role trusts, which nobody else has."""
    accounts = {}
    for dag, job in submitted.jobs.items():
        own = isinstance(job, JobSpec) and job.transformer is not None and job.transformer.run_as is not None
        if own:
            assert isinstance(job, JobSpec)
            assert job.transformer is not None
            wanted = service_account_name(submitted.platform, job.transformer)
        else:
            wanted = job_account(submitted.platform, job)
        accounts[dag] = submitted.pods[dag]["spec"]["serviceAccountName"]
        assert accounts[dag] == wanted
    scores = accounts[f"{platform_id(submitted.platform)}.scores"]
    assert [dag for dag, account in accounts.items() if account == scores] == [
        f"{platform_id(submitted.platform)}.scores"
    ]


def test_nothing_more_than_needed(submitted: Submitted) -> None:
    """Pod Security's `restricted` would admit it; the image is one that cannot change; nothing runs beside the job."""
    for dag, pod in submitted.pods.items():
        spec, container = pod["spec"], submitted.container(dag)
        assert pod["metadata"]["namespace"] == "datasurface"
        assert container["image"] == IMAGE
        assert container["command"] == ["datasurface"]
        assert container["args"][0] == "job"
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "privileged": False,
            "readOnlyRootFilesystem": True,
        }
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] > 0
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["restartPolicy"] == "Never"
        assert spec["imagePullSecrets"] == [{"name": "registry"}]
        assert not spec.get("hostNetwork")
        assert not spec.get("initContainers")
        assert not any("hostPath" in volume for volume in spec["volumes"])


def test_resources(submitted: Submitted) -> None:
    """A hint is followed; without one there is a limit too, and memory is never promised twice."""
    scores = submitted.container(f"{platform_id(submitted.platform)}.scores")["resources"]
    assert (scores["requests"]["cpu"], scores["requests"]["memory"]) == ("2000m", "3072Mi")
    for dag in submitted.pods:
        resources = submitted.container(dag)["resources"]
        assert resources["limits"]["memory"] == resources["requests"]["memory"]
        assert {"cpu", "memory", "ephemeral-storage"} <= set(resources["limits"])


def test_no_secret_of_who_deploys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever deploys may have every secret in the environment: none gets into a file."""
    made = deployable(every_kind_of_job(STORES["kubernetes"]))
    [spec] = made.platforms
    names = sorted({name for job in spec.jobs for name in credentials(spec, job)} | {"merge_admin"})
    canaries = Canaries(*names)
    for name in names:
        monkeypatch.setenv(f"DATASURFACE_{name.upper().replace('.', '_')}_PASSWORD", canaries[name])
    assert [file.path for file in TARGET.files(made) if canaries.in_text(file.content)] == []
