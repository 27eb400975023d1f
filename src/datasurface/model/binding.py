"""A model on the databases of an environment: what stands in for what, and the model with all of it put in place.

Pure. What stands in is taken as it is: one that has the name of something else that is replaced is not replaced itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from datasurface.model.base import Noun, replaced
from datasurface.model.datastore import Datastore
from datasurface.model.ecosystem import Ecosystem, GovernanceZone, Team
from datasurface.model.infrastructure import Container
from datasurface.model.platform import Environment, LegacyPlatform, Platform, YellowPlatform
from datasurface.model.workspace import Workspace

__all__ = ["bound", "environment_of", "stand_in", "stand_in_platform"]

_N = TypeVar("_N", bound=Noun)


def environment_of(ecosystem: Ecosystem, name: str | None) -> Environment | None:
    """Return the environment of that name, or None if the model has none."""
    return next((e for e in ecosystem.environments if e.name == name), None)


def stand_in(environment: Environment, container: Container) -> Container:
    """Return what stands in for a container of the model, or the container itself."""
    return environment.containers.get(container.name, container)


def stand_in_platform(environment: Environment, platform: Platform) -> Platform:
    """Return what stands in for a platform of the model, or the platform itself, on what stands in for its database."""
    found = next((p for p in environment.platforms if p.name == platform.name), platform)
    if isinstance(found, LegacyPlatform):
        return found if found.container is None else _placed(found, environment)
    if not isinstance(found, YellowPlatform):
        return found
    replicas = _each(found.replicas, lambda replica: _placed(replica, environment))
    return _changed(_placed(found, environment), replicas=replicas)


def bound(ecosystem: Ecosystem, environment: Environment | None) -> Ecosystem:
    """Return the model with everything that stands in put in place; itself if nothing is replaced."""
    if environment is None or not (environment.containers or environment.platforms):
        return ecosystem
    return _changed(
        ecosystem,
        platforms=_each(ecosystem.platforms, lambda platform: stand_in_platform(environment, platform)),
        zones=_each(ecosystem.zones, lambda zone: _zone(zone, environment)),
    )


def _zone(zone: GovernanceZone, environment: Environment) -> GovernanceZone:
    return _changed(zone, teams=_each(zone.teams, lambda team: _team(team, environment)))


def _team(team: Team, environment: Environment) -> Team:
    return _changed(
        team,
        datastores=_each(team.datastores, lambda datastore: _datastore(datastore, environment)),
        workspaces=_each(team.workspaces, lambda workspace: _workspace(workspace, environment)),
    )


def _datastore(datastore: Datastore, environment: Environment) -> Datastore:
    capture = datastore.capture
    return datastore if capture is None else _changed(datastore, capture=_placed(capture, environment))


def _workspace(workspace: Workspace, environment: Environment) -> Workspace:
    return workspace if workspace.container is None else _placed(workspace, environment)


def _placed(holder: _N, environment: Environment) -> _N:
    """Return something that has a container with what stands in for it."""
    container: Container = getattr(holder, "container")  # noqa: B009 - nouns of several classes have one
    return _changed(holder, container=stand_in(environment, container))


def _each(nouns: Iterable[_N], change: Callable[[_N], _N]) -> tuple[_N, ...]:
    return tuple([change(noun) for noun in nouns])


def _changed(noun: _N, **values: object) -> _N:
    """Return a noun with other values, or itself if they are its own: only what is touched is made again."""
    same = all(_same(getattr(noun, name), value) for name, value in values.items())
    return noun if same else replaced(noun, **values)


def _same(old: object, new: object) -> bool:
    if isinstance(old, tuple) and isinstance(new, tuple):
        return len(old) == len(new) and all(a is b for a, b in zip(old, new, strict=True))
    return old is new
