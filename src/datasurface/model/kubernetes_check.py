"""What parts of a Kubernetes cluster in a model can be: networks, ports, quantities, numbers."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping

from datasurface.model.kubernetes import CloudNativePostgres, ClusterNodes, Egress, Kubernetes

__all__ = ["kubernetes_problems"]

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_CLUSTER = re.compile(r"[a-z]([-a-z0-9]{0,48}[a-z0-9])?")
"""The operator adds endings such as `-superuser` to a cluster's name."""
_OBJECT = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_KEY = re.compile(r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-\w.]{0,61}[A-Za-z0-9])?")
_VALUE = re.compile(r"([A-Za-z0-9]([-\w.]{0,61}[A-Za-z0-9])?)?")
_QUANTITY = re.compile(r"\d+(\.\d+)?(Ki|Mi|Gi|Ti)")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HIGHEST_PORT = 65535
_MOST_JOBS = 10_000
_PLACES = ("secret_store", "release_store", "api_server", "dns", "telemetry", "airflow_database")


def kubernetes_problems(cluster: Kubernetes) -> Iterator[str]:
    """Yield each setting that cannot be, in words."""
    if not 1 <= cluster.parallelism <= _MOST_JOBS:
        yield f"parallelism={cluster.parallelism}: it takes 1 to {_MOST_JOBS}"
    if cluster.log_days < 1:
        yield f"log_days={cluster.log_days}: it takes 1 or more"
    for name, to in sorted(cluster.egress.items()):
        yield from _egress(f"egress={{{name!r}: …}}", to)
    for place in _PLACES:
        if (found := getattr(cluster, place)) is not None:
            yield from _egress(f"{place}=…", found)
    for name in sorted(cluster.environment):
        if not _VARIABLE.fullmatch(name):
            yield f"environment={{{name!r}: …}}: it takes names of variables"
    yield from _labels("node_selector=", cluster.node_selector)
    yield from _nodes(cluster.nodes) if cluster.nodes is not None else ()
    if cluster.postgres is not None:
        yield from _postgres(cluster.postgres)


def _egress(where: str, to: Egress) -> Iterator[str]:
    if not to.cidrs and not to.pods and to.namespace is None:
        yield f'{where}: it says no place; Egress(["10.1.2.0/24"]), or namespace= and pods='
    for cidr in to.cidrs:
        try:
            ipaddress.ip_network(cidr)
        except ValueError:
            yield f'{where} with {cidr!r}: it takes networks such as "10.1.2.0/24"'
    if to.port is not None and not 1 <= to.port <= _HIGHEST_PORT:
        yield f"{where} with port={to.port}: it takes 1 to {_HIGHEST_PORT}"
    if to.namespace is not None and not _LABEL.fullmatch(to.namespace):
        yield f"{where} with namespace={to.namespace!r}: it takes at most 63 small letters, digits and dashes"
    yield from _labels(f"{where} with pods=", to.pods)


def _labels(where: str, labels: Mapping[str, str]) -> Iterator[str]:
    for key, value in sorted(labels.items()):
        if not _KEY.fullmatch(key) or not _VALUE.fullmatch(value):
            yield f"{where}{{{key!r}: {value!r}}}: it takes labels"


def _nodes(nodes: ClusterNodes) -> Iterator[str]:
    if nodes.cpu <= 0 or nodes.pods < 1 or nodes.count < 1 or not _QUANTITY.fullmatch(nodes.memory):
        yield 'nodes=…: it takes numbers above 0, and memory such as "16Gi"'


def _postgres(postgres: CloudNativePostgres) -> Iterator[str]:
    where = f"postgres=CloudNativePostgres({postgres.cluster!r})"
    if not _CLUSTER.fullmatch(postgres.cluster):
        yield f"{where}: it takes at most 50 small letters, digits and dashes"
    if postgres.instances < 1 or postgres.cpu <= 0:
        yield f"{where}: instances and cpu are above 0"
    for name in ("storage", "memory"):
        if not _QUANTITY.fullmatch(getattr(postgres, name)):
            yield f'{where} with {name}={getattr(postgres, name)!r}: it takes a quantity such as "50Gi"'
    for name in ("storage_class", "backups"):
        value = getattr(postgres, name)
        if value is not None and not _OBJECT.fullmatch(value):
            yield f"{where} with {name}={value!r}: it takes small letters, digits, dashes and dots"
    if postgres.backup_store is not None:
        yield from _egress(f"{where} with backup_store=…", postgres.backup_store)
