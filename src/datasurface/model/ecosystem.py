"""The root of a model, its zones and its teams."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field

from datasurface.model.base import Noun, noun
from datasurface.model.datastore import Datastore
from datasurface.model.infrastructure import Vendor
from datasurface.model.ownership import Repository
from datasurface.model.platform import Assign, Environment, Platform, PrimaryIngestion
from datasurface.model.policy import Policy
from datasurface.model.workspace import Workspace

__all__ = ["Ecosystem", "GovernanceZone", "SystemZone", "Team"]


@noun
class Team(Noun):
    """People who produce and consume; `owner` is inherited from the zone."""

    name: str = field(kw_only=False)
    owner: Repository | None = None
    datastores: Sequence[Datastore] = ()
    workspaces: Sequence[Workspace] = ()
    doc: str = ""


@noun
class GovernanceZone(Noun):
    """A part of the ecosystem with rules of its own; `owner` is inherited from the ecosystem."""

    name: str = field(kw_only=False)
    owner: Repository | None = None
    policies: Sequence[Policy] = ()
    teams: Sequence[Team] = ()
    doc: str = ""


@noun
class SystemZone(GovernanceZone):
    """The zone that DataSurface itself adds to a model; no model declares it."""


@noun
class Ecosystem(Noun):
    """A whole model."""

    name: str = field(kw_only=False)
    owner: Repository
    zones: Sequence[GovernanceZone] = ()
    vendors: Sequence[Vendor] = ()
    platforms: Sequence[Platform] = ()
    environments: Sequence[Environment] = ()
    assignments: Sequence[Assign | PrimaryIngestion] = ()
    doc: str = ""
