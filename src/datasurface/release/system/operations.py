"""The tables of `datasurface_operations` and `datasurface_security`: what a platform did, declared once.

A platform keeps such facts for a while in tables of its own; consumers keep them as long as they want.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from sqlalchemy import Text
from sqlalchemy.orm import Mapped, mapped_column

from datasurface.release.system.base import SystemTable

__all__ = [
    "OPERATIONS",
    "SECURITY",
    "AccessChangeRow",
    "AuditRow",
    "BatchDatasetRow",
    "BatchRow",
    "CheckRow",
    "DeploymentRow",
    "FailureRow",
    "GrantRow",
    "LagRow",
]


_PLATFORM = "The platform that tells it."
_STREAM = "`datastore` or `datastore.dataset`."


class BatchRow(SystemTable):
    """Batches: every attempt to move a stream forward, except those of this datastore that went well."""

    __tablename__ = "batch"
    published: ClassVar[str] = "batches"

    platform: Mapped[str] = mapped_column(primary_key=True, comment=_PLATFORM)
    stream: Mapped[str] = mapped_column(primary_key=True, comment=_STREAM)
    batch_id: Mapped[int] = mapped_column(primary_key=True, comment="Its number in the stream, from 1.")
    state: Mapped[str] = mapped_column(comment="`open`, `staged`, `merged`, `parked`, `failed` or `abandoned`.")
    started_at: Mapped[datetime] = mapped_column(comment="When it began.")
    finished_at: Mapped[datetime | None] = mapped_column(comment="When it ended; NULL if it has not.")
    read_at: Mapped[datetime | None] = mapped_column(comment="The moment of the source that it read.")
    rows_read: Mapped[int] = mapped_column(comment="Rows read at the source.")
    inserted: Mapped[int] = mapped_column(comment="Rows that consumers see more.")
    updated: Mapped[int] = mapped_column(comment="Rows that consumers see changed.")
    deleted: Mapped[int] = mapped_column(comment="Rows that consumers do not see any longer.")
    release: Mapped[str] = mapped_column(comment="The digest of the release that was active.")
    error: Mapped[str | None] = mapped_column(Text, comment="Why it failed or was parked.")


class BatchDatasetRow(SystemTable):
    """The counts of those batches by dataset."""

    __tablename__ = "batch_dataset"
    published: ClassVar[str] = "batch_datasets"

    platform: Mapped[str] = mapped_column(primary_key=True, comment=_PLATFORM)
    stream: Mapped[str] = mapped_column(primary_key=True, comment=_STREAM)
    batch_id: Mapped[int] = mapped_column(primary_key=True, comment="Its number in the stream.")
    dataset: Mapped[str] = mapped_column(primary_key=True, comment="The dataset's name in its datastore.")
    rows_read: Mapped[int] = mapped_column(comment="Rows read at the source.")
    inserted: Mapped[int] = mapped_column(comment="Rows that consumers see more.")
    updated: Mapped[int] = mapped_column(comment="Rows that consumers see changed.")
    deleted: Mapped[int] = mapped_column(comment="Rows that consumers do not see any longer.")


class FailureRow(SystemTable):
    """Batches that published nothing: failed, parked, or given up."""

    __tablename__ = "failure"
    published: ClassVar[str] = "failures"

    platform: Mapped[str] = mapped_column(primary_key=True, comment=_PLATFORM)
    stream: Mapped[str] = mapped_column(primary_key=True, comment=_STREAM)
    batch_id: Mapped[int] = mapped_column(primary_key=True, comment="Its number in the stream.")
    state: Mapped[str] = mapped_column(comment="`failed`, `parked` or `abandoned`.")
    started_at: Mapped[datetime] = mapped_column(comment="When it began.")
    finished_at: Mapped[datetime | None] = mapped_column(comment="When it ended.")
    recovered: Mapped[bool] = mapped_column(comment="Whether a later batch of the stream was merged.")
    error: Mapped[str | None] = mapped_column(Text, comment="Why.")


class LagRow(SystemTable):
    """How far behind its source each stream is that the active release has, except this datastore's own."""

    __tablename__ = "lag"
    published: ClassVar[str] = "lag"

    platform: Mapped[str] = mapped_column(primary_key=True, comment=_PLATFORM)
    stream: Mapped[str] = mapped_column(primary_key=True, comment=_STREAM)
    datastore: Mapped[str] = mapped_column(comment="The datastore that it carries.")
    every: Mapped[str | None] = mapped_column(comment="Its schedule; NULL if it runs when its inputs have changed.")
    due_at: Mapped[datetime | None] = mapped_column(
        comment="When its source has to be read again; NULL if never by itself, or if it was never read."
    )
    read_at: Mapped[datetime | None] = mapped_column(comment="The moment of the source that consumers see.")
    changed_batch: Mapped[int | None] = mapped_column(comment="The last merged batch that changed a row.")
    late: Mapped[bool] = mapped_column(comment="Whether that was more than a minute overdue when this was written.")


class CheckRow(SystemTable):
    """Results of the data checks of each batch."""

    __tablename__ = "check"
    published: ClassVar[str] = "checks"

    platform: Mapped[str] = mapped_column(primary_key=True, comment=_PLATFORM)
    stream: Mapped[str] = mapped_column(primary_key=True, comment=_STREAM)
    batch_id: Mapped[int] = mapped_column(primary_key=True, comment="The batch whose rows were looked at.")
    dataset: Mapped[str] = mapped_column(primary_key=True, comment="The dataset's name in its datastore.")
    name: Mapped[str] = mapped_column(primary_key=True, comment="The check's name.")
    kind: Mapped[str] = mapped_column(comment="The class that declares it.")
    on_failure: Mapped[str] = mapped_column(comment="What comes of rows that do not pass: `park` or `warn`.")
    ok: Mapped[bool] = mapped_column(comment="Whether the rows passed.")
    failing: Mapped[int | None] = mapped_column(comment="How many rows did not.")
    detail: Mapped[str | None] = mapped_column(Text, comment="What was found.")


class AuditRow(SystemTable):
    """Results of audits: whether consumers' rows equal the source."""

    __tablename__ = "audit"
    published: ClassVar[str] = "audits"

    platform: Mapped[str] = mapped_column(primary_key=True, comment=_PLATFORM)
    stream: Mapped[str] = mapped_column(primary_key=True, comment=_STREAM)
    dataset: Mapped[str] = mapped_column(primary_key=True, comment="The dataset's name in its datastore.")
    ran_at: Mapped[datetime] = mapped_column(primary_key=True, comment="When it was looked at.")
    verified_through: Mapped[int] = mapped_column(comment="The last batch that it holds for.")
    ok: Mapped[bool] = mapped_column(comment="Whether nothing is wrong.")
    rows: Mapped[int] = mapped_column(comment="Rows compared.")
    wrong: Mapped[int] = mapped_column(comment="Rows that differ and should not.")
    changed_since: Mapped[int] = mapped_column(comment="Rows that differ because the source has moved on.")


class GrantRow(SystemTable):
    """Who may read what: every role that the database lets read a view of consumers, directly or as a member."""

    __tablename__ = "grant"
    published: ClassVar[str] = "grants"

    platform: Mapped[str] = mapped_column(primary_key=True, comment=_PLATFORM)
    grantee: Mapped[str] = mapped_column(primary_key=True, comment="The role, as the database names it.")
    view_schema: Mapped[str] = mapped_column(primary_key=True, comment="The view's schema.")
    view_name: Mapped[str] = mapped_column(primary_key=True, comment="The view.")
    through: Mapped[str] = mapped_column(
        primary_key=True, comment="The role that has the privilege: itself, one it is a member of, or `PUBLIC`."
    )
    datastore: Mapped[str] = mapped_column(comment="The datastore whose rows it shows.")
    dataset: Mapped[str] = mapped_column(comment="The dataset whose rows it shows.")
    columns: Mapped[str | None] = mapped_column(Text, comment="Only these, joined by `, `; NULL for all of the view.")
    can_login: Mapped[bool] = mapped_column(comment="Whether somebody can log in as the grantee.")


class DeploymentRow(SystemTable):
    """Releases that were made the active one."""

    __tablename__ = "deployment"
    published: ClassVar[str] = "deployments"

    platform: Mapped[str] = mapped_column(primary_key=True, comment=_PLATFORM)
    release: Mapped[str] = mapped_column(primary_key=True, comment="Its digest.")
    built_at: Mapped[datetime] = mapped_column(comment="When it came to the platform first.")
    activated_at: Mapped[datetime | None] = mapped_column(comment="When it was made the active one last.")
    active: Mapped[bool] = mapped_column(comment="Whether it is.")


class AccessChangeRow(SystemTable):
    """Every change that was made to roles, grants and logins."""

    __tablename__ = "access_change"
    published: ClassVar[str] = "access_changes"

    platform: Mapped[str] = mapped_column(primary_key=True, comment=_PLATFORM)
    sync: Mapped[str] = mapped_column(primary_key=True, comment="Changes that were made together.")
    number: Mapped[int] = mapped_column(primary_key=True, comment="Its place among them.")
    at: Mapped[datetime] = mapped_column(comment="When it was made.")
    who: Mapped[str] = mapped_column(comment="Who made it: user, machine and process.")
    action: Mapped[str] = mapped_column(comment="What was done.")
    target: Mapped[str] = mapped_column(comment="To what.")
    detail: Mapped[str] = mapped_column(Text, comment="More about it.")
    release: Mapped[str] = mapped_column(comment="The digest of the release that asks for it.")


OPERATIONS: tuple[type[SystemTable], ...] = (
    BatchRow,
    BatchDatasetRow,
    FailureRow,
    LagRow,
    CheckRow,
    AuditRow,
    GrantRow,
    DeploymentRow,
)
"""The tables of `datasurface_operations`, in the order in which documents list them."""

SECURITY: tuple[type[SystemTable], ...] = (AccessChangeRow,)
"""The tables of `datasurface_security`."""
