"""What all stacks of an environment are built from: its settings and names, and what the model asks for.

It refuses what CloudFormation would refuse only minutes later, and says what to change.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from datasurface.deploy.aws_names import AwsNames, aws_names
from datasurface.deploy.base import Deployable
from datasurface.deploy.pod_secrets import needed
from datasurface.errors import ConfigurationError
from datasurface.model.airflow import Airflow
from datasurface.model.aws import AuroraCluster, AwsNetwork
from datasurface.model.aws_check import host_problem, private_domain
from datasurface.model.deployment import Aws
from datasurface.model.infrastructure import AuroraDatabase, Container, Credential
from datasurface.model.kubernetes import Kubernetes
from datasurface.model.secret_names import aws_name
from datasurface.model.secret_stores import AwsSecrets, StoreChoice
from datasurface.release.job import PlatformSpec
from datasurface.release.needs import SystemJob, issued_credentials

__all__ = ["Database", "Ground", "ground_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """A database cluster that is made, and the container that it is made for.

    Attributes:
        admin: The credential that administers it: the platform's.
        domain: The private domain of the container's host; None where the host is AWS's own name.
    """

    made: AuroraCluster
    container: AuroraDatabase
    admin: Credential
    domain: str | None


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What the stacks of an environment are built from.

    Attributes:
        settings: The environment's noun.
        production: Whether it serves production.
    """

    deployable: Deployable
    settings: Aws
    names: AwsNames
    production: bool

    @property
    def namespace(self) -> str:
        """The Kubernetes namespace of the jobs."""
        found = self.deployable.find(Kubernetes)
        return found.namespace if found is not None else "datasurface"

    @property
    def airflow_namespace(self) -> str | None:
        """The Kubernetes namespace of Airflow; None if Airflow starts no jobs here."""
        if self.deployable.find(Airflow) is None:
            return None
        found = self.deployable.find(Kubernetes)
        own = found.airflow_namespace if found is not None else None
        return own or f"{self.namespace}-airflow"

    @property
    def platforms(self) -> tuple[PlatformSpec, ...]:
        """The platforms whose jobs run here, sorted by name."""
        return self.deployable.platforms

    @property
    def zones(self) -> int:
        """In how many zones there are subnets."""
        network = self.settings.network
        return network.zones if isinstance(network, AwsNetwork) else len(network.subnets)

    @property
    def tags(self) -> dict[str, str]:
        """What everything is tagged with, sorted."""
        own = {"datasurface:ecosystem": self.deployable.ecosystem, "datasurface:prefix": self.names.prefix}
        own |= {"datasurface:environment": self.deployable.environment_name or ""}
        if self.settings.expires is not None:
            own["datasurface:expires"] = self.settings.expires
        return dict(sorted({**self.settings.tags, **own}.items()))

    @cached_property
    def databases(self) -> tuple[Database, ...]:
        """The database clusters that are made, in the order of the noun."""
        return tuple([self._database(made) for made in self.settings.databases])

    def store(self, platform: PlatformSpec) -> AwsSecrets:
        """Return where the secrets of a platform's jobs are.

        Raises:
            ConfigurationError: in no secret store of AWS.
        """
        found = next((store for choice in platform.secrets if (store := _aws_store(choice)) is not None), None)
        if found is None:
            raise ConfigurationError(
                f"platform {platform.name!r} asks no secret store of AWS, which is where jobs on AWS find theirs",
                hint='add AwsSecrets(…), or "aws", to secrets=[…] of the environment',
            )
        return found

    def secret_name(self, platform: PlatformSpec, credential: Credential) -> str:
        """Return what Secrets Manager calls the secret of a credential."""
        return aws_name(self.store(platform).prefix, platform.ecosystem, platform.environment, credential.name)

    def needed(self, platform: PlatformSpec) -> tuple[Credential, ...]:
        """Return all credentials that the jobs of a platform look up, sorted by name."""
        kinds = (*SystemJob, *platform.jobs)
        found = {credential for kind in kinds for credential in needed(platform, kind)}
        return tuple(sorted(found, key=lambda each: (each.name, each.kind.value)))

    def given(self, platform: PlatformSpec) -> tuple[Credential, ...]:
        """Return the credentials whose secrets people have to put into the store, sorted by name."""
        issued = {credential.name for credential in issued_credentials(platform)}
        made = {database.admin.name for database in self.databases}
        return tuple([each for each in self.needed(platform) if each.name not in issued | made])

    def _database(self, made: AuroraCluster) -> Database:
        place = f"AuroraCluster({made.container!r})"
        container = next((each for each in self._containers() if each.name == made.container), None)
        if container is None:
            known = ", ".join(sorted({each.name for each in self._containers()})) or "none"
            raise ConfigurationError(f"{place}: no platform has a container of that name", hint=f"there are: {known}")
        if not isinstance(container, AuroraDatabase):
            raise ConfigurationError(
                f"{place}: the container is a {type(container).__name__}", hint="bind an AuroraDatabase"
            )
        admins = {p.credential for p in self.platforms if p.container == container and p.credential is not None}
        if len(admins) != 1:
            raise ConfigurationError(
                f"{place}: it takes one credential that administers it, and has {len(admins)}",
                hint="say credential=… of the platform or the container: its secret is made with the database",
            )
        return Database(made=made, container=container, admin=admins.pop(), domain=_domain(container, place))

    def _containers(self) -> Iterator[Container]:
        yield from (platform.container for platform in self.platforms)


def ground_of(deployable: Deployable) -> Ground:
    """Return what the stacks of an environment are built from.

    Raises:
        ConfigurationError: the environment is not deployed to AWS, or not so that it could be.
    """
    settings = deployable.settings(Aws)
    production = deployable.environment is not None and deployable.environment.production
    ground = Ground(deployable=deployable, settings=settings, names=aws_names(deployable), production=production)
    for platform in ground.platforms:
        store = ground.store(platform)
        if store.region not in (None, settings.region):
            raise ConfigurationError(
                f"the secrets of platform {platform.name!r} are in {store.region}, and it runs in {settings.region}",
                hint="leave region= of AwsSecrets out",
            )
    domains = [database.container.host for database in ground.databases]
    if len(set(domains)) < len(domains):
        raise ConfigurationError("two database clusters are to have one host", hint="give each container its own")
    return ground


def _aws_store(choice: StoreChoice) -> AwsSecrets | None:
    if isinstance(choice, AwsSecrets):
        return choice
    return AwsSecrets() if choice == "aws" else None


def _domain(container: AuroraDatabase, place: str) -> str | None:
    """Return the domain that a private hosted zone is made for; None where the host is AWS's own name."""
    if problem := host_problem(container.host):
        hint = "choose a name such as merge.db.acme.internal, which then leads to the cluster inside of the network"
        raise ConfigurationError(f"{place}: {problem}", hint=hint)
    return private_domain(container.host)
