"""How much the jobs may take together, what one may take, and who goes first: from the model's own needs."""

from __future__ import annotations

from collections.abc import Sequence

from datasurface.deploy.kubernetes.cluster import Cluster
from datasurface.deploy.kubernetes.objects import named
from datasurface.deploy.pod import Document, Need, priority_class
from datasurface.model.vocabulary import Priority
from datasurface.transform.memory import bytes_of

__all__ = ["priorities", "quotas", "total"]

_BURST = 4
_DISK, _DISK_LIMIT = 1024, 4096
_ROUTINE = 2
"""Pods besides the jobs: a person's `doctor`, and one that ends while the next one starts."""
_VALUES = {Priority.LOW: 100, Priority.MEDIUM: 1_000, Priority.HIGH: 10_000, Priority.CRITICAL: 100_000}
"""Above 0, which pods without a class have; a job waits for room, and never puts another out of it."""


def total(cluster: Cluster) -> tuple[list[Need], Need]:
    """Return the largest needs that may run at once, and their sum."""
    needs = sorted((cluster.need(*each) for each in cluster.kinds()), key=lambda need: (need.memory, need.cpu))
    besides = _ROUTINE + (len(cluster.platforms) if cluster.settings.metrics_for is not None else 0)
    largest = needs[-cluster.settings.parallelism :] + [Need()] * besides
    return largest, Need(cpu=sum(need.cpu for need in largest), memory=sum(need.memory for need in largest))


def quotas(cluster: Cluster) -> list[Document]:
    """Return the quota and the limits of the jobs' namespace."""
    largest, together = total(cluster)
    pods = len(largest)
    cpu, memory, volumes, storage = _servers(cluster)
    hard = {
        "pods": pods + volumes * 2,
        "requests.cpu": f"{together.cpu + cpu}m",
        "requests.memory": f"{together.memory + memory}Mi",
        "requests.ephemeral-storage": f"{(pods + volumes * 2) * _DISK}Mi",
        "limits.cpu": f"{together.cpu * _BURST + cpu}m",
        "limits.memory": f"{together.memory + memory}Mi",
        "limits.ephemeral-storage": f"{(pods + volumes * 2) * _DISK_LIMIT}Mi",
        "persistentvolumeclaims": volumes,
        "requests.storage": f"{storage}Mi",
        "services.loadbalancers": 0,
        "services.nodeports": 0,
    }
    spec = {"hard": {name: str(value) for name, value in hard.items()}}
    return [
        named("v1", "ResourceQuota", "jobs", cluster.namespace, spec=spec),
        named("v1", "LimitRange", "jobs", cluster.namespace, spec={"limits": [_limits(cluster, largest)]}),
    ]


def priorities(cluster: Cluster) -> list[Document]:
    """Return the priority classes of the model's priorities."""
    return [
        named(
            "scheduling.k8s.io/v1",
            "PriorityClass",
            priority_class(cluster.settings, priority),
            None,
            description=f"Jobs of the priority {priority.value} in the namespace {cluster.namespace}.",
            globalDefault=False,
            preemptionPolicy="Never",
            value=value,
        )
        for priority, value in _VALUES.items()
    ]


def _mebibytes(text: str) -> int:
    return bytes_of(text) // 2**20


def _servers(cluster: Cluster) -> tuple[int, int, int, int]:
    """Return what the operator's servers and one more take: thousandths of a CPU, MiB, volumes, MiB on them."""
    postgres = cluster.settings.postgres
    if postgres is None:
        return 0, 0, 0, 0
    number = postgres.instances + 1
    cpu, memory = int(postgres.cpu * 1000), _mebibytes(postgres.memory)
    return cpu * number, memory * number, number, _mebibytes(postgres.storage) * number


def _limits(cluster: Cluster, largest: Sequence[Need]) -> Document:
    default = Need()
    postgres = cluster.settings.postgres
    memory = max([need.memory for need in largest] + ([_mebibytes(postgres.memory)] if postgres else []))
    cpu = max([need.cpu * _BURST for need in largest] + ([int(postgres.cpu * 1000)] if postgres else []))
    return {
        "type": "Container",
        "default": default.resources()["limits"],
        "defaultRequest": default.resources()["requests"],
        "max": {"cpu": f"{cpu}m", "memory": f"{memory}Mi"},
    }
