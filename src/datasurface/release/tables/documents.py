"""Tables of what jobs read: the model as a document, and one job spec a stream, so that a job reads only its own."""

from __future__ import annotations

from typing import ClassVar

from sqlalchemy import Text
from sqlalchemy.orm import Mapped, mapped_column

from datasurface.release.tables.base import Table

__all__ = ["DocumentRow", "JobRow"]


class DocumentRow(Table):
    """Canonical JSON: of the model, and of each platform that moves data, without its jobs."""

    __tablename__ = "document"
    by_key: ClassVar[bool] = False

    kind: Mapped[str] = mapped_column(primary_key=True, comment="`model` or `platform`.")
    name: Mapped[str] = mapped_column(primary_key=True, comment="The ecosystem's or the platform's name.")
    content: Mapped[str] = mapped_column(Text, comment="The JSON text.")


class JobRow(Table):
    """Jobs: everything that a batch of a stream needs."""

    __tablename__ = "job"
    by_key: ClassVar[bool] = False

    platform: Mapped[str] = mapped_column(primary_key=True, comment="Refers to `platform.name`.")
    stream: Mapped[str] = mapped_column(primary_key=True, comment="Refers to `stream.name` on that platform.")
    job_digest: Mapped[str] = mapped_column(comment="SHA-256 of what an open batch depends on, in hex.")
    spec: Mapped[str] = mapped_column(Text, comment="The job spec as canonical JSON.")
