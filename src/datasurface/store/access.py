"""What the platform remembers of access: every change that was made, and which login of each role is in use."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, inspect, select

from datasurface.store.tables import access_changes, bind, logins

__all__ = [
    "CHANGE_DAYS",
    "IssuedLogin",
    "RecordedChange",
    "forget_logins",
    "forget_old_changes",
    "has_tables",
    "issued_logins",
    "record",
    "save_login",
]

CHANGE_DAYS = 400
"""How long changes of access are remembered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedChange:
    """A line of the audit trail; `statements` never hold a password."""

    sync: str
    number: int
    at: datetime
    who: str
    action: str
    target: str
    detail: str
    statements: str
    model_digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedLogin:
    """Which of a role's two logins is in use.

    Attributes:
        login: The one whose password was given last.
        previous: The one that was in use before, and may be until it is disabled.
        issued_at: When `login` got its password.
    """

    role: str
    credential: str
    login: str
    previous: str | None
    issued_at: datetime


def has_tables(connection: Connection, schema: str) -> bool:
    """Tell whether the platform can remember anything yet."""
    found = inspect(connection).get_table_names(schema=schema)
    return {access_changes.name, logins.name} <= set(found)


def record(connection: Connection, schema: str, changes: Iterable[RecordedChange]) -> None:
    """Add lines to the audit trail, in the transaction that makes the changes."""
    rows = [{name: getattr(change, name) for name in RecordedChange.__slots__} for change in changes]
    if rows:
        bind(connection, schema).execute(insert(access_changes), rows)


def issued_logins(connection: Connection, schema: str) -> Mapping[str, IssuedLogin]:
    """Return which logins are in use, by role."""
    rows = bind(connection, schema).execute(select(logins))
    return {
        row.role: IssuedLogin(
            role=row.role,
            credential=row.credential,
            login=row.login,
            previous=row.previous,
            issued_at=row.issued_at,
        )
        for row in rows
    }


def save_login(connection: Connection, schema: str, issued: Collection[IssuedLogin]) -> None:
    """Remember which logins are in use now."""
    bound = bind(connection, schema)
    if issued:
        bound.execute(delete(logins).where(logins.c.role.in_([one.role for one in issued])))
        bound.execute(insert(logins), [{name: getattr(one, name) for name in IssuedLogin.__slots__} for one in issued])


def forget_old_changes(connection: Connection, schema: str, now: datetime, *, days: int = CHANGE_DAYS) -> int:
    """Delete lines of the audit trail that are older than `days`, and return how many."""
    old = access_changes.c.at < now - timedelta(days=days)
    return int(bind(connection, schema).execute(delete(access_changes).where(old)).rowcount)


def forget_logins(connection: Connection, schema: str, roles: Collection[str]) -> None:
    """Forget the logins of roles that are gone."""
    bind(connection, schema).execute(delete(logins).where(logins.c.role.in_(list(roles))))
