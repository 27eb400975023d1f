"""Who may read what in a database, as its own catalog says. Values and a protocol; knows no dialect and no driver."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import Connection

__all__ = ["PUBLIC", "SUPERUSER", "AccessCatalog", "ReadAccess"]

PUBLIC = "PUBLIC"
"""Stands for every role."""
SUPERUSER = "superuser"
"""Stands for the right of those whom the database refuses nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadAccess:
    """A role may read a view.

    Attributes:
        grantee: The role.
        schema: The view's schema.
        view: The view.
        through: The role that was given the privilege: itself, one that it is a member of, PUBLIC or SUPERUSER.
        columns: Only these columns, in their order; None for all.
        can_login: Whether somebody can log in as the grantee now.
    """

    grantee: str
    schema: str
    view: str
    through: str
    columns: tuple[str, ...] | None
    can_login: bool


class AccessCatalog(Protocol):
    """A database's catalog of privileges."""

    def read_access(self, connection: Connection, schemas: Collection[str]) -> Iterator[ReadAccess]:
        """Yield who may read the views of some schemas, memberships followed, sorted."""
        ...
