"""The one dataset of `datasurface_model` that is no table of a release: the list of releases."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from sqlalchemy.orm import Mapped, mapped_column

from datasurface.release.system.base import SystemTable

__all__ = ["ReleaseLogRow"]


class ReleaseLogRow(SystemTable):
    """Every release that was published here, and which one it took the place of."""

    __tablename__ = "release_log"
    published: ClassVar[str] = "releases"

    digest: Mapped[str] = mapped_column(primary_key=True, comment="SHA-256 of the release's content, in hex.")
    previous: Mapped[str | None] = mapped_column(comment="The release before it; NULL for the first.")
    published_at: Mapped[datetime] = mapped_column(comment="When it was made the active one, last.")
