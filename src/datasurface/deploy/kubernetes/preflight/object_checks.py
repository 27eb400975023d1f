"""The objects that would be applied: names that the API takes, sizes that it stores, a quota that holds them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from datasurface.deploy.kubernetes.config import LARGEST
from datasurface.deploy.kubernetes.preflight.subject import Subject
from datasurface.deploy.kubernetes.quota import total
from datasurface.deploy.preflight.check import Check, Outcome, failed, passed, warned

__all__ = ["OBJECT_CHECKS"]

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_SUBDOMAIN = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-\w.]{0,61}[A-Za-z0-9])?)?")
_CRON_JOB = 52
_STORED = 1_500_000
"""Bytes of an object that etcd takes by default."""
_ANNOTATED = 200_000
"""Bytes beyond which `kubectl apply` without --server-side may find no room for its copy: annotations hold 256 KiB."""
_MANY = 5_000
_SHARED_DISKS = re.compile(r"nfs|efs|azurefile|cephfs|glusterfs", re.IGNORECASE)


def _names(subject: Subject) -> Iterator[Outcome]:
    wrong = 0
    for each in subject.objects:
        kind, name = each["kind"], each["metadata"]["name"]
        longest = _CRON_JOB if kind == "CronJob" else 63
        pattern = _SUBDOMAIN if kind in {"ConfigMap", "Secret", "ServiceAccount"} else _LABEL
        if not pattern.fullmatch(name) or (pattern is _LABEL and len(name) > longest):
            wrong += 1
            yield failed(f"the name {name!r} is none that the API takes", "choose a shorter name", about=kind)
        for label, value in _labels(each):
            if not _LABEL_VALUE.fullmatch(value):
                wrong += 1
                yield failed(f"the label {label}={value!r} is none that the API takes", "choose another", about=name)
    if subject.objects and not wrong:
        yield passed(f"the names and labels of {len(subject.objects)} objects are legal")


def _labels(each: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield from each["metadata"].get("labels", {}).items()
    template = each.get("spec", {}).get("jobTemplate", {}).get("spec", {}).get("template", {})
    yield from template.get("metadata", {}).get("labels", {}).items()


def _sizes(subject: Subject) -> Iterator[Outcome]:
    largest = 0
    for each in subject.objects:
        size, name = len(json.dumps(each).encode()), each["metadata"]["name"]
        largest = max(largest, size)
        data = sum(len(key) + len(text.encode()) for key, text in each.get("data", {}).items())
        if data > LARGEST or size > _STORED:
            yield failed(
                f"{each['kind']} {name} has {max(data, size):,} bytes",
                "let fewer streams share it, or build the DAG files into Airflow's image",
                about=name,
            )
    if subject.objects and largest <= _STORED:
        how = ": apply it with --server-side" if largest > _ANNOTATED else ""
        yield passed(f"the largest object has {largest:,} bytes{how}")
    if len(subject.objects) > _MANY:
        yield warned(
            f"{len(subject.objects):,} objects are many for one namespace",
            "let Airflow start the streams: Airflow(…) among the deployments",
        )


def _quota(subject: Subject) -> Iterator[Outcome]:
    settings = subject.cluster.settings
    largest, together = total(subject.cluster)
    if settings.parallelism < 1:
        yield failed(f"parallelism={settings.parallelism}: no job may run", "Kubernetes(parallelism=…) of at least 1")
        return
    streams = sum(len(platform.jobs) for platform in subject.cluster.platforms)
    if streams > settings.parallelism * 100:
        yield warned(
            f"{streams:,} streams share {settings.parallelism} pods: one that is due each minute may wait for long",
            "a higher Kubernetes(parallelism=…), or groups of streams in Airflow(groups=…)",
        )
    yield passed(
        f"up to {len(largest)} pods at once take {together.cpu / 1000:.1f} CPUs and {together.memory / 1024:.1f} GiB"
    )


def _storage(subject: Subject) -> Iterator[Outcome]:
    postgres = subject.cluster.settings.postgres
    if postgres is None:
        return
    chosen = postgres.storage_class
    if chosen is not None and _SHARED_DISKS.search(chosen):
        yield failed(
            f"the storage class {chosen!r} looks like a shared file system, on which no database is safe or fast",
            "a class of block devices, such as gp3, managed-csi or pd-ssd",
            about=postgres.cluster,
        )
    else:
        yield passed(f"volumes of {postgres.storage}, each for one server", about=postgres.cluster)


OBJECT_CHECKS: tuple[Check[Subject], ...] = (
    Check(
        id="kubernetes.objects.names",
        title="names that the API takes",
        looks_at="Names of at most 63 characters (CronJobs: 52) of RFC 1123, and values of labels.",
        fails="One is longer or has another character.",
        remedy="Choose a shorter name in the model; derived names are always legal.",
        look=_names,
    ),
    Check(
        id="kubernetes.objects.sizes",
        title="sizes that the API stores",
        looks_at="ConfigMaps against 1 MiB, objects against 1.5 MB, their number.",
        fails="One is larger; many objects warn.",
        remedy="Build the DAG files into Airflow's image, or let Airflow start the streams.",
        look=_sizes,
    ),
    Check(
        id="kubernetes.objects.quota",
        title="the quota holds the jobs",
        looks_at="parallelism= against what jobs need and how many there are.",
        fails="No job may run; many streams for few pods warn.",
        remedy="Kubernetes(parallelism=…).",
        look=_quota,
    ),
    Check(
        id="kubernetes.objects.storage",
        title="a storage class that fits",
        looks_at="The storage class of the PostgreSQL cluster against what its name says.",
        fails="It is a shared file system.",
        remedy="A class of block devices.",
        look=_storage,
    ),
)
