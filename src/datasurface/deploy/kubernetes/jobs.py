"""CronJobs: the jobs of the system, and without Airflow the streams.

With Airflow they are suspended, so that a person can start one by hand: `kubectl create job --from=cronjob/…`.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta

from datasurface.deploy.kubernetes.cluster import Cluster
from datasurface.deploy.kubernetes.objects import named
from datasurface.deploy.names import dns_label
from datasurface.deploy.pod import Document, job_labels, job_pod, talks_to_kubernetes
from datasurface.model.capture import Cron, Every, External
from datasurface.model.effective import duration
from datasurface.release.job import Changed, JobSpec, PlatformSpec
from datasurface.release.needs import SystemJob

__all__ = ["cron_jobs", "cron_name", "cron_schedule"]

_SYSTEM: dict[SystemJob, str] = {
    SystemJob.APPLY: "*/5 * * * *",
    SystemJob.SECURITY: "17 * * * *",
    SystemJob.RETENTION: "23 3 * * *",
    SystemJob.AUDIT: "41 4 * * 0",
}
"""When the jobs of the system run, in UTC."""
_ZONE = "Etc/UTC"
_NEVER = ("0 0 1 1 *", _ZONE)
"""A schedule there has to be, also where it is suspended for good."""
_LONGEST = 52
"""A CronJob's name: the names of its jobs and pods are longer."""
_SLOWEST = 6 * 3600
_MINUTES = (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30)
_HOURS = (1, 2, 3, 4, 6, 8, 12)
_HOUR, _DAY = 60, 24 * 60
_WEEK = 7 * _DAY
_FAILED, _USAGE = 1, 2
_REASONS = {
    "checkov.io/skip1": "CKV_K8S_15=An image by digest never changes; asking the registry at each start would make it "
    "a condition of every job",
}
"""Rules of checkov that do not fit, with why."""
_TOKEN_REASON = {
    "checkov.io/skip2": "CKV_K8S_38=This job keeps the passwords that it issues in Secrets, and needs a token for that"
}


def cron_name(platform: PlatformSpec, what: str) -> str:
    """Return the name of the CronJob of a system job or a stream."""
    return dns_label(platform.ecosystem, platform.environment, platform.name, what, limit=_LONGEST)


def cron_jobs(cluster: Cluster) -> list[Document]:
    """Return the CronJobs: of the system, and of streams where nothing else starts them."""
    return [
        _cron_job(cluster, platform, kind)
        for platform, kind in cluster.kinds()
        if isinstance(kind, SystemJob) or cluster.airflow is None
    ]


def cron_schedule(name: str, every: Every) -> tuple[str, str] | None:
    """Return the cron expression and the time zone of a schedule; None where something else starts the job.

    An interval that does not divide an hour or a day is rounded up to one that does. Jobs with the same interval
    start at different minutes.
    """
    if isinstance(every, Cron):
        return every.expression, every.tz
    if isinstance(every, Changed):
        return cron_schedule(name, "5 minutes")
    if isinstance(every, External):
        return None
    minutes = -(-(duration(every) or timedelta(hours=1)) // timedelta(minutes=1))
    at = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
    return _expression(minutes, at), _ZONE


def _expression(minutes: int, at: int) -> str:
    if minutes <= _MINUTES[-1]:
        step = next(step for step in _MINUTES if step >= minutes)
        return f"{at % step}-59/{step} * * * *" if step > 1 else "* * * * *"
    hours = -(-minutes // _HOUR)
    if hours <= _HOURS[-1]:
        step = next(step for step in _HOURS if step >= hours)
        return f"{at % _HOUR} {at // _HOUR % step}-23/{step} * * *" if step > 1 else f"{at % _HOUR} * * * *"
    return f"{at % _HOUR} {at // _HOUR % 24} * * {'*' if minutes < _WEEK else at // _DAY % 7}"


def _cron_job(cluster: Cluster, platform: PlatformSpec, kind: SystemJob | JobSpec) -> Document:
    if isinstance(kind, SystemJob):
        what, arguments = kind.value, ["job", "--system", kind.value]
    else:
        what, arguments = f"stream-{kind.stream}", ["job", kind.stream]
    when = _when(kind)
    schedule, zone = when or _NEVER
    reasons = {**_REASONS, **(_TOKEN_REASON if talks_to_kubernetes(platform, kind) else {})}
    pod = job_pod(
        platform, kind, cluster.settings, arguments=[*arguments, "--idle-exit", "0"], need=cluster.need(platform, kind)
    )
    spec: Document = {
        "concurrencyPolicy": "Forbid",
        "failedJobsHistoryLimit": 3,
        "jobTemplate": {"metadata": {"labels": job_labels(platform, kind)}, "spec": _job(platform, kind, pod)},
        "schedule": schedule,
        "startingDeadlineSeconds": 300,
        "successfulJobsHistoryLimit": 1,
        "suspend": cluster.airflow is not None or when is None or _follows_nothing(platform, kind),
        "timeZone": zone,
    }
    return named("batch/v1", "CronJob", cron_name(platform, what), cluster.namespace, annotations=reasons, spec=spec)


def _when(kind: SystemJob | JobSpec) -> tuple[str, str] | None:
    if isinstance(kind, SystemJob):
        return _SYSTEM[kind], _ZONE
    return cron_schedule(kind.stream, kind.capture.every)


def _follows_nothing(platform: PlatformSpec, kind: SystemJob | JobSpec) -> bool:
    """Tell whether there is no release store to look into: releases are applied from elsewhere."""
    return kind is SystemJob.APPLY and platform.follows is None


def _job(platform: PlatformSpec, kind: SystemJob | JobSpec, pod: Document) -> Document:
    """Return a job that is tried again only where that may help: after a transient fault, or when its node went."""
    fails = {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [_FAILED, _USAGE]}}
    moved = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
    return {
        "activeDeadlineSeconds": _SLOWEST,
        "backoffLimit": 3,
        "podFailurePolicy": {"rules": [moved, fails]},
        "template": {"metadata": {"labels": job_labels(platform, kind), "annotations": _REASONS}, "spec": pod},
        "ttlSecondsAfterFinished": 86400,
    }
