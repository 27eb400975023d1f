"""What access in a database consists of, as values, and what a database must do to read and change it.

Knows no SQL dialect and no driver: `security` compares two sets of these values, and the database's own class says the
difference in statements.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from sqlalchemy import Connection, Engine

__all__ = [
    "EVERYBODY",
    "VIEW_OPTIONS",
    "Catalog",
    "DefaultPrivilege",
    "Kind",
    "Membership",
    "Privilege",
    "Role",
    "Scope",
    "SecurityStore",
    "Setting",
    "Thing",
]

EVERYBODY = ""
"""The grantee that stands for all roles, PUBLIC."""


VIEW_OPTIONS = ("security_barrier", "security_invoker")
"""What decides with whose rights a view reads, and whether functions see rows that it leaves out."""


class Kind(StrEnum):
    """What a privilege can be on."""

    DATABASE = "database"
    SCHEMA = "schema"
    TABLE = "table"
    VIEW = "view"


@dataclass(frozen=True, slots=True, order=True)
class Thing:
    """A database, a schema, or a table or view of a schema."""

    kind: Kind
    schema: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.kind.value} {self.schema}{f'.{self.name}' if self.name else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A setting that a role's sessions begin with; `database` is empty if it holds in all databases."""

    name: str
    value: str
    database: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A role of the database server.

    Attributes:
        mark: The comment that says whose it is.
        login: Whether it may log in.
        inherits: Whether its sessions have the rights of its groups without asking for them.
        powers: What it may do beyond any grant, such as SUPERUSER; ours have none.
        connections: How many sessions it may have; -1 for any number.
        expires: When its password ends; None for never.
        settings: What its sessions begin with.
    """

    name: str
    mark: str
    login: bool = False
    inherits: bool = True
    powers: frozenset[str] = frozenset()
    connections: int = -1
    expires: datetime | None = None
    settings: frozenset[Setting] = frozenset()


@dataclass(frozen=True, slots=True, order=True)
class Membership:
    """A role's membership in a group role.

    Attributes:
        inherit: Whether the member has the group's rights without asking.
        assume: Whether the member may become the group's role.
        admin: Whether it may pass the membership on.
        grantor: Who gave it; empty where that makes no difference.
    """

    role: str
    member: str
    inherit: bool = True
    assume: bool = False
    admin: bool = False
    grantor: str = ""


@dataclass(frozen=True, slots=True, order=True)
class Privilege:
    """What a role may do with a thing, or with one column of it."""

    thing: Thing
    grantee: str
    privilege: str
    column: str = ""
    grantable: bool = False


@dataclass(frozen=True, slots=True, order=True)
class DefaultPrivilege:
    """What a grantee gets on each object that `owner` will make: in one schema, or anywhere if `schema` is empty."""

    owner: str
    schema: str
    objects: str
    grantee: str
    privilege: str
    grantable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a reading of the catalog is about.

    Attributes:
        mark: The comment of the roles that are ours.
        owner: The role that owns the platform's objects.
        roles: Names that roles of ours have or are to have.
        readers: Other roles that are to become members of ours.
        whole: Schemas that are ours with all tables in them.
        shared: Schemas in which `views` and what `owner` owns are ours, and anything else is somebody's own.
        views: Views as `(schema, name)`.
    """

    mark: str
    owner: str
    roles: frozenset[str]
    readers: frozenset[str]
    whole: frozenset[str]
    shared: frozenset[str]
    views: frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """What the database's catalog says within a scope.

    Attributes:
        admin: The role that reads and changes.
        all_powerful: Whether nothing is refused to it.
        database: The database's name.
        gives_database: Whether `admin` may grant on the database.
        owns_database: Whether it may also take back there what the database's owner has granted.
        splits_membership: Whether a membership can inherit and assume separately.
        roles: Roles that carry the mark, and those that have a name of ours without it.
        strangers: Readers that exist, and whether each may log in.
        schemas: Those of the scope's schemas that exist.
        memberships: Those in and of the roles above, without those that administrators have of necessity.
        owners: Who owns each thing.
        privileges: Those of others than the owner.
        lacking: Those that owners have given up.
        defaults: Default privileges of the roles above.
        columns: The columns of each table or view, in order.
        options: Which of `VIEW_OPTIONS` are on, for each view that has any.
    """

    admin: str
    all_powerful: bool
    database: str
    gives_database: bool
    owns_database: bool
    splits_membership: bool
    roles: Mapping[str, Role]
    strangers: Mapping[str, bool]
    schemas: frozenset[str]
    memberships: frozenset[Membership]
    owners: Mapping[Thing, str]
    privileges: frozenset[Privilege]
    lacking: frozenset[Privilege] = frozenset()
    defaults: frozenset[DefaultPrivilege] = frozenset()
    columns: Mapping[Thing, tuple[str, ...]] = field(default_factory=dict)
    options: Mapping[Thing, frozenset[str]] = field(default_factory=dict)


class SecurityStore(Protocol):
    """A database whose roles and grants are kept as a model says, through an administrator's login."""

    engine: Engine
    """Its connections, as the administrator."""

    def close(self) -> None:
        """Give all connections back."""
        ...

    def read(self, connection: Connection, scope: Scope) -> Catalog:
        """Return what the catalog says."""
        ...

    def turn(self, name: str, seconds: float) -> AbstractContextManager[None]:
        """Wait until no other process is in what `name` stands for, and keep others out meanwhile.

        Raises:
            ApplyBlockedError: one stays in it.
        """
        ...

    # -- statements as text, so that a plan can print what sync runs
    def create_role(self, role: Role) -> Sequence[str]:
        """Return the statements that make a role that cannot log in yet, with its mark and settings."""
        ...

    def alter_role(self, actual: Role, role: Role) -> Sequence[str]:
        """Return the statements that give a role its attributes again; a login is only ever taken away by them."""
        ...

    def drop_role(self, name: str, heir: str, admin: str) -> Sequence[str]:
        """Return the statements that drop a role; what it owns goes to `heir`."""
        ...

    def join(self, membership: Membership) -> str:
        """Return the statement that makes a role a member."""
        ...

    def leave(self, membership: Membership) -> str:
        """Return the statement that ends a membership."""
        ...

    def create_schema(self, schema: str, owner: str) -> str:
        """Return the statement that makes a schema."""
        ...

    def give(self, thing: Thing, owner: str) -> str:
        """Return the statement that gives a thing another owner."""
        ...

    def grant(self, thing: Thing, grantees: Sequence[str], privileges: Collection[Privilege]) -> str:
        """Return the statement that grants the same privileges on a thing to some grantees."""
        ...

    def revoke(self, thing: Thing, grantee: str, privileges: Collection[Privilege]) -> str:
        """Return the statement that revokes privileges, and what the grantee has passed on."""
        ...

    def set_options(self, view: Thing, on: Collection[str], off: Collection[str]) -> Sequence[str]:
        """Return the statements that turn options of a view on and off."""
        ...

    def default(self, privileges: Sequence[DefaultPrivilege], *, granted: bool) -> str:
        """Return the statement that grants or revokes default privileges which differ in nothing but their word."""
        ...

    # -- logins
    def enable(self, login: str, password: str, expires: datetime | None) -> str:
        """Return the statement that lets a role log in with a password, of which it holds only the verifier."""
        ...

    def disable(self, login: str) -> str:
        """Return the statement that lets a role log in no longer; its sessions go on."""
        ...

    def end_sessions(self, connection: Connection, login: str, catalog: Catalog) -> int:
        """End the sessions of a login and return how many there were."""
        ...

    def proves(self, login: str, password: str) -> bool:
        """Tell whether the server lets a login in with a password."""
        ...

    # -- running
    def run(self, connection: Connection, statements: Sequence[str]) -> None:
        """Run statements made by this store in the open transaction, in one round trip."""
        ...

    def explain_error(self, error: BaseException) -> str:
        """Say a driver's error in one line, without secrets."""
        ...

    def is_database_error(self, error: BaseException) -> bool:
        """Tell whether an error is the database driver's, and no defect of ours."""
        ...

    def may_pass(self, error: BaseException) -> bool:
        """Tell whether an error comes of another process's doing at the same moment."""
        ...
