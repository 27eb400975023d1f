"""Everything that may run at once: what nodes and quotas are sized by."""

from __future__ import annotations

import dataclasses

from datasurface.deploy.base import Deployable
from datasurface.deploy.packing import PodNeed
from datasurface.deploy.pod import Need
from datasurface.deploy.requests import request_of
from datasurface.model.airflow import Airflow
from datasurface.model.kubernetes import Kubernetes
from datasurface.model.vocabulary import TaskKind
from datasurface.release.needs import SystemJob

__all__ = ["CLUSTER", "GROOMER", "airflow_needs", "job_needs", "pod_needs", "system_need"]

_SYSTEM = Need(cpu=250, memory=768)
_PARALLELISM = 16
_WATCHING = 192
"""MiB that a task which watches a pod takes beside the scheduler; twice what was measured."""
GROOMER = Need(cpu=50, memory=256)
"""What the container asks for that removes old logs, beside each of Airflow's components that write some."""
CLUSTER = (
    PodNeed(name="coredns", cpu=100, memory=70, count=2),
    PodNeed(name="ebs-csi-controller", cpu=60, memory=240, count=2),
)
"""What add-ons of the cluster ask for besides what runs on every node."""


def system_need(_kind: SystemJob) -> Need:
    """Return what the pod of a system job asks for."""
    return _SYSTEM


def airflow_needs(slots: int, tasks: TaskKind) -> dict[str, PodNeed]:
    """Return what each of Airflow's own components asks for, by its name, without the container that removes logs.

    Args:
        slots: How many tasks run at once.
        tasks: Whether they are pods, each watched by a process of the scheduler's pod.
    """
    watching = slots * _WATCHING if tasks is TaskKind.POD else 0
    return {
        "api server": PodNeed(name="airflow api server", cpu=500, memory=2048, count=2),
        "DAG processor": PodNeed(name="airflow DAG processor", cpu=500, memory=1024),
        "scheduler": PodNeed(name="airflow scheduler", cpu=1000, memory=1024 + watching),
        "triggerer": PodNeed(name="airflow triggerer", cpu=250, memory=1024),
    }


def _with_groomer(need: PodNeed) -> PodNeed:
    if need.count > 1:
        return need
    return dataclasses.replace(need, cpu=need.cpu + GROOMER.cpu, memory=need.memory + GROOMER.memory)


def job_needs(deployable: Deployable) -> tuple[PodNeed, ...]:
    """Return the pods of all jobs, sorted by name."""
    found: list[PodNeed] = []
    for platform in deployable.platforms:
        for job in platform.jobs:
            need = request_of(deployable, platform, job)
            found.append(PodNeed(name=f"{platform.name}.{job.stream}", cpu=need.cpu, memory=need.memory))
        found += [
            PodNeed(name=f"{platform.name}.ds-{kind}", cpu=_SYSTEM.cpu, memory=_SYSTEM.memory) for kind in SystemJob
        ]
    return tuple(sorted(found, key=lambda each: each.name))


def pod_needs(deployable: Deployable) -> tuple[PodNeed, ...]:
    """Return the pods that may run at once, sorted by name: the largest jobs, as many as may run, and what starts them.

    Those that take the most memory count, and the one that takes the most CPU.
    """
    settings = deployable.find(Kubernetes)
    slots = settings.parallelism if settings is not None else _PARALLELISM
    jobs = job_needs(deployable)
    by_memory = sorted(jobs, key=lambda each: (-each.memory, -each.cpu, each.name))[:slots]
    by_cpu = sorted(jobs, key=lambda each: (-each.cpu, -each.memory, each.name))[:1]
    airflow = deployable.find(Airflow)
    own = airflow_needs(slots, airflow.tasks).values() if airflow is not None else ()
    around = [_with_groomer(need) for need in own]
    found = {each.name: each for each in (*by_memory, *by_cpu, *around, *CLUSTER)}
    return tuple([found[name] for name in sorted(found)])
