"""Values for Apache Airflow's official Helm chart, 1.19 or newer: keys as its `values.yaml` documents them.

No secret is in them, only the names of Secrets; nothing is shared between pods but ConfigMaps.
"""

from __future__ import annotations

import json
from datetime import timedelta

from datasurface.deploy.aws_names import aws_names
from datasurface.deploy.base import GeneratedFile
from datasurface.deploy.kubernetes.cluster import Cluster
from datasurface.deploy.kubernetes.config import dag_sources
from datasurface.deploy.kubernetes.objects import MANAGED, yaml_text
from datasurface.deploy.kubernetes.quota import total
from datasurface.deploy.pod import Document, container_security, pod_security
from datasurface.deploy.pod_needs import GROOMER, airflow_needs
from datasurface.deploy.pod_secrets import uses_files
from datasurface.model.airflow import Airflow
from datasurface.model.effective import duration
from datasurface.model.secret_stores import AwsSecrets, kind_of_store
from datasurface.model.vocabulary import AwsIdentity, TaskKind

__all__ = ["AIRFLOW_SECRETS", "CONNECTIONS", "airflow_values", "reads_connections"]

AIRFLOW_SECRETS: dict[str, tuple[str, str]] = {
    "data.metadataSecretName": ("airflow-metadata", "connection"),
    "fernetKeySecretName": ("airflow-fernet-key", "fernet-key"),
    "apiSecretKeySecretName": ("airflow-api-secret-key", "api-secret-key"),
    "jwtSecretName": ("airflow-jwt-secret", "jwt-secret"),
    "webserverSecretKeySecretName": ("airflow-webserver-secret-key", "webserver-secret-key"),
}
"""The Secrets that Airflow needs in its namespace, and the key of each, by the chart's value that names it."""

CONNECTIONS = "airflow-connections"
"""The Secret with the connections of tasks that are processes, as Airflow's file `connections.json`."""
_CONNECTIONS = "/opt/airflow/connections"
_USER = 50000
_HEADING = (
    "# Values for Airflow's official Helm chart, 1.19 or newer:\n"
    "#   helm upgrade --install airflow apache-airflow/airflow --namespace {namespace} -f values-airflow.yaml\n"
)
_TWO = "2.11.2"
_LOOK = 60
"""Seconds after which Airflow looks for new DAG files."""


def airflow_values(cluster: Cluster) -> list[GeneratedFile]:
    """Return the chart's values; none without Airflow."""
    airflow = cluster.airflow
    if airflow is None:
        return []
    values: Document = {
        **_plain(cluster, airflow),
        **_images(cluster, airflow),
        **_secrets(airflow),
        **_dags(cluster),
        **_components(cluster, airflow),
        "config": _config(cluster, airflow),
    }
    text = _HEADING.format(namespace=cluster.airflow_namespace) + yaml_text(values)
    return [GeneratedFile(path="values-airflow.yaml", content=text)]


def _is_two(airflow: Airflow) -> bool:
    return airflow.version.startswith("2.")


def _plain(cluster: Cluster, airflow: Airflow) -> Document:
    """Return what is switched on and off."""
    in_pods = airflow.tasks is TaskKind.POD
    contexts = {**pod_security(_USER), "runAsGroup": 0, "fsGroup": 0}
    found: Document = {
        "allowPodLaunching": not in_pods,
        "createUserJob": {"enabled": False},
        "executor": "LocalExecutor" if in_pods else "KubernetesExecutor",
        "ingress": {"apiServer": {"enabled": False}, "web": {"enabled": False}},
        "labels": dict(MANAGED),
        "logs": {"persistence": {"enabled": False}},
        "multiNamespaceMode": False,
        "networkPolicies": {"enabled": False},
        "pgbouncer": {"enabled": False},
        "postgresql": {"enabled": False},
        "rbac": {"create": True},
        "redis": {"enabled": False},
        "securityContexts": {
            "pod": contexts,
            "containers": {**container_security(), "readOnlyRootFilesystem": False},
        },
        "statsd": {"enabled": False},
        "useStandardNaming": True,
    }
    if cluster.settings.node_selector:
        found["nodeSelector"] = dict(sorted(cluster.settings.node_selector.items()))
    if cluster.settings.pull_secrets:
        found["imagePullSecrets"] = [{"name": name} for name in cluster.settings.pull_secrets]
    return found


def _images(cluster: Cluster, airflow: Airflow) -> Document:
    """Return the image: the one given by digest, else the chart's for that version."""
    found: Document = {}
    version = _TWO if airflow.version == "2.11" else airflow.version
    if version.count(".") == 2:  # noqa: PLR2004 - major, minor, patch
        found = {"airflowVersion": version, "defaultAirflowTag": version}
    if cluster.settings.airflow_image is not None:
        repository, _, digest = cluster.settings.airflow_image.partition("@")
        image = {"repository": repository, "digest": digest, "pullPolicy": "IfNotPresent"}
        found["images"] = {"airflow": image}
    return found


def _secrets(airflow: Airflow) -> Document:
    """Return the names of the Secrets that somebody has made before."""
    unused = {"apiSecretKeySecretName", "jwtSecretName"} if _is_two(airflow) else {"webserverSecretKeySecretName"}
    found: Document = {}
    for path, (name, key) in AIRFLOW_SECRETS.items():
        if path == "data.metadataSecretName":
            found["data"] = {"metadataSecretName": name}
            variable = f"AIRFLOW_CONN_{airflow.metadata.upper()}"
            found["secret"] = [{"envName": variable, "secretName": name, "secretKey": key}]
        elif path not in unused:
            found[path] = name
    return found


def _dags(cluster: Cluster) -> Document:
    """Return how the DAG files come into the pods: ConfigMaps, put together by a volume that can only be read."""
    volumes: list[Document] = []
    mounts: list[Document] = []
    if sources := dag_sources(cluster):
        volumes.append({"name": "datasurface-dags", "projected": {"sources": sources, "defaultMode": 0o444}})
        mounts.append({"name": "datasurface-dags", "mountPath": "/opt/airflow/dags", "readOnly": True})
    if reads_connections(cluster):
        secret = {"secretName": CONNECTIONS, "defaultMode": 0o440}
        volumes.append({"name": CONNECTIONS, "secret": secret})
        mounts.append({"name": CONNECTIONS, "mountPath": _CONNECTIONS, "readOnly": True})
    return {
        "dags": {"gitSync": {"enabled": False}, "persistence": {"enabled": False}},
        "volumes": volumes,
        "volumeMounts": mounts,
    }


def reads_connections(cluster: Cluster) -> bool:
    """Tell whether tasks get their secrets from a Secret that is mounted: they are processes, and no cloud has them."""
    airflow = cluster.airflow
    return airflow is not None and airflow.tasks is TaskKind.PROCESS and all(map(uses_files, cluster.platforms))


def _components(cluster: Cluster, airflow: Airflow) -> Document:
    """Return the components: who each is, what it takes, when it counts as alive, how long it keeps logs."""
    settings = cluster.settings
    groomer = {
        "enabled": True,
        "retentionDays": settings.log_days,
        "resources": _amounts(GROOMER.cpu, GROOMER.memory),
    }
    needs = airflow_needs(settings.parallelism, airflow.tasks)
    own = {name: _amounts(need.cpu, need.memory) for name, need in needs.items()}
    in_pods = airflow.tasks is TaskKind.POD
    patient = {"failureThreshold": 30, "periodSeconds": 10, "timeoutSeconds": 20}
    budget = {"enabled": True, "config": {"maxUnavailable": 1}}
    found: Document = {
        "scheduler": {
            "logGroomerSidecar": groomer,
            "podDisruptionBudget": budget,
            "resources": own["scheduler"],
            "serviceAccount": _account(cluster, "scheduler"),
            "startupProbe": patient,
        },
        "triggerer": {
            "logGroomerSidecar": groomer,
            "persistence": {"enabled": True, "size": "5Gi"},
            "resources": own["triggerer"],
            "serviceAccount": _account(cluster, "triggerer"),
        },
        "dagProcessor": {
            "enabled": True,
            "logGroomerSidecar": groomer,
            "resources": own["DAG processor"],
            "serviceAccount": {**_tokenless(), **_account(cluster, "dag-processor")},
        },
        "workers": {
            "persistence": {"enabled": in_pods, "size": "20Gi"},
            "resources": _worker(cluster),
            "serviceAccount": _account(cluster, "worker"),
        },
        "migrateDatabaseJob": {
            "applyCustomEnv": False,
            "resources": _amounts(250, 1024),
            "serviceAccount": _tokenless(),
            "ttlSecondsAfterFinished": 300,
            "useHelmHooks": False,
        },
        "databaseCleanup": {
            "enabled": airflow.history is not None,
            "resources": _amounts(250, 1024),
            "retentionDays": _days(airflow.history),
            "schedule": "11 2 * * *",
            "serviceAccount": _tokenless(),
            "skipArchive": True,
        },
        "cleanup": {"enabled": not in_pods, "resources": _amounts(100, 512)},
    }
    interface_name = "webserver" if _is_two(airflow) else "api-server"
    interface: Document = {
        "allowPodLogReading": not in_pods,
        "podDisruptionBudget": budget,
        "replicas": needs["api server"].count,
        "resources": own["api server"],
        "serviceAccount": {**_account(cluster, interface_name), **(_tokenless() if in_pods else {})},
        "startupProbe": patient,
    }
    if _is_two(airflow):
        found["webserver"] = {**interface, "defaultUser": {"enabled": False}}
    else:
        found["apiServer"] = interface
    return found


def _days(history: str | None) -> int:
    return max(1, (duration(history or "90 days") or timedelta(days=90)).days)


def _account(cluster: Cluster, component: str) -> Document:
    """Return a component's service account; on AWS with the role of Airflow, where pods take roles on by accounts."""
    found: Document = {"name": f"airflow-{component}"}
    if cluster.aws is not None and cluster.aws.identity is AwsIdentity.IRSA:
        names = aws_names(cluster.deployable)
        found["annotations"] = {"eks.amazonaws.com/role-arn": names.role_arn(names.role("airflow"))}
    return found


def _logs(cluster: Cluster) -> str | None:
    """Return where logs of tasks go: as the model says, else on AWS the bucket for logs, else Airflow's volumes."""
    if cluster.settings.airflow_logs is not None or cluster.aws is None:
        return cluster.settings.airflow_logs
    return f"s3://{aws_names(cluster.deployable).bucket('logs')}/airflow"


def _tokenless() -> Document:
    return {"automountServiceAccountToken": False}


def _worker(cluster: Cluster) -> Document:
    """Return what a worker's pod takes, where each task is a process in one: the largest job and Airflow's own."""
    largest, _ = total(cluster)
    return _amounts(max(need.cpu for need in largest) + 100, max(need.memory for need in largest) + 512)


def _amounts(cpu: int, memory: int) -> Document:
    """Return requests and limits: memory is never lent, so that nothing is killed for somebody else's."""
    return {
        "requests": {"cpu": f"{cpu}m", "memory": f"{memory}Mi"},
        "limits": {"cpu": f"{cpu * 4}m", "memory": f"{memory}Mi"},
    }


def _config(cluster: Cluster, airflow: Airflow) -> Document:
    """Return settings of `airflow.cfg`; the chart reads them as templates, so that no value may hold `{{`."""
    found: Document = {
        "core": {
            "dags_are_paused_at_creation": "False",
            "load_examples": "False",
            "parallelism": cluster.settings.parallelism,
        },
        "scheduler": {"max_tis_per_query": 0, **({"dag_dir_list_interval": _LOOK} if _is_two(airflow) else {})},
    }
    if not _is_two(airflow):
        found["dag_processor"] = {"refresh_interval": _LOOK}
    if (logs := _logs(cluster)) is not None:
        found["logging"] = {"remote_logging": "True", "remote_base_log_folder": logs}
    if backend := _backend(cluster, airflow):
        found["secrets"] = backend
    return found


def _backend(cluster: Cluster, airflow: Airflow) -> Document:
    """Return Airflow's secrets backend, if tasks are processes: a cloud's, or a file that is mounted."""
    if airflow.tasks is TaskKind.POD:
        return {}
    if reads_connections(cluster):
        kwargs = {"connections_file_path": f"{_CONNECTIONS}/connections.json"}
        backend = "airflow.secrets.local_filesystem.LocalFilesystemBackend"
        return {"backend": backend, "backend_kwargs": json.dumps(kwargs)}
    for platform in cluster.platforms:
        for choice in platform.secrets:
            if kind_of_store(choice) == "aws":
                store = choice if isinstance(choice, AwsSecrets) else AwsSecrets()
                prefixes = {"connections_prefix": "airflow/connections", "config_prefix": None}
                region = {} if store.region is None else {"region_name": store.region}
                settings = {**prefixes, "variables_prefix": None, **region}
                backend = "airflow.providers.amazon.aws.secrets.secrets_manager.SecretsManagerBackend"
                return {"backend": backend, "backend_kwargs": json.dumps(settings, sort_keys=True)}
    return {}
