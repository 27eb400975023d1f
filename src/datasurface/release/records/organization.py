"""Records of the ecosystem, its zones and teams, policies and environments."""

from __future__ import annotations

from collections.abc import Iterator

from datasurface.model.base import Noun, field_names
from datasurface.model.classification import Classification
from datasurface.model.ecosystem import Ecosystem, GovernanceZone
from datasurface.model.effective import owner_of_team, owner_of_zone
from datasurface.model.infrastructure import Container
from datasurface.model.platform import Environment
from datasurface.model.policy import Policy
from datasurface.model.secret_stores import store_label
from datasurface.release.records.base import Record, Value, classifications, declared, joined, joined_or_none, owned
from datasurface.release.tables import (
    EcosystemRow,
    EnvironmentBindingRow,
    EnvironmentRow,
    OwnerRow,
    PolicyRow,
    TeamRow,
    ZoneRow,
)

__all__ = ["organization_records", "owner_records"]


def organization_records(ecosystem: Ecosystem) -> Iterator[Record]:
    """Yield who is who."""
    own = owned(ecosystem.owner, inherited=False)
    yield EcosystemRow, {"name": ecosystem.name, "doc": ecosystem.doc, **own, **declared(ecosystem)}
    for zone in ecosystem.zones:
        yield from _zone(ecosystem, zone)
    for environment in ecosystem.environments:
        yield from _environment(environment)


def _zone(ecosystem: Ecosystem, zone: GovernanceZone) -> Iterator[Record]:
    owner = owned(owner_of_zone(ecosystem, zone), inherited=zone.owner is None)
    yield ZoneRow, {"name": zone.name, "doc": zone.doc, **owner, **declared(zone)}
    for team in zone.teams:
        owner = owned(owner_of_team(ecosystem, zone, team), inherited=team.owner is None)
        yield TeamRow, {"zone": zone.name, "name": team.name, "doc": team.doc, **owner, **declared(team)}
    for position, policy in enumerate(zone.policies, start=1):
        yield (
            PolicyRow,
            {
                "zone": zone.name,
                "position": position,
                "kind": type(policy).__name__,
                "conditions": _conditions(policy),
                "doc": str(getattr(policy, "doc", "")),
                **declared(policy, zone),
            },
        )


def owner_records(ecosystem: Ecosystem) -> Iterator[Record]:
    """Yield who owns what."""
    yield _owner("ecosystem", ecosystem.name, owned(ecosystem.owner, inherited=False))
    for zone in ecosystem.zones:
        of_zone = owner_of_zone(ecosystem, zone)
        yield _owner("zone", zone.name, owned(of_zone, inherited=zone.owner is None))
        for team in zone.teams:
            of_team = owner_of_team(ecosystem, zone, team)
            yield _owner("team", f"{zone.name}/{team.name}", owned(of_team, inherited=team.owner is None))
            inherited = owned(of_team, inherited=True)
            outputs = [w.transformer.output for w in team.workspaces if w.transformer]
            yield from (_owner("datastore", store.name, inherited) for store in (*team.datastores, *outputs))
            yield from (_owner("workspace", workspace.name, inherited) for workspace in team.workspaces)


def _owner(kind: str, name: str, owner: dict[str, Value]) -> Record:
    return OwnerRow, {"kind": kind, "name": name, **owner}


def _conditions(policy: Policy) -> str:
    values = [getattr(policy, name) for name in field_names(type(policy)) if name != "doc"]
    return joined(text for value in values for text in _texts(value))


def _texts(value: object) -> list[str]:
    if isinstance(value, tuple):
        return [text for item in value for text in _texts(item)]
    if isinstance(value, Classification):
        return [classifications([value])]
    return [value.to_json() if isinstance(value, Noun) else str(value)]


def _environment(environment: Environment) -> Iterator[Record]:
    yield (
        EnvironmentRow,
        {
            "name": environment.name,
            "production": environment.production,
            "releases": environment.releases,
            "secrets": joined_or_none(None if environment.secrets is None else map(store_label, environment.secrets)),
            **declared(environment),
        },
    )
    bound = [("container", name, container, container) for name, container in environment.containers.items()]
    platforms = [("platform", p.name, getattr(p, "container", None), p) for p in environment.platforms]
    for kind, name, container, place in (*bound, *platforms):
        yield (
            EnvironmentBindingRow,
            {
                "environment": environment.name,
                "kind": kind,
                "name": name,
                "container": container.name if isinstance(container, Container) else None,
                **declared(place, environment),
            },
        )
