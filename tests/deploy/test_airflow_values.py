"""Values for Airflow's chart: keys that it documents, Secrets by name, nothing shared, enough memory, no default login.

The chart itself is not at hand here. `_KEYS` are those keys of its `values.yaml`, as published with Airflow 3.1.3,
that may be set, with the kind of their values; a key that is not among them is an error of the chart's schema.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml

from datasurface import Airflow, Aws, AwsIdentity, AwsSecrets, Egress, PostgresDatabase, TaskKind, Tls
from datasurface.deploy.aws_names import aws_names
from datasurface.deploy.base import Deployable
from datasurface.deploy.kubernetes.config import LARGEST
from datasurface.deploy.kubernetes.target import TARGET
from deploy.kubernetes_model import IMAGE, POSTGRES, SETTINGS, deployable

_COMPONENT = {
    "logGroomerSidecar.enabled": bool,
    "logGroomerSidecar.resources": dict,
    "logGroomerSidecar.retentionDays": int,
    "resources": dict,
    "serviceAccount.annotations": dict,
    "serviceAccount.automountServiceAccountToken": bool,
    "serviceAccount.name": str,
}
_STARTS = {"startupProbe.failureThreshold": int, "startupProbe.periodSeconds": int, "startupProbe.timeoutSeconds": int}
_BUDGET = {"podDisruptionBudget.enabled": bool, "podDisruptionBudget.config": dict}
_JOB = {"resources": dict, "serviceAccount.automountServiceAccountToken": bool}
_DISK = {"persistence.enabled": bool, "persistence.size": str}
_INTERFACE = {
    **_BUDGET,
    **_STARTS,
    **_JOB,
    "serviceAccount.annotations": dict,
    "serviceAccount.name": str,
    "allowPodLogReading": bool,
    "replicas": int,
}


def _under(name: str, keys: Mapping[str, type]) -> dict[str, type]:
    return {f"{name}.{key}": kind for key, kind in keys.items()}


_KEYS: dict[str, type] = {
    "airflowVersion": str,
    "allowPodLaunching": bool,
    "apiSecretKeySecretName": str,
    "config": dict,
    "createUserJob.enabled": bool,
    "dags.gitSync.enabled": bool,
    "dags.persistence.enabled": bool,
    "data.metadataSecretName": str,
    "defaultAirflowTag": str,
    "executor": str,
    "fernetKeySecretName": str,
    "imagePullSecrets": list,
    "images.airflow.digest": str,
    "images.airflow.pullPolicy": str,
    "images.airflow.repository": str,
    "ingress.apiServer.enabled": bool,
    "ingress.web.enabled": bool,
    "jwtSecretName": str,
    "labels": dict,
    "logs.persistence.enabled": bool,
    "multiNamespaceMode": bool,
    "networkPolicies.enabled": bool,
    "nodeSelector": dict,
    "pgbouncer.enabled": bool,
    "postgresql.enabled": bool,
    "rbac.create": bool,
    "redis.enabled": bool,
    "secret": list,
    "securityContexts.containers": dict,
    "securityContexts.pod": dict,
    "statsd.enabled": bool,
    "useStandardNaming": bool,
    "volumeMounts": list,
    "volumes": list,
    "webserverSecretKeySecretName": str,
    **_under("scheduler", {**_COMPONENT, **_STARTS, **_BUDGET}),
    **_under("triggerer", {**_COMPONENT, **_DISK}),
    **_under("dagProcessor", {**_COMPONENT, "enabled": bool}),
    **_under("workers", {**_COMPONENT, **_DISK}),
    **_under("apiServer", _INTERFACE),
    **_under("webserver", {**_INTERFACE, "defaultUser.enabled": bool}),
    **_under("migrateDatabaseJob", {
        **_JOB, "applyCustomEnv": bool, "ttlSecondsAfterFinished": int, "useHelmHooks": bool
    }),
    **_under("databaseCleanup", {
        **_JOB, "enabled": bool, "retentionDays": int, "schedule": str, "skipArchive": bool
    }),
    **_under("cleanup", {"enabled": bool, "resources": dict}),
}  # fmt: skip


def _values(target: Deployable) -> dict[str, Any]:
    (file,) = [file for file in TARGET.files(target) if file.path == "values-airflow.yaml"]
    assert "{{" not in file.content
    found: dict[str, Any] = yaml.safe_load(file.content)
    return found


def _leaves(values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        path = f"{before}{name}"
        if path in _KEYS or not isinstance(value, dict):
            yield path, value
        else:
            yield from _leaves(value, f"{path}.")


@pytest.mark.parametrize("version", ["3", "3.1.7", "2.11"])
@pytest.mark.parametrize("tasks", list(TaskKind))
def test_every_key_is_one_that_the_chart_documents(version: str, tasks: TaskKind) -> None:
    settings = dataclasses.replace(SETTINGS, airflow_image=IMAGE, node_selector={"pool": "data"}, postgres=POSTGRES)
    for path, value in _leaves(_values(deployable(Airflow(version=version, tasks=tasks), settings))):
        assert path in _KEYS, f"the chart has no value {path}"
        assert isinstance(value, _KEYS[path]), path


def test_secrets_are_named_and_none_is_made() -> None:
    values = _values(deployable())
    assert values["data"] == {"metadataSecretName": "airflow-metadata"}
    assert values["fernetKeySecretName"] == "airflow-fernet-key"
    assert values["jwtSecretName"] == "airflow-jwt-secret"
    assert not {"fernetKey", "jwtSecret", "apiSecretKey", "webserverSecretKey", "extraSecrets"} & values.keys()
    assert values["createUserJob"] == {"enabled": False}
    two = _values(deployable(Airflow(version="2.11"), dataclasses.replace(SETTINGS, postgres=POSTGRES)))
    assert two["webserver"]["defaultUser"] == {"enabled": False}
    assert two["webserverSecretKeySecretName"] == "airflow-webserver-secret-key"
    assert not {"apiSecretKeySecretName", "jwtSecretName"} & two.keys()


def test_dags_come_from_config_maps_that_together_are_all_files() -> None:
    target = deployable(Airflow(), dataclasses.replace(SETTINGS, postgres=POSTGRES), streams=1000)
    (volume,) = _values(target)["volumes"]
    (maps,) = [file for file in TARGET.files(target) if file.path == "41-dags.yaml"]
    kept = {document["metadata"]["name"]: document["data"] for document in yaml.safe_load_all(maps.content)}
    assert len(kept) > 1
    for data in kept.values():
        assert sum(len(key) + len(text.encode()) for key, text in data.items()) < LARGEST
    put = {
        item["path"]: kept[source["configMap"]["name"]][item["key"]]
        for source in volume["projected"]["sources"]
        for item in source["configMap"]["items"]
    }
    assert len(put) == sum(len(data) for data in kept.values())
    assert sum(path.endswith(".py") for path in put) == 1


def test_nothing_is_shared_or_killed_for_memory() -> None:
    values = _values(deployable())
    assert not values["dags"]["gitSync"]["enabled"]
    assert not values["dags"]["persistence"]["enabled"]
    assert not values["logs"]["persistence"]["enabled"]
    for name in ("scheduler", "triggerer", "dagProcessor", "apiServer", "migrateDatabaseJob", "databaseCleanup"):
        resources = values[name]["resources"]
        assert resources["limits"]["memory"] == resources["requests"]["memory"], name
    few = _values(deployable(Airflow(), dataclasses.replace(SETTINGS, parallelism=4, postgres=POSTGRES)))
    memory = [int(v["scheduler"]["resources"]["limits"]["memory"].removesuffix("Mi")) for v in (few, values)]
    assert memory[0] < memory[1]


def test_a_clouds_secrets_reach_tasks_that_are_processes() -> None:
    merge = PostgresDatabase("merge_db", host="10.8.0.9", database="merge", credential="merge_admin", tls=Tls.REQUIRE)
    settings = dataclasses.replace(SETTINGS, secret_store=Egress(["10.0.9.0/24"]))
    stores = [AwsSecrets(region="eu-central-1")]
    values = _values(deployable(Airflow(tasks=TaskKind.PROCESS), settings, stores=stores, merge=merge))
    assert values["config"]["secrets"]["backend"].endswith(".SecretsManagerBackend")
    assert '"region_name": "eu-central-1"' in values["config"]["secrets"]["backend_kwargs"]
    assert values["executor"] == "KubernetesExecutor"
    assert values["cleanup"]["enabled"]
    pods = _values(deployable(Airflow(), settings, stores=stores, merge=merge))
    assert "secrets" not in pods["config"]
    assert pods["executor"] == "LocalExecutor"


def test_history_is_kept_as_long_as_the_model_says() -> None:
    settings = dataclasses.replace(SETTINGS, postgres=POSTGRES)
    assert _values(deployable(Airflow(history="30 days"), settings))["databaseCleanup"]["retentionDays"] == 30
    assert not _values(deployable(Airflow(history=None), settings))["databaseCleanup"]["enabled"]


def test_secrets_of_processes_are_a_file_where_no_cloud_has_them() -> None:
    settings = dataclasses.replace(SETTINGS, postgres=POSTGRES)
    values = _values(deployable(Airflow(tasks=TaskKind.PROCESS), settings))
    assert values["config"]["secrets"]["backend"].endswith(".LocalFilesystemBackend")
    path = json.loads(values["config"]["secrets"]["backend_kwargs"])["connections_file_path"]
    (volume,) = [volume for volume in values["volumes"] if "secret" in volume]
    assert volume["secret"]["secretName"] == "airflow-connections"
    (mount,) = [mount for mount in values["volumeMounts"] if mount["name"] == volume["name"]]
    assert path.startswith(f"{mount['mountPath']}/")
    assert not [volume for volume in _values(deployable())["volumes"] if "secret" in volume]


def test_on_aws_logs_go_to_the_bucket_and_accounts_have_the_role() -> None:
    merge = PostgresDatabase("merge_db", host="10.8.0.9", database="merge", credential="merge_admin", tls=Tls.REQUIRE)
    settings = dataclasses.replace(SETTINGS, api_server=None, airflow_database=None, release_store=None)
    aws = Aws(account="123456789012", region="eu-central-1", identity=AwsIdentity.IRSA)
    target = deployable(Airflow(), settings, aws, stores=[AwsSecrets()], merge=merge)
    values = _values(target)
    for path, value in _leaves(values):
        assert isinstance(value, _KEYS[path]), path
    names = aws_names(target)
    assert values["config"]["logging"]["remote_base_log_folder"] == f"s3://{names.bucket('logs')}/airflow"
    role = {"eks.amazonaws.com/role-arn": names.role_arn(names.role("airflow"))}
    components = ("apiServer", "dagProcessor", "scheduler", "triggerer", "workers")
    assert [values[name]["serviceAccount"]["annotations"] for name in components] == [role] * 5
    by_pod = dataclasses.replace(aws, identity=AwsIdentity.POD_IDENTITY)
    by_pods = deployable(Airflow(), settings, by_pod, stores=[AwsSecrets()], merge=merge)
    assert "annotations" not in _values(by_pods)["scheduler"]["serviceAccount"]
