"""Tables of who is who: the release itself, the ecosystem, its zones and teams, policies and environments."""

from __future__ import annotations

from typing import ClassVar

from sqlalchemy.orm import Mapped, mapped_column

from datasurface.release.tables.base import Declared, Owned, Table, documentation

__all__ = [
    "EcosystemRow",
    "EnvironmentBindingRow",
    "EnvironmentRow",
    "OwnerRow",
    "PolicyRow",
    "ReleaseRow",
    "TeamRow",
    "ZoneRow",
]


class ReleaseRow(Table):
    """This release: one row."""

    __tablename__ = "release"
    published: ClassVar[str] = "release"

    digest: Mapped[str] = mapped_column(primary_key=True, comment="SHA-256 of the release's content, in hex.")
    ecosystem: Mapped[str] = mapped_column(comment="The ecosystem's name.")
    environment: Mapped[str | None] = mapped_column(comment="What binds it; NULL for the model as it is.")
    format: Mapped[int] = mapped_column(comment="The version of what a release holds.")


class EcosystemRow(Owned, Declared, Table):
    """The ecosystem: one row."""

    __tablename__ = "ecosystem"
    published: ClassVar[str] = "ecosystem"

    name: Mapped[str] = mapped_column(primary_key=True, comment="Its name.")
    doc: Mapped[str] = documentation()


class ZoneRow(Owned, Declared, Table):
    """Governance zones."""

    __tablename__ = "zone"
    published: ClassVar[str] = "zones"

    name: Mapped[str] = mapped_column(primary_key=True, comment="Unique in the ecosystem.")
    doc: Mapped[str] = documentation()


class TeamRow(Owned, Declared, Table):
    """Teams of the zones."""

    __tablename__ = "team"
    published: ClassVar[str] = "teams"

    zone: Mapped[str] = mapped_column(primary_key=True, comment="Refers to `zone.name`.")
    name: Mapped[str] = mapped_column(primary_key=True, comment="Unique in the zone.")
    doc: Mapped[str] = documentation()


class OwnerRow(Table):
    """Who owns what, for every object that has an owner, inherited or its own."""

    __tablename__ = "owner"
    published: ClassVar[str] = "owners"

    kind: Mapped[str] = mapped_column(
        primary_key=True, comment="`ecosystem`, `zone`, `team`, `datastore` or `workspace`."
    )
    name: Mapped[str] = mapped_column(primary_key=True, comment="The object's name; a team's is `zone/team`.")
    owner_kind: Mapped[str] = mapped_column(comment="Such as `GitHubRepository`.")
    owner: Mapped[str] = mapped_column(comment="The repository: `owner/name`, a URL or a path.")
    owner_branch: Mapped[str] = mapped_column(comment="Its branch.")
    owner_inherited: Mapped[bool] = mapped_column(comment="Whether the owner is the parent's.")


class PolicyRow(Declared, Table):
    """Policies of the zones; all of a zone's hold for all that it owns."""

    __tablename__ = "policy"
    published: ClassVar[str] = "policies"

    zone: Mapped[str] = mapped_column(primary_key=True, comment="Refers to `zone.name`.")
    position: Mapped[int] = mapped_column(primary_key=True, comment="Its place in the zone, from 1.")
    kind: Mapped[str] = mapped_column(comment="Such as `ForbiddenClassifications`.")
    conditions: Mapped[str] = mapped_column(comment="What it allows, forbids or requires, joined by `, `.")
    doc: Mapped[str] = documentation()


class EnvironmentRow(Declared, Table):
    """Environments: the same model on other databases."""

    __tablename__ = "environment"
    published: ClassVar[str] = "environments"

    name: Mapped[str] = mapped_column(primary_key=True, comment="Its name.")
    production: Mapped[bool] = mapped_column(comment="Whether it serves production.")
    releases: Mapped[str | None] = mapped_column(comment="Which tags or branches reach it, as a pattern.")
    secrets: Mapped[str | None] = mapped_column(comment="The secret stores, in order, joined by `, `.")


class EnvironmentBindingRow(Declared, Table):
    """What stands in for what in an environment."""

    __tablename__ = "environment_binding"
    published: ClassVar[str] = "environment_bindings"

    environment: Mapped[str] = mapped_column(primary_key=True, comment="Refers to `environment.name`.")
    kind: Mapped[str] = mapped_column(primary_key=True, comment="`container` or `platform`.")
    name: Mapped[str] = mapped_column(primary_key=True, comment="What is replaced: its name in the model.")
    container: Mapped[str | None] = mapped_column(comment="The container that stands in, or the platform's.")
