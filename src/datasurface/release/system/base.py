"""The declarative base of tables that no release file has: what only the system's own datastores hold."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import BigInteger, DateTime, MetaData, String
from sqlalchemy.orm import DeclarativeBase, MappedAsDataclass, declared_attr

__all__ = ["SystemTable"]


class SystemTable(MappedAsDataclass, DeclarativeBase, kw_only=True):
    """Base of such a table."""

    metadata = MetaData()
    type_annotation_map = {str: String, int: BigInteger, datetime: DateTime(timezone=True)}  # noqa: RUF012 - SQLAlchemy's own way

    published: ClassVar[str]
    """The dataset's name."""

    @declared_attr.directive
    @classmethod
    def __table_args__(cls) -> dict[str, Any]:
        """Take the first line of the docstring as the table's comment."""
        return {"comment": (cls.__doc__ or "").strip().splitlines()[0]}
