"""What the DAG file reads of each DAG: plain data, one entry a task of streams and one a system job. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from datasurface.deploy.airflow.described import Descriptions, tags_of
from datasurface.deploy.airflow.groups import Task, tasks_of
from datasurface.deploy.airflow.pools import pool_name
from datasurface.deploy.airflow.trigger import Trigger, seconds_of, trigger_of
from datasurface.deploy.base import Deployable
from datasurface.deploy.names import dag_id, dns_label, platform_id, system_dag_id
from datasurface.deploy.pod import Need, job_labels, job_pod
from datasurface.deploy.pod_secrets import needed
from datasurface.deploy.requests import request_of
from datasurface.model.airflow import Airflow
from datasurface.model.capture import Every
from datasurface.model.kubernetes import Kubernetes
from datasurface.model.secret_stores import kind_of_store
from datasurface.model.vocabulary import Priority, TaskKind
from datasurface.release.job import Changed, JobSpec, PlatformSpec
from datasurface.release.needs import SystemJob
from datasurface.secrets.base import optional_pieces, required_pieces
from datasurface.secrets.environment import variable

__all__ = ["PLATFORM", "Entries", "Entry", "connection_id", "group_dag_id", "housekeeping_dag_id"]

Entry = dict[str, object]

_WEIGHTS = {Priority.LOW: 1, Priority.MEDIUM: 10, Priority.HIGH: 100, Priority.CRITICAL: 1000}
PLATFORM = "ds-platform"
"""The asset of a platform itself: its active release, its roles and logins. No stream's name has a dash."""
_CHANGING = frozenset({SystemJob.APPLY, SystemJob.SECURITY})
_SYSTEM_WEIGHT = 500
_QUEUED = 15 * 60
"""How long a run may wait for a free slot in all, in seconds, besides the time of its job."""
_HOUSEKEEPING_TIMEOUT = 3600
_POD_NAME = 50
_NO_WORD = re.compile(r"[^A-Za-z0-9_]")


class Entries:
    """The entries of an environment's DAGs.

    Args:
        deployable: What is deployed.
        settings: How.
    """

    def __init__(self, deployable: Deployable, settings: Airflow) -> None:
        self._deployable = deployable
        self._settings = settings
        self._descriptions = Descriptions.of(deployable)
        pods = settings.tasks is TaskKind.POD
        self._cluster = deployable.settings(Kubernetes) if pods else None
        self._timeout = seconds_of(settings.timeout)

    def of(self, platform: PlatformSpec) -> dict[str, Entry]:
        """Return the entries of a platform's DAGs, by their ids.

        Raises:
            ConfigurationError: a setting does not fit the model.
        """
        learned = self._deployable.learned.get(platform.name, {})
        tasks = tasks_of(platform, self._settings, learned)
        found = {group_dag_id(platform, task): self._streams(platform, task) for task in tasks}
        kinds = [kind for kind in SystemJob if kind is not SystemJob.APPLY or platform.follows is not None]
        found |= {system_dag_id(platform, kind): self._system(platform, kind) for kind in kinds}
        found |= dict(self._housekeeping(platform))
        return dict(sorted(found.items()))

    def _streams(self, platform: PlatformSpec, task: Task) -> Entry:
        streams = [job.stream for job in task.jobs]
        first = task.jobs[0]
        kind = "group" if task.group is not None else "ingest" if first.transformer is None else "transform"
        named = task.group or first.stream
        every, inputs = self._when(first, named)
        return {
            **self._common(platform, kind, every, self._time(task)),
            "outlets": streams,
            "inputs": inputs,
            "owner": self._descriptions.owner(task),
            "doc": self._descriptions.text(platform, task),
            "pool": pool_name(platform, first.source),
            "priority": max(_WEIGHTS[job.priority] for job in task.jobs),
            **self._job(platform, first, streams, named, self._need(platform, task)),
        }

    def _when(self, job: JobSpec, named: str) -> tuple[Trigger | None, list[str]]:
        """Return when a DAG runs by the clock, and the inputs whose changes make it run."""
        if job.transformer is None or not isinstance(job.capture.every, Changed):
            return trigger_of(named, job.capture.every), []
        inputs = [*sorted(job.transformer.triggers), PLATFORM]
        again = self._settings.look_again
        return trigger_of(named, again) if again is not None else None, inputs

    def _system(self, platform: PlatformSpec, kind: SystemJob) -> Entry:
        schedule: Mapping[SystemJob, Every] = {
            SystemJob.APPLY: self._settings.apply,
            SystemJob.SECURITY: self._settings.security,
            SystemJob.RETENTION: self._settings.retention,
            SystemJob.AUDIT: self._settings.audit,
        }
        every = trigger_of(f"{platform.name} {kind.value}", schedule[kind])
        return {
            **self._common(platform, "system", every, self._timeout),
            "doc": self._descriptions.system(kind, platform),
            "outlets": [PLATFORM] if kind in _CHANGING else [],
            **self._job(platform, kind, ["--system", kind.value], kind.value, Need()),
        }

    def _housekeeping(self, platform: PlatformSpec) -> Iterator[tuple[str, Entry]]:
        work = [
            ("pools", "1 hour", "Makes Airflow's pools: one a container, a slot for each connection that it takes.")
        ]
        if self._settings.history is not None:
            work.append(("history", "1 day", f"Has Airflow forget runs that are older than {self._settings.history}."))
        for commands, every, doc in work:
            timeout = _HOUSEKEEPING_TIMEOUT
            entry = self._common(platform, "system", trigger_of(f"{platform.name} {commands}", every), timeout)
            yield housekeeping_dag_id(platform, commands), {**entry, "doc": doc, "commands": commands}

    def _common(self, platform: PlatformSpec, kind: str, every: Trigger | None, timeout: int) -> Entry:
        settings = self._settings
        first, longest = seconds_of(settings.retry_delay), seconds_of(settings.longest_delay)
        delays = sum(min(first * 2**number, longest) for number in range(settings.retries))
        return {
            "every": every,
            "timeout": timeout,
            "run_timeout": timeout + delays + _QUEUED,
            "tags": tags_of(platform, kind),
            "outlets": [],
            "inputs": [],
            "owner": "datasurface",
            "pool": "default_pool",
            "priority": _SYSTEM_WEIGHT,
        }

    def _job(
        self, platform: PlatformSpec, kind: SystemJob | JobSpec, what: Sequence[str], name: str, need: Need
    ) -> Entry:
        folder = self._settings.folder
        arguments = ["job", *what, *(("-m", folder) if folder is not None else ())]
        if self._cluster is None:
            return {"arguments": arguments, "secrets": self._secrets(platform, kind)}
        stem = dns_label(platform.ecosystem, platform.environment, platform.name, name, limit=_POD_NAME)
        metadata = {"name": stem, "namespace": self._cluster.namespace, "labels": job_labels(platform, kind)}
        spec = job_pod(platform, kind, self._cluster, arguments=arguments, need=need)
        return {"pod": {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}}

    def _secrets(self, platform: PlatformSpec, kind: SystemJob | JobSpec) -> Entry:
        """Return which variables a process gets of which connections: none if it asks a store of its own."""
        if not any(kind_of_store(choice) == "environment" for choice in platform.secrets):
            return {}
        found: Entry = {}
        for credential in needed(platform, kind):
            pieces = (*required_pieces(credential.kind), *optional_pieces(credential.kind))
            connection = connection_id(self._settings, credential.name)
            found[connection] = {piece: variable(credential.name, piece) for piece in pieces}
        return found

    def _need(self, platform: PlatformSpec, task: Task) -> Need:
        needs = [request_of(self._deployable, platform, job) for job in task.jobs]
        return Need(cpu=max(need.cpu for need in needs), memory=max(need.memory for need in needs))

    def _time(self, task: Task) -> int:
        hints = [job.resources.timeout if job.resources is not None else None for job in task.jobs]
        return max(seconds_of(hint) if hint is not None else self._timeout for hint in hints)


def group_dag_id(platform: PlatformSpec, task: Task) -> str:
    """Return the id of the DAG of a task: a stream's own, or the group's, which no stream's name can be."""
    return dag_id(platform, task.jobs[0].stream if task.group is None else f"group-{task.group}")


def housekeeping_dag_id(platform: PlatformSpec, commands: str) -> str:
    """Return the id of a DAG that keeps Airflow itself in order."""
    return f"{platform_id(platform)}.ds-airflow-{commands}"


def connection_id(settings: Airflow, credential: str) -> str:
    """Return the id of the Airflow connection that holds a credential's secret."""
    return f"{settings.connections}{_NO_WORD.sub('_', credential)}"
