"""What Prometheus asks: one small server for each platform, which reads the merge database and writes nothing."""

from __future__ import annotations

from typing import Any, cast

from datasurface.deploy.kubernetes.cluster import Cluster
from datasurface.deploy.kubernetes.objects import named
from datasurface.deploy.names import dns_label
from datasurface.deploy.pod import Document, Need, job_labels, job_pod
from datasurface.release.job import PlatformSpec
from datasurface.release.needs import SystemJob

__all__ = ["PORT", "metrics"]

PORT = 9464
_NEED = Need(cpu=50, memory=256)
_NAMESPACE = "kubernetes.io/metadata.name"
_REASONS = {
    "checkov.io/skip1": "CKV_K8S_15=An image by digest never changes; asking the registry at each start would make it "
    "a condition of every start"
}


def metrics(cluster: Cluster) -> list[Document]:
    """Return the servers and who may ask them; none if nothing says where Prometheus is."""
    asking = cluster.settings.metrics_for
    if asking is None:
        return []
    found: list[Document] = []
    for platform in cluster.platforms:
        found += _server(cluster, platform, asking)
    return found


def _server(cluster: Cluster, platform: PlatformSpec, asking: str) -> list[Document]:
    name = dns_label(platform.ecosystem, platform.environment, platform.name, "metrics", limit=52)
    labels = {**job_labels(platform, SystemJob.RETENTION), "datasurface.io/job": "metrics"}
    chosen = {key: labels[key] for key in ("datasurface.io/job", "datasurface.io/platform")}
    template = {"metadata": {"labels": labels, "annotations": _REASONS}, "spec": _pod(cluster, platform)}
    from_prometheus = {
        "from": [{"namespaceSelector": {"matchLabels": {_NAMESPACE: asking}}}],
        "ports": [{"port": PORT, "protocol": "TCP"}],
    }
    ingress = {"podSelector": {"matchLabels": chosen}, "policyTypes": ["Ingress"], "ingress": [from_prometheus]}
    ports = [{"name": "metrics", "port": PORT, "protocol": "TCP", "targetPort": "metrics"}]
    deployment = {
        "replicas": 1,
        "revisionHistoryLimit": 2,
        "selector": {"matchLabels": chosen},
        "strategy": {"type": "Recreate"},
        "template": template,
    }
    where = cluster.namespace
    found = [
        named("apps/v1", "Deployment", name, where, annotations=_REASONS, spec=deployment),
        named("v1", "Service", name, where, labels=labels, spec={"selector": chosen, "ports": ports}),
        named("networking.k8s.io/v1", "NetworkPolicy", name, where, spec=ingress),
    ]
    if cluster.settings.service_monitors:
        spec = {"selector": {"matchLabels": chosen}, "endpoints": [{"port": "metrics", "interval": "30s"}]}
        found.append(named("monitoring.coreos.com/v1", "ServiceMonitor", name, where, spec=spec))
    return found


def _pod(cluster: Cluster, platform: PlatformSpec) -> Document:
    """Return the pod: that of a job which logs in as the platform and needs nothing else, but one that goes on.

    So it has that job's service account, too, and on AWS its role.
    """
    arguments = ["metrics", "--port", str(PORT), "--address", "0.0.0.0"]  # noqa: S104 - a network policy says who asks
    pod = job_pod(platform, SystemJob.RETENTION, cluster.settings, arguments=arguments, need=_NEED)
    probe = {"tcpSocket": {"port": "metrics"}, "periodSeconds": 20, "failureThreshold": 3}
    (container,) = cast("list[dict[str, Any]]", pod["containers"])
    container |= {
        "name": "metrics",
        "ports": [{"containerPort": PORT, "name": "metrics", "protocol": "TCP"}],
        "livenessProbe": {**probe, "initialDelaySeconds": 60},
        "readinessProbe": {**probe, "initialDelaySeconds": 5},
    }
    return {**pod, "containers": [container], "restartPolicy": "Always"}
