"""Platforms: what runs the pipelines, which groups each serves, and environments that bind a model to databases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field

from datasurface.model.base import EMPTY_MAPPING, Noun, noun
from datasurface.model.capture import Every
from datasurface.model.deployment import Deployment
from datasurface.model.infrastructure import Container, CredentialLike, EmbeddedPostgres
from datasurface.model.ownership import Repository
from datasurface.model.secret_stores import StoreChoice
from datasurface.model.vocabulary import AssignStatus, History

__all__ = [
    "Assign",
    "ConsumerReplica",
    "Environment",
    "Hint",
    "LegacyPlatform",
    "Platform",
    "PrimaryIngestion",
    "YellowPlatform",
]


@noun
class Hint(Noun):
    """What a stream or transformer needs when it runs; None leaves it to the platform."""

    cpu: float | None = None
    memory: str | None = None
    connections: int | None = None
    timeout: str | None = None


@noun
class ConsumerReplica(Noun):
    """A copy of what some workspaces need, on another database."""

    name: str = field(kw_only=False)
    container: Container
    workspaces: Sequence[str]
    every: Every = "1 hour"


class Platform(Noun):
    """Something that serves dataset groups."""

    __slots__ = ()

    name: str


@noun
class YellowPlatform(Platform):
    """The platform that does its work in an SQL database, the merge database.

    Attributes:
        container: The merge database.
        credential: How to log in there; None inherits the container's.
        histories: What kinds of history it serves.
        keep_batches: For how many batches deltas are kept; -1 for all.
        secrets: The secret stores it asks, in order; None for environment, then files. The first that can be written
            to gets new secrets.
        hints: What streams and transformers need, by their name.
        code_user: The system user that transformers' code runs as where the platform runs as root; None for the
            platform's own user, who then has to trust that code.
    """

    name: str = field(kw_only=False)
    container: Container = EmbeddedPostgres()
    credential: CredentialLike = None
    histories: Sequence[History] = (History.LIVE, History.FULL)
    keep_batches: int = 0
    secrets: Sequence[StoreChoice] | None = None
    locations: Sequence[str] = ()
    replicas: Sequence[ConsumerReplica] = ()
    hints: Mapping[str, Hint] = EMPTY_MAPPING
    code_user: str | None = None
    doc: str = ""


@noun
class LegacyPlatform(Platform):
    """Pipelines that exist already, documented so that governance covers them; it moves nothing."""

    name: str = field(kw_only=False)
    container: Container | None = None
    histories: Sequence[History] = (History.LIVE, History.FULL)
    locations: Sequence[str] = ()
    doc: str = ""


@noun
class Assign(Noun):
    """A rule: which platform serves the groups that match all that it says. The most specific rule wins."""

    platform: str = field(kw_only=False)
    workspace: str | None = None
    group: str | None = None
    history: History | None = None
    zone: str | None = None
    status: AssignStatus = AssignStatus.PROVISIONED


@noun
class PrimaryIngestion(Noun):
    """The only platforms that read these sources; all others read that platform's merge tables."""

    platform: str = field(kw_only=False)
    datastores: Sequence[str]


@noun
class Environment(Noun):
    """The same model on other databases.

    Attributes:
        containers: What stands in for which container, by the name of the container in the model.
        platforms: What stands in for the platforms of the same names.
        production: Whether it serves production.
        releases: Which releases reach it by themselves: a pattern of tags, such as `v*`, or `branch:main`.
        release_store: Where they are published: a folder, `s3://bucket/prefix`, `git+https://…`, or a repository.
        release_credential: The login to a repository that is followed directly; None for what git is set up with.
        secrets: The secret stores that its platforms ask, in order; None for those that each platform names.
        deployments: What its jobs are deployed to, at most one of a kind; none for the local scheduler.
    """

    name: str = field(kw_only=False)
    containers: Mapping[str, Container] = EMPTY_MAPPING
    platforms: Sequence[Platform] = ()
    production: bool = False
    releases: str | None = None
    release_store: Repository | str | None = None
    release_credential: CredentialLike = None
    secrets: Sequence[StoreChoice] | None = None
    deployments: Sequence[Deployment] = ()
