"""Environments: what their jobs would really read and write, once everything that stands in is put in place.

Without an environment to bind the model all of them are looked at, for what needs no capabilities.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath

from datasurface.govern.paths import shown, step
from datasurface.govern.report import Finding, Severity, finding
from datasurface.govern.scope import Scope
from datasurface.model.airflow import Airflow
from datasurface.model.base import replaced
from datasurface.model.binding import stand_in, stand_in_platform
from datasurface.model.effective import all_datastores, capture_credential, embedded_database, platform_credential
from datasurface.model.infrastructure import Container, Credential, EmbeddedPostgres, SqliteDatabase
from datasurface.model.platform import Environment, YellowPlatform
from datasurface.model.vocabulary import TaskKind
from datasurface.names import platform_schema

__all__ = ["Use", "chosen", "credentials", "embedded", "files", "runs_pods", "shared", "uses"]

_LIMIT = 63
_WITH_PODS = frozenset({"Aws", "Kubernetes"})


@dataclass(frozen=True, slots=True)
class Use:
    """A database that an environment's jobs use.

    Attributes:
        name: What the model calls the container that is replaced, or the container itself.
        container: What is used in its place.
        user: What uses it, in words.
        credential: How jobs log in.
    """

    name: str
    container: Container
    user: str
    credential: Credential | None


def embedded(scope: Scope) -> Iterator[Finding]:
    """DS-E001 and DS-E003: no embedded database is left in an environment that is deployed, or serves production."""
    for environment in chosen(scope):
        if not (environment.deployments or environment.production):
            continue
        for use in uses(scope, environment):
            if not isinstance(use.container, EmbeddedPostgres):
                continue
            code, why = ("DS-E001", "is deployed") if environment.deployments else ("DS-E003", "serves production")
            message = f"{use.user} uses the embedded database {shown(use.container.name)}, but the environment {why}"
            hint = f'put a database of your own in its place: containers={{"{use.name}": PostgresDatabase(…)}}'
            yield finding(code, environment, _path(environment), message, hint)


def files(scope: Scope) -> Iterator[Finding]:
    """DS-E002: no file of this machine is read where jobs run elsewhere.

    A relative path starts in the model folder, which no deployed job has. An absolute one may be in the image.
    """
    for environment in chosen(scope):
        for use in uses(scope, environment) if environment.deployments else ():
            if not isinstance(use.container, SqliteDatabase):
                continue
            relative = not PurePath(use.container.path).is_absolute()
            message = f"{use.user} reads the file {use.container.path!r} of {shown(use.container.name)}" + (
                " in the model folder, which deployed jobs do not have"
                if relative
                else ", which has to be in the image of the jobs"
            )
            hint = f'put a database that jobs can reach in its place: containers={{"{use.name}": …}}'
            severity = Severity.ERROR if relative else Severity.WARNING
            yield finding("DS-E002", environment, _path(environment), message, hint, severity=severity)


def shared(scope: Scope) -> Iterator[Finding]:
    """DS-E004: no two environments have the same platform in the same database.

    Two embedded databases of one name are one only on one machine, where the second `apply` is refused.
    """
    taken: dict[tuple[object, ...], str] = {}
    for environment in _chosen_first(scope):
        for platform in _platforms(scope, environment):
            place = _place(platform.container, scope.declared.name)
            schema = platform_schema(platform.name, _LIMIT)
            other = environment.name if place is None else taken.setdefault((*place, schema), environment.name)
            if other == environment.name or (scope.environment not in (None, other)):
                continue
            message = (
                f"platform {shown(platform.name)} would have its tables in {shown(platform.container.name)}, "
                f"schema {schema}, where environment {shown(other)} has them too"
            )
            hint = "give each environment a database of its own"
            own = isinstance(platform.container, EmbeddedPostgres)
            severity = Severity.INFO if own else Severity.ERROR
            yield finding("DS-E004", environment, _path(environment), message, hint, severity=severity)


def credentials(scope: Scope) -> Iterator[Finding]:
    """DS-E005: deployed jobs are told how to log in; the defaults of a driver are those of this machine."""
    for environment in chosen(scope):
        for use in uses(scope, environment) if environment.deployments else ():
            if use.credential is None and not isinstance(use.container, EmbeddedPostgres | SqliteDatabase):
                message = f"{use.user} logs in to {shown(use.container.name)} without a credential"
                hint = 'name one: credential="…" of the container, the capture or the platform'
                yield finding("DS-E005", environment, _path(environment), message, hint)


def runs_pods(environment: Environment) -> bool:
    """Tell whether an environment's jobs are pods, which can have an identity of their own."""
    kinds = {type(deployment).__name__ for deployment in environment.deployments}
    processes = any(isinstance(d, Airflow) and d.tasks is TaskKind.PROCESS for d in environment.deployments)
    return bool(kinds & _WITH_PODS) and not processes


def chosen(scope: Scope) -> list[Environment]:
    """Return the environment that binds the model, or all of them."""
    return [e for e in scope.declared.environments if scope.environment in (None, e.name)]


def _chosen_first(scope: Scope) -> list[Environment]:
    """Return all environments, the one that binds the model before the others, which are compared with it."""
    return sorted(scope.declared.environments, key=lambda e: (e.name != scope.environment, e.name))


def _path(environment: Environment) -> str:
    return step("", "environment", environment.name)


def _platforms(scope: Scope, environment: Environment) -> Iterator[YellowPlatform]:
    """Yield the platforms that move data, as the environment has them."""
    for platform in scope.declared.platforms:
        found = stand_in_platform(environment, platform)
        if isinstance(found, YellowPlatform):
            yield found


def uses(scope: Scope, environment: Environment) -> Iterator[Use]:
    """Yield the merge database of each platform, and the source of each datastore that somebody consumes."""
    declared = {p.name: p for p in scope.declared.platforms}
    for platform in _platforms(scope, environment):
        before = declared[platform.name]
        name = before.container.name if isinstance(before, YellowPlatform) else platform.container.name
        yield Use(name, platform.container, f"platform {shown(platform.name)}", platform_credential(platform))
    seen: set[str] = set()
    consumed = {stream.datastore.name for stream in scope.graph.streams}
    for placed in all_datastores(scope.declared):
        store = placed.datastore
        if store.capture is None or store.name not in consumed or store.name in seen:
            continue
        seen.add(store.name)
        container = stand_in(environment, store.capture.container)
        credential = capture_credential(replaced(store, capture=replaced(store.capture, container=container)))
        yield Use(store.capture.container.name, container, f"datastore {shown(store.name)}", credential)


def _place(container: Container, ecosystem: str) -> tuple[object, ...] | None:
    """Return what two containers have in common if they are one database; None where that cannot be told."""
    if isinstance(container, EmbeddedPostgres):
        return ("embedded", container.name, embedded_database(container, ecosystem))
    host, database = getattr(container, "host", None), getattr(container, "database", None)
    if not isinstance(host, str):
        return None
    return (host.lower().rstrip("."), getattr(container, "port", None), database)
