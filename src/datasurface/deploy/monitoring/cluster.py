"""What exports the metrics of each platform in a Kubernetes cluster, and how Prometheus' operator finds it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from datasurface.deploy.monitoring.prometheus import rule_groups
from datasurface.deploy.monitoring.rules import Alert
from datasurface.deploy.names import dns_label
from datasurface.deploy.pod import Document, Need, job_labels, job_pod
from datasurface.model.kubernetes import Kubernetes
from datasurface.model.monitoring import Monitoring
from datasurface.release.job import PlatformSpec
from datasurface.release.needs import SystemJob

__all__ = ["dashboard_map", "exporters", "rule_object"]

_LIKE = SystemJob.RETENTION
"""The task of the system that has what an exporter needs: the platform's own login, and nothing else."""
_PORT = 9464
_NEED = Need(cpu=50, memory=256)
_PART = {"app.kubernetes.io/managed-by": "datasurface", "app.kubernetes.io/part-of": "datasurface"}


def exporters(platforms: Sequence[PlatformSpec], settings: Kubernetes, monitoring: Monitoring) -> Iterator[Document]:
    """Yield the objects of each platform's exporter: one pod, its service, who may reach it, and how it is found."""
    for platform in platforms:
        labels = {**job_labels(platform, _LIKE), "datasurface.io/job": "metrics"}
        name = dns_label(platform.ecosystem, platform.environment, platform.name, "metrics")
        own = {"matchLabels": labels}
        yield _named("apps/v1", "Deployment", name, settings.namespace, {}, _deployment(platform, settings, labels))
        ports = [{"name": "metrics", "port": _PORT, "targetPort": "metrics"}]
        service = {"selector": labels, "ports": ports}
        yield _named("v1", "Service", name, settings.namespace, labels, service)
        policy = {"podSelector": own, "policyTypes": ["Ingress"], "ingress": [_from(monitoring)]}
        yield _named("networking.k8s.io/v1", "NetworkPolicy", name, settings.namespace, {}, policy)
        if monitoring.operator:
            endpoints = [{"port": "metrics", "path": "/metrics", "interval": monitoring.interval}]
            found = {"selector": own, "endpoints": endpoints}
            api = "monitoring.coreos.com/v1"
            yield _named(api, "ServiceMonitor", name, settings.namespace, dict(monitoring.labels), found)


def rule_object(found: Sequence[Alert], settings: Kubernetes, monitoring: Monitoring, name: str) -> Document:
    """Return the alerts as Prometheus' operator reads them."""
    labels = dict(monitoring.labels)
    return _named("monitoring.coreos.com/v1", "PrometheusRule", name, settings.namespace, labels, rule_groups(found))


def dashboard_map(files: Mapping[str, str], monitoring: Monitoring, name: str) -> Document:
    """Return the dashboards as the ConfigMap that Grafana's sidecar looks for."""
    labels = {**_PART, "grafana_dashboard": "1"}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": monitoring.namespace, "labels": labels},
        "data": dict(sorted(files.items())),
    }


def _deployment(platform: PlatformSpec, settings: Kubernetes, labels: Mapping[str, str]) -> Document:
    listen = ["metrics", "--port", str(_PORT), "--address", "0.0.0.0", "--log-format", "json"]  # noqa: S104 - in a pod
    pod = job_pod(platform, _LIKE, settings, arguments=listen, need=_NEED)
    containers = pod["containers"]
    assert isinstance(containers, list)  # noqa: S101 - as job_pod makes it
    probe = {"httpGet": {"path": "/metrics", "port": "metrics"}, "periodSeconds": 30, "timeoutSeconds": 20}
    container = {
        **containers[0],
        "name": "metrics",
        "ports": [{"name": "metrics", "containerPort": _PORT}],
        "livenessProbe": {**probe, "failureThreshold": 5, "initialDelaySeconds": 30},
        "readinessProbe": probe,
    }
    spec = {**pod, "restartPolicy": "Always", "containers": [container]}
    return {
        "replicas": 1,
        "strategy": {"type": "Recreate"},
        "revisionHistoryLimit": 2,
        "selector": {"matchLabels": dict(labels)},
        "template": {"metadata": {"labels": dict(labels)}, "spec": spec},
    }


def _from(monitoring: Monitoring) -> Document:
    there = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": monitoring.namespace}}}
    return {"from": [there], "ports": [{"port": _PORT, "protocol": "TCP"}]}


def _named(
    api: str, kind: str, name: str, namespace: str, labels: Mapping[str, str], spec: Mapping[str, object]
) -> Document:
    metadata = {"name": name, "namespace": namespace, "labels": {**_PART, **labels}}
    return {"apiVersion": api, "kind": kind, "metadata": metadata, "spec": dict(spec)}
