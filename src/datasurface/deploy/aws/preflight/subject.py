"""What the checks of AWS look at: the stacks that would be made, the jobs' needs, and AWS itself, read only."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any, TypeVar, cast

from datasurface.deploy.aws.preflight.clients import AwsReader
from datasurface.deploy.aws.preflight.template import Resource, Template, templates_of
from datasurface.deploy.base import Deployable
from datasurface.deploy.packing import PodNeed
from datasurface.deploy.pod import account_of
from datasurface.errors import DataSurfaceError
from datasurface.model.deployment import Aws
from datasurface.model.identity import AwsRole
from datasurface.model.infrastructure import Credential
from datasurface.model.kubernetes import Kubernetes
from datasurface.model.secret_names import aws_name
from datasurface.model.secret_stores import AwsSecrets
from datasurface.release.job import JobSpec, PlatformSpec
from datasurface.release.needs import SystemJob, credentials_of, issued_credentials, system_credentials

__all__ = ["AwsSubject", "NeededSecret", "PlannedStack"]

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStack:
    """A stack that would be made.

    Attributes:
        name: The stack's name.
        path: Where its template is among the generated files.
        document: The template.
        capabilities: What the printed command acknowledges.
        actions: The IAM actions that making it needs.
    """

    name: str
    path: str
    document: Mapping[str, Any]
    capabilities: Sequence[str] = ()
    actions: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NeededSecret:
    """A secret of Secrets Manager that jobs look up.

    Attributes:
        name: Its name there.
        credential: What it is the secret of.
        accounts: The service accounts of the jobs that look it up, sorted.
        issued: Whether `security sync` makes it, so that it need not be there beforehand.
    """

    name: str
    credential: Credential
    accounts: tuple[str, ...]
    issued: bool


@dataclass(frozen=True, kw_only=True)
class AwsSubject:
    """What the checks are given.

    Attributes:
        deployable: What is to be deployed.
        settings: Where to.
        stacks: The stacks, in the order in which they are made.
        pods: What may run at once.
        manifests: The Kubernetes objects that go with the stacks.
        problems: Why the stacks, or the Kubernetes objects, cannot be made.
        images: The images that pods run, by what messages call them.
        aws: AWS, read only.
        environ: The variables of the process.
        today: The day on which support windows are looked at.
        lint: Whether cfn-lint is run.
    """

    deployable: Deployable
    settings: Aws
    stacks: tuple[PlannedStack, ...]
    aws: AwsReader
    today: date
    pods: tuple[PodNeed, ...] = ()
    manifests: tuple[Mapping[str, Any], ...] = ()
    problems: Sequence[DataSurfaceError] = ()
    images: Mapping[str, str] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict)
    lint: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)
    _locks: dict[str, threading.Lock] = field(default_factory=dict, repr=False, compare=False)
    _known: dict[str, object] = field(default_factory=dict, repr=False, compare=False)

    def once(self, key: str, ask: Callable[[], _T]) -> _T:
        """Return what `ask` returned the first time for this key: several checks want to know it at once."""
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            if key not in self._known:
                self._known[key] = ask()
            return cast("_T", self._known[key])

    @property
    def cluster(self) -> str:
        """The name of the EKS cluster."""
        made = [cluster.text("Name") for cluster in self.resources("AWS::EKS::Cluster")]
        return self.settings.cluster or next((name for name in made if name), "") or self.deployable.ecosystem

    @property
    def namespace(self) -> str:
        """The Kubernetes namespace of the jobs."""
        found = self.deployable.find(Kubernetes)
        return found.namespace if found is not None else "datasurface"

    @cached_property
    def hosts(self) -> dict[str, str]:
        """The hosts of databases that exist already, by the container's name."""
        made = {database.container for database in self.settings.databases}
        containers = {c for p in self.platforms for c in (p.container, *(job.source for job in p.jobs))}
        hosts = {container.name: getattr(container, "host", None) for container in containers}
        return {
            name: host.lower() for name, host in sorted(hosts.items()) if isinstance(host, str) and name not in made
        }

    @cached_property
    def templates(self) -> tuple[Template, ...]:
        """The stacks' templates, in order."""
        known = {
            "AWS::AccountId": self.settings.account,
            "AWS::Region": self.settings.region,
            "AWS::Partition": self.partition,
            "AWS::URLSuffix": "amazonaws.com.cn" if self.partition == "aws-cn" else "amazonaws.com",
        }
        return templates_of([(stack.path, stack.document) for stack in self.stacks], known)

    @property
    def partition(self) -> str:
        """The part of AWS that the region is in, as ARNs name it."""
        if self.settings.region.startswith("cn-"):
            return "aws-cn"
        return "aws-us-gov" if self.settings.region.startswith("us-gov-") else "aws"

    @property
    def home_region(self) -> str:
        """The region that every account of the partition has, and that answers for all of it."""
        return {"aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}.get(self.partition, "us-east-1")

    @property
    def stack_names(self) -> tuple[str, ...]:
        """The names of the stacks, in order."""
        return tuple(stack.name for stack in self.stacks)

    @cached_property
    def all_resources(self) -> tuple[Resource, ...]:
        """Every resource of every template."""
        return tuple(resource for template in self.templates for resource in template.resources)

    def resources(self, *types: str) -> Iterator[Resource]:
        """Yield the resources of some types, of all templates."""
        for resource in self.all_resources:
            if resource.type in types:
                yield resource

    @property
    def platforms(self) -> tuple[PlatformSpec, ...]:
        """The platforms whose jobs are deployed."""
        return self.deployable.platforms

    @cached_property
    def secrets(self) -> tuple[NeededSecret, ...]:
        """The secrets of Secrets Manager that jobs look up, sorted by name."""
        found: dict[str, tuple[Credential, set[str], bool]] = {}
        for platform in self.platforms:
            stores = [_aws_store(choice) for choice in platform.secrets]
            issued = set(issued_credentials(platform))
            for store in (each for each in stores if each is not None):
                for account, credential in _lookups(platform):
                    parts = (platform.ecosystem, platform.environment, credential.name)
                    name = aws_name(store.prefix, *parts)
                    _, accounts, _ = found.setdefault(name, (credential, set(), credential in issued))
                    accounts.add(account)
        return tuple(
            NeededSecret(name=name, credential=credential, accounts=tuple(sorted(accounts)), issued=issued)
            for name, (credential, accounts, issued) in sorted(found.items())
        )

    @cached_property
    def foreign_roles(self) -> dict[str, str]:
        """The roles of transformers (`run_as`) that the stacks do not make, by service account."""
        made = set(self.settings.create_roles)
        found = {}
        for platform in self.platforms:
            for job in platform.jobs:
                role = job.transformer.run_as if job.transformer is not None else None
                if isinstance(role, AwsRole) and role.role_name not in made:
                    found[account_of(platform, job)] = role.role_name
        return found

    @cached_property
    def accounts(self) -> tuple[tuple[str, str], ...]:
        """The service accounts of all jobs, each with what messages call it, sorted."""
        found: dict[str, str] = {}
        for platform in self.platforms:
            for kind in (*platform.jobs, *SystemJob):
                called = kind.stream if isinstance(kind, JobSpec) else f"{platform.name}: {kind.value}"
                found.setdefault(account_of(platform, kind), called)
        return tuple(sorted(found.items()))


def _aws_store(choice: object) -> AwsSecrets | None:
    if isinstance(choice, AwsSecrets):
        return choice
    return AwsSecrets() if choice == "aws" else None


def _lookups(platform: PlatformSpec) -> Iterator[tuple[str, Credential]]:
    """Yield every service account with every credential that its jobs look up."""
    for job in platform.jobs:
        for credential in credentials_of(platform, job):
            yield account_of(platform, job), credential
    for kind in SystemJob:
        for credential in system_credentials(platform, kind):
            yield account_of(platform, kind), credential
