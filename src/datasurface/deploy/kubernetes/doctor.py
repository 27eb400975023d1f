"""A pod that examines what another would meet: its secrets, its network, its limits, with nothing else changed."""

from __future__ import annotations

from datasurface.deploy.base import Deployable
from datasurface.deploy.kubernetes.cluster import Cluster
from datasurface.deploy.kubernetes.objects import manifest, named
from datasurface.deploy.names import dns_label
from datasurface.deploy.pod import Document, job_labels, job_pod
from datasurface.errors import ConfigurationError
from datasurface.release.job import JobSpec, PlatformSpec
from datasurface.release.needs import SystemJob

__all__ = ["doctor_job"]

_SECONDS = 300
_KEPT = 3600


def doctor_job(deployable: Deployable, stream: str | None) -> str:
    """Return the manifest of a Job that runs `doctor` where a stream's batches run; None: where releases are applied.

    Raises:
        ConfigurationError: there is no such stream, or no cluster among the deployments.
        MissingExtraError: the YAML library is not installed.
    """
    cluster = Cluster.of(deployable)
    jobs: list[Document] = []
    for platform in cluster.platforms:
        kind: SystemJob | JobSpec | None = SystemJob.APPLY if stream is None else platform.job(stream)
        if kind is not None:
            jobs.append(_job(cluster, platform, kind))
    if not jobs:
        known = ", ".join(sorted(job.stream for platform in cluster.platforms for job in platform.jobs)[:20])
        raise ConfigurationError(f"there is no stream {stream!r}", hint=f"the streams are {known}")
    return manifest(jobs, heading="doctor, as a pod of a job")


def _job(cluster: Cluster, platform: PlatformSpec, kind: SystemJob | JobSpec) -> Document:
    streams = [] if isinstance(kind, SystemJob) else ["--stream", kind.stream]
    pod = job_pod(platform, kind, cluster.settings, arguments=["doctor", *streams], need=cluster.need(platform, kind))
    spec: Document = {
        "activeDeadlineSeconds": _SECONDS,
        "backoffLimit": 0,
        "template": {"metadata": {"labels": job_labels(platform, kind)}, "spec": pod},
        "ttlSecondsAfterFinished": _KEPT,
    }
    what = kind.value if isinstance(kind, SystemJob) else kind.stream
    name = dns_label("doctor", platform.ecosystem, platform.environment, platform.name, what, limit=52)
    return named("batch/v1", "Job", name, cluster.namespace, spec=spec)
