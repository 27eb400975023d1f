"""What a model means where it says nothing: inherited owners and credentials, parsed durations, walks over the whole.

Fields stay as declared; everything inherited is computed here, by pure functions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from datasurface.model.datastore import Datastore
from datasurface.model.ecosystem import Ecosystem, GovernanceZone, Team
from datasurface.model.infrastructure import Container, Credential, CredentialLike, EmbeddedPostgres
from datasurface.model.ownership import Repository
from datasurface.model.platform import YellowPlatform
from datasurface.model.schema import Dataset
from datasurface.model.workspace import DatasetGroup, DatasetSink, Reader, Workspace

__all__ = [
    "PlacedDatastore",
    "PlacedWorkspace",
    "access_ends",
    "all_containers",
    "all_datastores",
    "all_workspaces",
    "capture_credential",
    "credential_of",
    "duration",
    "embedded_database",
    "names_login",
    "owner_of_team",
    "owner_of_zone",
    "platform_credential",
    "readers_of",
    "sinks_of",
    "source_of",
    "split_reference",
]

_UNITS = {
    "second": timedelta(seconds=1),
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
    "month": timedelta(days=31),
    "year": timedelta(days=366),
}
_DURATION = re.compile(r"\s*(\d{1,18})\s*([a-z]+?)s?\s*\Z")


@dataclass(frozen=True, slots=True)
class PlacedDatastore:
    """A datastore and where it stands; `workspace` is set for a transformer's output."""

    zone: GovernanceZone
    team: Team
    datastore: Datastore
    workspace: Workspace | None = None


@dataclass(frozen=True, slots=True)
class PlacedWorkspace:
    """A workspace and where it stands."""

    zone: GovernanceZone
    team: Team
    workspace: Workspace


def all_datastores(ecosystem: Ecosystem) -> Iterator[PlacedDatastore]:
    """Yield every datastore, transformers' outputs included, in the order of declaration."""
    for zone in ecosystem.zones:
        for team in zone.teams:
            for datastore in team.datastores:
                yield PlacedDatastore(zone, team, datastore)
            for workspace in team.workspaces:
                if workspace.transformer is not None:
                    yield PlacedDatastore(zone, team, workspace.transformer.output, workspace)


def all_workspaces(ecosystem: Ecosystem) -> Iterator[PlacedWorkspace]:
    """Yield every workspace, in the order of declaration."""
    for zone in ecosystem.zones:
        for team in zone.teams:
            for workspace in team.workspaces:
                yield PlacedWorkspace(zone, team, workspace)


def all_containers(ecosystem: Ecosystem) -> Iterator[Container]:
    """Yield every container that the model mentions, as often as it does."""
    for platform in ecosystem.platforms:
        container = getattr(platform, "container", None)
        if isinstance(container, Container):
            yield container
        if isinstance(platform, YellowPlatform):
            yield from (replica.container for replica in platform.replicas)
    for placed in all_datastores(ecosystem):
        if placed.datastore.capture is not None:
            yield placed.datastore.capture.container
    for workspace in all_workspaces(ecosystem):
        if workspace.workspace.container is not None:
            yield workspace.workspace.container


def owner_of_zone(ecosystem: Ecosystem, zone: GovernanceZone) -> Repository:
    """Return who owns `zone`: itself says, or the ecosystem."""
    return zone.owner or ecosystem.owner


def owner_of_team(ecosystem: Ecosystem, zone: GovernanceZone, team: Team) -> Repository:
    """Return who owns `team` and all its datastores and workspaces."""
    return team.owner or owner_of_zone(ecosystem, zone)


def credential_of(value: CredentialLike) -> Credential | None:
    """Return a credential field as the instance that construction made of it."""
    return Credential(value) if isinstance(value, str) else value


def capture_credential(datastore: Datastore) -> Credential | None:
    """Return the credential a datastore is read with: its capture's, else its container's, else None."""
    if datastore.capture is None:
        return None
    own = credential_of(datastore.capture.credential)
    return own or credential_of(getattr(datastore.capture.container, "credential", None))


def platform_credential(platform: YellowPlatform) -> Credential | None:
    """Return the credential of a platform's merge database: its own, else its container's, else None."""
    return credential_of(platform.credential) or credential_of(getattr(platform.container, "credential", None))


def embedded_database(container: EmbeddedPostgres, ecosystem: str) -> str:
    """Return the database of an embedded server: the one it names, else the ecosystem's."""
    return container.database or ecosystem


def sinks_of(group: DatasetGroup) -> tuple[DatasetSink, ...]:
    """Return a group's sinks as the instances that construction made of them."""
    return tuple([s for s in group.sinks if isinstance(s, DatasetSink)])


def readers_of(workspace: Workspace) -> tuple[Reader, ...]:
    """Return a workspace's readers as the instances that construction made of them."""
    return tuple([r for r in workspace.readers if isinstance(r, Reader)])


_PERSON = re.compile(r"[A-Za-z0-9_.@-]{1,40}")


def names_login(person: str) -> bool:
    """Tell whether a login can be made for a person of that name."""
    return _PERSON.fullmatch(person) is not None


def access_ends(until: str) -> datetime | None:
    """Return the moment, in UTC, from which access is over; None if the text is no ISO date or time.

    A date means the end of that day; a time without zone is taken as UTC.
    """
    try:
        if len(until) == len("2027-01-31"):
            return datetime.combine(date.fromisoformat(until) + timedelta(days=1), time(), UTC)
        moment = datetime.fromisoformat(until)
    except (ValueError, OverflowError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def split_reference(reference: str) -> tuple[str, str] | None:
    """Return `(store, dataset)` of `"store.dataset"`, or None if the text has another form."""
    store, dot, dataset = reference.partition(".")
    return (store, dataset) if dot and store and dataset and "." not in dataset else None


def source_of(dataset: Dataset, default_schema: str | None) -> tuple[str | None, str]:
    """Return the physical `(schema, table)` of a dataset at its source."""
    if isinstance(dataset.source, str):
        return default_schema, dataset.source
    schema, table = dataset.source
    return schema, table


def duration(text: str) -> timedelta | None:
    """Return the length of `"5 minutes"` or `"7 years"`, or None if the text is no positive duration.

    A month counts 31 days and a year 366, so that what must be kept is never kept too short.
    """
    match = _DURATION.match(text)
    if match is None or match[2] not in _UNITS or int(match[1]) == 0:
        return None
    try:
        return int(match[1]) * _UNITS[match[2]]
    except OverflowError:
        return None
