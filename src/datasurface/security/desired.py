"""The roles, owners and privileges that a platform's model means. Pure: clock and catalog come in as arguments.

What stands on tables and views is wanted only of those that exist: they are made by `apply` and by runs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

from datasurface.databases.security import (
    Catalog,
    DefaultPrivilege,
    Kind,
    Membership,
    Privilege,
    Role,
    Setting,
    Thing,
)
from datasurface.model.effective import names_login
from datasurface.release.job import ReaderSpec
from datasurface.security.privileges import PUBLIC_VIEWS, default_privileges, privileges
from datasurface.security.wanted import LoginRole, Wanted, login_roles, mark_of

__all__ = ["Desired", "desired_state"]

_READ_ONLY = frozenset({Setting(name="default_transaction_read_only", value="on")})


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """What access consists of where everything is as the model says.

    Attributes:
        missing: Readers that the database does not know: where each is named, and what to do.
        schemas: Schemas that are to exist.
        logins: The roles that are logged in for.
        options: Which options are on, of each view that exists.
    """

    roles: Mapping[str, Role]
    memberships: frozenset[Membership]
    owners: Mapping[Thing, str]
    privileges: frozenset[Privilege]
    defaults: frozenset[DefaultPrivilege]
    schemas: tuple[str, ...]
    logins: tuple[LoginRole, ...]
    options: Mapping[Thing, frozenset[str]]
    missing: Mapping[str, str] = field(default_factory=dict)


def desired_state(wanted: Wanted, catalog: Catalog, enabled: Collection[str]) -> Desired:
    """Return what access is to be.

    Args:
        wanted: What the model says.
        catalog: What exists.
        enabled: The logins that may log in; all others may not.
    """
    logins = login_roles(wanted)
    memberships = {*_login_memberships(wanted, logins), *_reader_memberships(wanted, catalog)}
    if not catalog.splits_membership:
        memberships = {replace(membership, inherit=True, assume=True) for membership in memberships}
    schemas = _schemas(wanted)
    return Desired(
        roles={role.name: role for role in _roles(wanted, logins, frozenset(enabled))},
        memberships=frozenset(memberships),
        owners={thing: wanted.names.owner for thing in catalog.owners if thing.kind is not Kind.DATABASE},
        privileges=privileges(wanted, catalog, logins),
        defaults=frozenset(d for d in default_privileges(wanted) if Thing(Kind.SCHEMA, d.schema) in catalog.owners),
        schemas=schemas,
        logins=logins,
        options=dict(_options(wanted, catalog)),
        missing=_missing(wanted, catalog),
    )


def _roles(wanted: Wanted, logins: Collection[LoginRole], enabled: frozenset[str]) -> Iterator[Role]:
    names, mark = wanted.names, mark_of(wanted.spec)
    groups = wanted.group_roles | {names.owner} | {login.role for login in logins}
    yield from (Role(name=name, mark=mark, inherits=name != names.run) for name in sorted(groups))
    for login in logins:
        for name in names.logins(login.role):
            yield Role(
                name=name,
                mark=mark,
                login=name in enabled,
                expires=login.expires if name in enabled else None,
                settings=_READ_ONLY if login.read_only else frozenset(),
            )


def _schemas(wanted: Wanted) -> tuple[str, ...]:
    return (wanted.schema, *sorted(wanted.outputs), *sorted({thing.schema for _, thing in wanted.shown}))


def _options(wanted: Wanted, catalog: Catalog) -> Iterator[tuple[Thing, frozenset[str]]]:
    ours = [thing for _, thing in wanted.shown] + [Thing(Kind.VIEW, wanted.schema, name) for name in PUBLIC_VIEWS]
    for view in ours:
        if view in catalog.owners:
            yield view, frozenset({"security_barrier"} if view in wanted.barriers else ())


# -- memberships


def _login_memberships(wanted: Wanted, logins: Collection[LoginRole]) -> Iterator[Membership]:
    for login in logins:
        for name in wanted.names.logins(login.role):
            yield Membership(login.role, name, assume=login.assumes)
        if login.assumes:
            yield Membership(wanted.names.owner, login.role, inherit=False, assume=True)
    for workspace in wanted.workspaces:
        for group in wanted.groups.get(workspace, ()):
            yield Membership(wanted.names.reader(workspace, group), wanted.names.workspace(workspace))


def _reader_memberships(wanted: Wanted, catalog: Catalog) -> Iterator[Membership]:
    for reader in wanted.readers:
        member = wanted.names.person(reader.role) if reader.login else reader.role
        if reader.login or _exists(reader, catalog):
            yield from (Membership(role, member) for role in wanted.roles_of(reader))


def _exists(reader: ReaderSpec, catalog: Catalog) -> bool:
    """Tell whether the role that a reader names is there, and no login where a group is meant."""
    may_log_in = catalog.strangers.get(reader.role)
    return may_log_in is not None and not (reader.group and may_log_in)


def _missing(wanted: Wanted, catalog: Catalog) -> dict[str, str]:
    found: dict[str, str] = {}
    for reader in wanted.readers:
        if not reader.login and not _exists(reader, catalog):
            found[reader.role] = f"reader {reader.role} of workspace {reader.workspace}: {_advice(reader, catalog)}"
    return found


def _advice(reader: ReaderSpec, catalog: Catalog) -> str:
    """Say why a reader's role cannot be used, and what can be done."""
    if catalog.strangers.get(reader.role):
        return "the role can log in, so it is no group; name it without group:, or make another role"
    made = not reader.group and names_login(reader.role)
    return f"the role does not exist; create it{f', or declare Reader({reader.role!r}, login=True)' if made else ''}"
