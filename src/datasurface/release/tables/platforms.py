"""Tables of what runs the pipelines: platforms, their replicas, and the rules that assign groups to them."""

from __future__ import annotations

from typing import ClassVar

from sqlalchemy.orm import Mapped, mapped_column

from datasurface.release.tables.base import Declared, Table, documentation

__all__ = ["AssignmentRow", "PlatformRow", "ReplicaRow"]


class PlatformRow(Declared, Table):
    """Platforms, as the environment binds them."""

    __tablename__ = "platform"
    published: ClassVar[str] = "platforms"

    name: Mapped[str] = mapped_column(primary_key=True, comment="Unique in the ecosystem.")
    kind: Mapped[str] = mapped_column(comment="Such as `YellowPlatform`.")
    container: Mapped[str | None] = mapped_column(comment="The merge database; refers to `container.name`.")
    credential: Mapped[str | None] = mapped_column(comment="What it logs in with, its own or its container's.")
    histories: Mapped[str] = mapped_column(comment="What kinds of history it serves, joined by `, `.")
    keep_batches: Mapped[int | None] = mapped_column(comment="For how many batches deltas are kept; -1 for all.")
    secrets: Mapped[str | None] = mapped_column(comment="The secret stores it asks, in order, joined by `, `.")
    locations: Mapped[str] = mapped_column(comment="References to `location.reference`, joined by `, `.")
    doc: Mapped[str] = documentation()


class ReplicaRow(Declared, Table):
    """Copies of what some workspaces need, on another database."""

    __tablename__ = "replica"
    published: ClassVar[str] = "replicas"

    platform: Mapped[str] = mapped_column(primary_key=True, comment="Refers to `platform.name`.")
    name: Mapped[str] = mapped_column(primary_key=True, comment="Unique on the platform.")
    container: Mapped[str] = mapped_column(comment="Refers to `container.name`.")
    workspaces: Mapped[str] = mapped_column(comment="Whom it serves, joined by `, `.")
    every: Mapped[str] = mapped_column(comment="How often it is brought up to date.")


class AssignmentRow(Declared, Table):
    """Rules: which platform serves what (`Assign`), and which alone reads what (`PrimaryIngestion`)."""

    __tablename__ = "assignment"
    published: ClassVar[str] = "assignments"

    position: Mapped[int] = mapped_column(primary_key=True, comment="Its place in the ecosystem, from 1.")
    kind: Mapped[str] = mapped_column(comment="`Assign` or `PrimaryIngestion`.")
    platform: Mapped[str] = mapped_column(comment="Refers to `platform.name`.")
    workspace: Mapped[str | None] = mapped_column(comment="Only this workspace's groups; NULL for any.")
    group_name: Mapped[str | None] = mapped_column(comment="Only groups of this name; NULL for any.")
    history: Mapped[str | None] = mapped_column(comment="Only groups with this history; NULL for any.")
    zone: Mapped[str | None] = mapped_column(comment="Only this zone's groups; NULL for any.")
    status: Mapped[str | None] = mapped_column(comment="Where the platform is in its service of them.")
    datastores: Mapped[str | None] = mapped_column(comment="What the primary reads, joined by `, `.")
