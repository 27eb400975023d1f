"""Where pods of a cluster may connect to: whatever an environment's jobs need has a place that a policy can name."""

from __future__ import annotations

from collections.abc import Iterator

from datasurface.govern.paths import shown, step
from datasurface.govern.report import Finding, finding
from datasurface.govern.rules.environments import chosen, uses
from datasurface.govern.scope import Scope
from datasurface.model.airflow import Airflow
from datasurface.model.deployment import Aws
from datasurface.model.infrastructure import Container, EmbeddedPostgres, SqliteDatabase
from datasurface.model.kubernetes import Kubernetes
from datasurface.model.places import place_of_container, place_of_service
from datasurface.model.platform import Environment, YellowPlatform
from datasurface.model.secret_stores import DEFAULT_STORES, kind_of_store

__all__ = ["places"]

_CLOUDS = frozenset({"aws", "azure"})
_WORDS = {
    "airflow_database": "Airflow's own database",
    "api_server": "the Kubernetes API",
    "release_store": "the release store",
    "secret_store": "the secret store",
}


def places(scope: Scope) -> Iterator[Finding]:
    """DS-L004: network policies can name what jobs connect to; what nobody has said is not let through."""
    for environment in chosen(scope):
        cluster = next((each for each in environment.deployments if isinstance(each, Kubernetes)), None)
        if cluster is None:
            continue
        aws = next((each for each in environment.deployments if isinstance(each, Aws)), None)
        path = step("", "environment", environment.name)
        for container in _containers(scope, environment):
            if place_of_container(container, cluster, aws) is None:
                message = f"nothing tells where {shown(container.name)} is, and pods reach only what is told"
                hint = f'Kubernetes(egress={{"{container.name}": Egress(["10.1.2.0/24"])}})'
                yield finding("DS-L004", cluster, path, message, hint, holder=environment)
        for name in sorted(_services(scope, environment, cluster)):
            if place_of_service(name, cluster, aws) is None:
                message = f"nothing tells where {_WORDS[name]} is, and pods reach only what is told"
                hint = f'Kubernetes({name}=Egress(["10.1.2.0/24"]))'
                yield finding("DS-L004", cluster, path, message, hint, holder=environment)


def _containers(scope: Scope, environment: Environment) -> list[Container]:
    """Return the containers that jobs connect to, each once; what is no server is found by other rules."""
    found = {use.container.name: use.container for use in uses(scope, environment)}
    return [each for each in found.values() if not isinstance(each, EmbeddedPostgres | SqliteDatabase)]


def _services(scope: Scope, environment: Environment, cluster: Kubernetes) -> set[str]:
    """Return which services an environment's jobs, its Airflow and its servers need."""
    platforms = {
        p.name: p for p in (*scope.declared.platforms, *environment.platforms) if isinstance(p, YellowPlatform)
    }
    stores = {
        kind_of_store(choice)
        for platform in platforms.values()
        for choice in (environment.secrets or platform.secrets or DEFAULT_STORES)
    }
    airflow = any(isinstance(each, Airflow) for each in environment.deployments)
    found = {"airflow_database", "api_server"} if airflow else set[str]()
    if stores & _CLOUDS:
        found.add("secret_store")
    elif "kubernetes" in stores:
        found.add("api_server")
    if cluster.postgres is not None:
        found.add("api_server")
    if environment.releases is not None and environment.release_store is not None:
        found.add("release_store")
    return found
