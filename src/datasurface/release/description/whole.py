"""Describe a whole model: the ecosystem, its zones and teams with what they have, platforms, vendors, environments."""

from __future__ import annotations

from datasurface.model.ecosystem import Ecosystem, GovernanceZone, Team
from datasurface.model.effective import owner_of_team, owner_of_zone, platform_credential
from datasurface.model.infrastructure import Container, Vendor
from datasurface.model.ownership import Repository
from datasurface.model.platform import Environment, Platform, YellowPlatform
from datasurface.model.policy import Policy
from datasurface.model.release_address import parse_address
from datasurface.model.secret_stores import store_label
from datasurface.release.bind import Binding, binding_of, replaced
from datasurface.release.description.base import Described, Fact
from datasurface.release.description.consumers import describe_workspace
from datasurface.release.description.producers import describe_datastore
from datasurface.release.records.base import repository_text
from datasurface.release.system import with_system

__all__ = ["describe"]


def describe(ecosystem: Ecosystem, *, environment: str | None = None) -> Described:
    """Return the model as a tree.

    Raises:
        ConfigurationError: the model has no environment of that name.
    """
    binding = binding_of(ecosystem, environment)
    ecosystem = with_system(ecosystem, always=True)
    return Described(
        kind="ecosystem",
        name=ecosystem.name,
        reference=ecosystem.name,
        noun=ecosystem,
        facts={"owner": _owner(ecosystem.owner, inherited=False), "doc": Fact(ecosystem.doc or None)},
        children=[
            *[_zone(ecosystem, zone, binding) for zone in ecosystem.zones],
            *[_platform(binding.platform(platform), binding) for platform in ecosystem.platforms],
            *[_vendor(vendor) for vendor in ecosystem.vendors],
            *[_environment(own) for own in ecosystem.environments],
        ],
    )


def _owner(owner: Repository, *, inherited: bool) -> Fact:
    return Fact(f"{repository_text(owner)}:{getattr(owner, 'branch', '')}", inherited=inherited)


def _zone(ecosystem: Ecosystem, zone: GovernanceZone, binding: Binding) -> Described:
    return Described(
        kind="zone",
        name=zone.name,
        reference=zone.name,
        noun=zone,
        facts={
            "owner": _owner(owner_of_zone(ecosystem, zone), inherited=zone.owner is None),
            "doc": Fact(zone.doc or None),
        },
        children=[
            *[_policy(zone, policy) for policy in zone.policies],
            *[_team(ecosystem, zone, team, binding) for team in zone.teams],
        ],
    )


def _policy(zone: GovernanceZone, policy: Policy) -> Described:
    name = type(policy).__name__
    doc = Fact(str(getattr(policy, "doc", "")) or None)
    return Described(kind="policy", name=name, reference=f"{zone.name}.{name}", noun=policy, facts={"doc": doc})


def _team(ecosystem: Ecosystem, zone: GovernanceZone, team: Team, binding: Binding) -> Described:
    owner = owner_of_team(ecosystem, zone, team)
    own, inherited = _owner(owner, inherited=team.owner is None), _owner(owner, inherited=True)
    return Described(
        kind="team",
        name=team.name,
        reference=team.name,
        noun=team,
        facts={"owner": own, "doc": Fact(team.doc or None)},
        children=[
            *[describe_datastore(datastore, binding, inherited) for datastore in team.datastores],
            *[describe_workspace(workspace, binding, inherited) for workspace in team.workspaces],
        ],
    )


def _platform(platform: Platform, binding: Binding) -> Described:
    own = getattr(platform, "container", None)
    container = binding.container(own) if isinstance(own, Container) else None
    facts = {
        "platform": Fact(type(platform).__name__),
        "container": Fact(container.name if container else None),
        "database": Fact(getattr(container, "database", None), inherited=container is not own),
    }
    if isinstance(platform, YellowPlatform):
        credential = platform_credential(replaced(platform, container=container))
        facts |= {
            "credential": Fact(
                credential.name if credential else None,
                inherited=credential is not None and platform.credential is None,
            ),
            "histories": Fact(tuple([h.value for h in platform.histories])),
            "keep_batches": Fact(platform.keep_batches),
            "secrets": Fact(
                tuple([store_label(choice) for choice in binding.secrets(platform)]), inherited=platform.secrets is None
            ),
        }
    facts["doc"] = Fact(str(getattr(platform, "doc", "")) or None)
    return Described(kind="platform", name=platform.name, reference=platform.name, noun=platform, facts=facts)


def _vendor(vendor: Vendor) -> Described:
    facts = {"cloud": Fact(vendor.cloud.value), "locations": Fact(tuple(vendor.locations))}
    return Described(kind="vendor", name=vendor.name, reference=vendor.name, noun=vendor, facts=facts)


def _store(environment: Environment) -> str | None:
    """Return where releases come from, as far as it can be understood."""
    if environment.release_store is None:
        return None
    try:
        return str(parse_address(environment.release_store))
    except ValueError:
        return None


def _environment(environment: Environment) -> Described:
    return Described(
        kind="environment",
        name=environment.name,
        reference=environment.name,
        noun=environment,
        facts={
            "production": Fact(environment.production),
            "releases": Fact(environment.releases),
            "release_store": Fact(_store(environment)),
            "containers": Fact(tuple([f"{name}={c.name}" for name, c in environment.containers.items()])),
            "platforms": Fact(tuple([p.name for p in environment.platforms])),
        },
    )
