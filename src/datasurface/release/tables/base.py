"""What all tables of a release share: the declarative base, a comment from the docstring, source position and owner.

Keys are the model's own names, as text; no type belongs to one database. References are not enforced by the database,
so that a model with mistakes can be asked about them.
"""

from __future__ import annotations

from typing import Any, ClassVar

from sqlalchemy import String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedAsDataclass, declared_attr, mapped_column

__all__ = ["Declared", "Owned", "Table", "documentation"]


class Table(MappedAsDataclass, DeclarativeBase, kw_only=True):
    """Base of every table of a release."""

    type_annotation_map = {str: String}  # noqa: RUF012 - SQLAlchemy's own way

    by_key: ClassVar[bool] = True
    """Whether a SQLite file keeps the rows in the order of the key alone; not for rows of many kilobytes."""

    published: ClassVar[str] = ""
    """Under which name `datasurface_model` has the table as a dataset; empty for what only jobs read."""

    @declared_attr.directive
    @classmethod
    def __table_args__(cls) -> dict[str, Any]:
        """Take the first line of the docstring as the table's comment."""
        return {"comment": (cls.__doc__ or "").strip().splitlines()[0], "sqlite_with_rowid": not cls.by_key}


class Declared(MappedAsDataclass, kw_only=True):
    """Where the object stands in the source of the model."""

    file: Mapped[str | None] = mapped_column(
        default=None, sort_order=100, comment="The source file, relative to the model folder; NULL if not known."
    )
    line: Mapped[int | None] = mapped_column(default=None, sort_order=101, comment="The line in it, from 1.")


class Owned(MappedAsDataclass, kw_only=True):
    """Whose repository decides about the object."""

    owner_kind: Mapped[str] = mapped_column(sort_order=90, comment="Such as `GitHubRepository`.")
    owner: Mapped[str] = mapped_column(sort_order=91, comment="The repository: `owner/name`, a URL or a path.")
    owner_branch: Mapped[str] = mapped_column(sort_order=92, comment="Its branch.")
    owner_inherited: Mapped[bool] = mapped_column(sort_order=93, comment="Whether the owner is the parent's.")


def documentation() -> Mapped[str]:
    """Return the column that holds an object's `doc`."""
    return mapped_column(Text, default="", sort_order=80, comment="What the model says about it.")
