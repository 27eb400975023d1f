"""ConfigMaps: each platform's file for its jobs, and the DAG files for Airflow, in shards that the API takes."""

from __future__ import annotations

from collections.abc import Sequence

from datasurface.deploy.base import GeneratedFile, target
from datasurface.deploy.kubernetes.cluster import Cluster, refuse
from datasurface.deploy.kubernetes.objects import named
from datasurface.deploy.pod import Document, platform_config, talks_to_kubernetes
from datasurface.deploy.pod_secrets import pod_platform
from datasurface.release.needs import SystemJob
from datasurface.release.platform_file import platform_file

__all__ = ["LARGEST", "dag_files", "dag_maps", "dag_sources", "platform_maps"]

LARGEST = 1_000_000
"""Bytes of a ConfigMap's data: the API takes 1 MiB, its other fields included."""
_SHARD = 900_000
_MAP = "airflow-dags"


def platform_maps(cluster: Cluster) -> list[Document]:
    """Return the ConfigMaps with the platforms' files; that of the job that writes secrets names another store."""
    found = []
    for platform in cluster.platforms:
        for kind in cluster.system_jobs(platform):
            if kind is SystemJob.APPLY or talks_to_kubernetes(platform, kind):
                data = {"platform.json": platform_file(pod_platform(platform, kind))}
                found.append(named("v1", "ConfigMap", platform_config(platform, kind), cluster.namespace, data=data))
    return found


def dag_files(cluster: Cluster) -> tuple[GeneratedFile, ...]:
    """Return the DAG files of the environment's Airflow, as `deploy airflow` writes them; none without Airflow."""
    if cluster.airflow is None:
        return ()
    files = [file for file in target("airflow").files(cluster.deployable) if _is_for_dags(file.path)]
    refuse(
        [f"{file.path} has {_size(file)} bytes" for file in files if _size(file) > _SHARD],
        f"DAG files are too large for a ConfigMap, which holds {_SHARD}",
        "build them into the image of Airflow: COPY the folder of `datasurface deploy airflow` to /opt/airflow/dags",
    )
    return tuple(files)


def dag_maps(cluster: Cluster) -> list[Document]:
    """Return the ConfigMaps with the DAG files."""
    return [
        named(
            "v1",
            "ConfigMap",
            f"{_MAP}-{number}",
            cluster.airflow_namespace,
            data={_key(file.path): file.content for file in shard},
        )
        for number, shard in enumerate(_shards(dag_files(cluster)))
    ]


def dag_sources(cluster: Cluster) -> list[Document]:
    """Return the sources of the projected volume that puts the DAG files together again, for the chart's values."""
    return [
        {
            "configMap": {
                "name": f"{_MAP}-{number}",
                "items": [{"key": _key(file.path), "path": file.path} for file in shard],
            }
        }
        for number, shard in enumerate(_shards(dag_files(cluster)))
    ]


def _is_for_dags(path: str) -> bool:
    return path.endswith((".py", ".json"))


def _key(path: str) -> str:
    """Return a path as a ConfigMap's key, which has no slash."""
    return path.replace("/", "..")


def _size(file: GeneratedFile) -> int:
    return len(file.content.encode())


def _shards(files: Sequence[GeneratedFile]) -> list[list[GeneratedFile]]:
    """Return the files in as few maps as their order allows."""
    shards: list[list[GeneratedFile]] = []
    filled = _SHARD
    for file in files:
        if filled + _size(file) > _SHARD:
            shards.append([])
            filled = 0
        shards[-1].append(file)
        filled += _size(file)
    return shards
