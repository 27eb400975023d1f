"""The target `kubernetes`: one file a topic, numbered in an order in which they can be applied."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from datasurface.deploy.base import Deployable, GeneratedFile
from datasurface.deploy.kubernetes.access import accounts, namespaces, rights
from datasurface.deploy.kubernetes.cluster import Cluster
from datasurface.deploy.kubernetes.config import dag_maps, platform_maps
from datasurface.deploy.kubernetes.helm import airflow_values
from datasurface.deploy.kubernetes.image import image_files
from datasurface.deploy.kubernetes.jobs import cron_jobs
from datasurface.deploy.kubernetes.metrics import metrics
from datasurface.deploy.kubernetes.network import policies
from datasurface.deploy.kubernetes.objects import manifest, yaml_text
from datasurface.deploy.kubernetes.postgres import postgres
from datasurface.deploy.kubernetes.quota import priorities, quotas
from datasurface.deploy.pod import Document

__all__ = ["TARGET", "KubernetesTarget", "objects"]

_FILES: tuple[tuple[str, str, Callable[[Cluster], list[Document]]], ...] = (
    ("00-namespaces.yaml", "Namespaces", namespaces),
    ("10-accounts.yaml", "Service accounts: one for each kind of job and each transformer", accounts),
    ("11-rights.yaml", "Roles and who has them", rights),
    ("20-quota.yaml", "What the jobs may take together, and each", quotas),
    ("21-priorities.yaml", "Who goes first", priorities),
    ("30-network.yaml", "Network policies", policies),
    ("40-platforms.yaml", "The platforms' files, without secrets", platform_maps),
    ("41-dags.yaml", "The DAG files of Airflow", dag_maps),
    ("50-postgres.yaml", "PostgreSQL by the operator CloudNativePG", postgres),
    ("60-jobs.yaml", "CronJobs", cron_jobs),
    ("70-metrics.yaml", "What Prometheus asks", metrics),
)


@dataclass(frozen=True)
class KubernetesTarget:
    """Makes the manifests of an environment."""

    name: str = "kubernetes"

    def files(self, deployable: Deployable) -> tuple[GeneratedFile, ...]:
        """Return the files, sorted by path.

        Raises:
            ConfigurationError: the environment names no cluster, or does not say where something is.
            MissingExtraError: the YAML library is not installed.
        """
        cluster = Cluster.of(deployable)
        found = list(_manifests(cluster))
        found.append(_kustomization([file.path for file in found]))
        found += airflow_values(cluster)
        found += image_files(cluster)
        return tuple(sorted(found, key=lambda file: file.path))


TARGET = KubernetesTarget()


def objects(cluster: Cluster) -> list[Document]:
    """Return all objects of the manifests, in the order in which they are applied.

    Raises:
        ConfigurationError: as `files`.
    """
    return [document for _, _, make in _FILES for document in make(cluster)]


def _manifests(cluster: Cluster) -> Iterator[GeneratedFile]:
    for path, heading, make in _FILES:
        if documents := make(cluster):
            yield GeneratedFile(path=path, content=manifest(documents, heading=heading))


def _kustomization(paths: list[str]) -> GeneratedFile:
    """Return the file by which `kubectl apply --server-side -k` applies all of them."""
    content: Document = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": sorted(paths),
    }
    return GeneratedFile(path="kustomization.yaml", content=yaml_text(content))
