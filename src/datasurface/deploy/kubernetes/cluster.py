"""What the manifests of one environment have in common: its platforms on their cluster, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from datasurface.deploy.base import Deployable
from datasurface.deploy.pod import Need
from datasurface.deploy.pod_needs import system_need
from datasurface.deploy.pod_secrets import issues
from datasurface.deploy.requests import request_of
from datasurface.errors import ConfigurationError
from datasurface.model.airflow import Airflow
from datasurface.model.deployment import Aws
from datasurface.model.kubernetes import Egress, Kubernetes
from datasurface.model.places import place_of_service
from datasurface.model.vocabulary import TaskKind
from datasurface.release.job import JobSpec, PlatformSpec
from datasurface.release.needs import SystemJob

__all__ = ["Cluster", "refuse"]


@dataclass(frozen=True)
class Cluster:
    """An environment's platforms on a Kubernetes cluster.

    Attributes:
        deployable: The bound release.
        settings: The cluster.
    """

    deployable: Deployable
    settings: Kubernetes

    @classmethod
    def of(cls, deployable: Deployable) -> Cluster:
        """Return the cluster of an environment.

        Raises:
            ConfigurationError: the environment names none.
        """
        return cls(deployable, deployable.settings(Kubernetes))

    @property
    def platforms(self) -> tuple[PlatformSpec, ...]:
        """The platforms, sorted by name."""
        return tuple(sorted(self.deployable.platforms, key=lambda platform: platform.name))

    @property
    def namespace(self) -> str:
        """The namespace of the jobs."""
        return self.settings.namespace

    @cached_property
    def airflow(self) -> Airflow | None:
        """What starts the jobs; None if CronJobs do."""
        return self.deployable.find(Airflow)

    @property
    def airflow_namespace(self) -> str:
        """The namespace of Airflow."""
        return self.settings.airflow_namespace or f"{self.namespace}-airflow"

    @cached_property
    def aws(self) -> Aws | None:
        """The account and region that `deploy aws` makes the cluster in; None for a cluster that is there."""
        return self.deployable.find(Aws)

    def place(self, name: str) -> Egress | None:
        """Return where a service is: what the model says, else on AWS the network that it is in, else None."""
        return place_of_service(name, self.settings, self.aws)

    @property
    def starts_pods(self) -> bool:
        """Whether Airflow's tasks are pods in the namespace of the jobs."""
        return self.airflow is not None and self.airflow.tasks is TaskKind.POD

    def system_jobs(self, platform: PlatformSpec) -> tuple[SystemJob, ...]:
        """Return the system jobs of a platform: passwords are only issued where a store can keep them."""
        return tuple([kind for kind in SystemJob if kind is not SystemJob.SECURITY or issues(platform)])

    def kinds(self) -> Iterator[tuple[PlatformSpec, SystemJob | JobSpec]]:
        """Yield every job: those of the system, then the streams."""
        for platform in self.platforms:
            for kind in self.system_jobs(platform):
                yield platform, kind
            for job in platform.jobs:
                yield platform, job

    def need(self, platform: PlatformSpec, kind: SystemJob | JobSpec) -> Need:
        """Return what a job asks of its node."""
        if isinstance(kind, SystemJob):
            return system_need(kind)
        return request_of(self.deployable, platform, kind)


def refuse(problems: list[str], what: str, hint: str) -> None:
    """Raise one error that names all problems, if there are any."""
    if problems:
        raise ConfigurationError(f"{what}: {'; '.join(problems)}", hint=hint)
