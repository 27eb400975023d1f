"""The roles, owners and privileges that a platform's model means. Pure: clock and catalog come in as arguments.

What stands on tables and views is wanted only of those that exist: they are made by `apply` and by runs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property

from datasurface.databases.security import (
    Catalog,
    DefaultPrivilege,
    Kind,
    Membership,
    Privilege,
    Role,
    Scope,
    Setting,
    Thing,
)
from datasurface.model.vocabulary import History
from datasurface.names import RoleNames, group_schema, output_schema, platform_schema, view_name
from datasurface.release.job import JobSpec, PlatformSpec, ReaderSpec, ViewSpec

__all__ = ["PUBLIC_VIEWS", "Desired", "LoginRole", "Wanted", "desired_state", "login_roles", "mark_of", "scope_of"]

PUBLIC_VIEWS = ("batches", "batch_datasets", "batch_checks")
_READ_ONLY = frozenset({Setting(name="default_transaction_read_only", value="on")})
_OUTPUT_RIGHTS = ("DELETE", "INSERT", "SELECT", "TRUNCATE", "UPDATE")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginRole:
    """A role that somebody logs in for, by one of two alternating logins.

    Attributes:
        role: The group role that holds the rights, or whose role the logins assume.
        credential: The name under which stores keep the secret.
        assumes: Whether the logins become the owner's role instead of having rights of their own.
        read_only: Whether sessions begin as read-only.
        expires: When the login ends; None for never.
    """

    role: str
    credential: str
    assumes: bool = False
    read_only: bool = False
    expires: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is to be made so, before the catalog is known.

    Attributes:
        names: How the platform's roles are called.
        spec: The release's platform.
        limit: The longest name, in bytes.
        now: The time by which access ends.
        workspaces: Workspaces that have a login of their own, for people on this machine.
        whole_database: Whether the database is DataSurface's own, so that nobody else depends on it.
    """

    names: RoleNames
    spec: PlatformSpec
    limit: int
    now: datetime
    workspaces: frozenset[str] = frozenset()
    whole_database: bool = False

    @property
    def schema(self) -> str:
        """The platform's own schema."""
        return platform_schema(self.spec.name, self.limit)

    @cached_property
    def transformers(self) -> Mapping[str, JobSpec]:
        """The jobs that run code, by workspace."""
        return {job.transformer.workspace: job for job in self.spec.jobs if job.transformer is not None}

    @cached_property
    def readers(self) -> tuple[ReaderSpec, ...]:
        """Readers whose time has not ended."""
        return tuple([r for r in self.spec.readers if r.ends is None or self.now < r.ends])

    @cached_property
    def groups(self) -> Mapping[str, tuple[str, ...]]:
        """The groups that see anything, by workspace."""
        found: dict[str, set[str]] = defaultdict(set)
        for view in self.spec.views:
            found[view.workspace].add(view.group)
        return {workspace: tuple(sorted(names)) for workspace, names in found.items()}

    @cached_property
    def shown(self) -> tuple[tuple[ViewSpec, Thing], ...]:
        """Each view that consumers are to see."""
        return tuple(_shown(self.spec, self.limit))

    @cached_property
    def outputs(self) -> Mapping[str, str]:
        """The workspaces whose transformers write, by the schema that they write into."""
        return {output_schema(self.spec.name, workspace, self.limit): workspace for workspace in self.transformers}

    @cached_property
    def group_roles(self) -> frozenset[str]:
        """The roles that read groups: whole ones, and what clearances cover of them."""
        roles = {self.names.reader(workspace, group) for workspace, groups in self.groups.items() for group in groups}
        return frozenset(roles | {role for reader in self.readers for role in self.roles_of(reader)})

    def roles_of(self, reader: ReaderSpec) -> list[str]:
        """Return the roles by which a reader reads the groups of a workspace."""
        groups = self.groups.get(reader.workspace, ())
        return [self.names.reader(reader.workspace, group, reader.cleared) for group in groups]


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """What access consists of where everything is as the model says.

    Attributes:
        missing: Readers that the database does not know, with the workspaces that name them.
        schemas: Schemas that are to exist.
        logins: The roles that are logged in for.
    """

    roles: Mapping[str, Role]
    memberships: frozenset[Membership]
    owners: Mapping[Thing, str]
    privileges: frozenset[Privilege]
    defaults: frozenset[DefaultPrivilege]
    schemas: tuple[str, ...]
    logins: tuple[LoginRole, ...]
    missing: Mapping[str, str] = field(default_factory=dict)


def mark_of(spec: PlatformSpec) -> str:
    """Return the comment by which a platform's roles are known."""
    environment = f", environment {spec.environment}" if spec.environment else ""
    return f"DataSurface: platform {spec.name} of ecosystem {spec.ecosystem}{environment}"


def scope_of(wanted: Wanted) -> Scope:
    """Return what has to be read of the catalog."""
    names = wanted.names
    logins = {role for login in login_roles(wanted) for role in (login.role, *names.logins(login.role))}
    return Scope(
        mark=mark_of(wanted.spec),
        owner=names.owner,
        roles=wanted.group_roles | logins | {names.owner},
        readers=frozenset(reader.role for reader in wanted.spec.readers if not reader.login),
        whole=frozenset({wanted.schema, *wanted.outputs}),
        shared=frozenset(thing.schema for _, thing in wanted.shown),
        views=frozenset((thing.schema, thing.name) for _, thing in wanted.shown),
    )


def desired_state(wanted: Wanted, catalog: Catalog, enabled: Collection[str]) -> Desired:
    """Return what access is to be.

    Args:
        wanted: What the model says.
        catalog: What exists.
        enabled: The logins that may log in; all others may not.
    """
    logins = login_roles(wanted)
    shown = [(view, thing) for view, thing in wanted.shown if thing in catalog.owners]
    privileges = {
        *_database(wanted, catalog, logins),
        *_monitoring(wanted, catalog),
        *_entering(wanted, catalog),
        *_reading(wanted, shown),
        *_clearances(wanted, catalog, shown),
        *_writing(wanted, catalog),
    }
    memberships = {*_login_memberships(wanted, logins), *_reader_memberships(wanted, catalog)}
    if not catalog.splits_membership:
        memberships = {replace(membership, inherit=True, assume=True) for membership in memberships}
    schemas = _schemas(wanted)
    return Desired(
        roles={role.name: role for role in _roles(wanted, logins, frozenset(enabled))},
        memberships=frozenset(memberships),
        owners={thing: wanted.names.owner for thing in catalog.owners if thing.kind is not Kind.DATABASE},
        privileges=frozenset(privileges),
        defaults=frozenset(d for d in _defaults(wanted) if Thing(Kind.SCHEMA, d.schema) in catalog.owners),
        schemas=schemas,
        logins=logins,
        missing=_missing(wanted, catalog),
    )


def login_roles(wanted: Wanted) -> tuple[LoginRole, ...]:
    """Return every role that is logged in for, sorted by the name of its credential."""
    names = wanted.names
    found = [
        LoginRole(role=names.run, credential=names.credential("run"), assumes=True),
        LoginRole(role=names.monitor, credential=names.credential("monitor"), read_only=True),
    ]
    found += [
        LoginRole(role=names.transformer(workspace), credential=names.credential("transformer", workspace))
        for workspace in wanted.transformers
    ]
    found += [
        LoginRole(role=names.workspace(name), credential=names.credential("reader", name), read_only=True)
        for name in wanted.workspaces
    ]
    ends: dict[str, list[datetime | None]] = defaultdict(list)
    for reader in wanted.readers:
        if reader.login:
            ends[reader.role].append(reader.ends)
    for name, moments in ends.items():
        last = max((m for m in moments if m is not None), default=None) if None not in moments else None
        credential = names.credential("person", name)
        found.append(LoginRole(role=names.person(name), credential=credential, read_only=True, expires=last))
    return tuple(sorted(found, key=lambda login: login.credential))


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
            reason = "can log in, so it is no group" if catalog.strangers.get(reader.role) else "does not exist"
            found[reader.role] = f"reader {reader.role} of workspace {reader.workspace}: the role {reason}"
    return found


# -- privileges


def _shown(spec: PlatformSpec, limit: int) -> Iterator[tuple[ViewSpec, Thing]]:
    for view in spec.views:
        schema = group_schema(view.workspace, view.group, limit)
        for history in (False, True) if view.history is History.FULL else (False,):
            name = view_name(view.datastore, view.dataset, limit, history=history)
            yield view, Thing(Kind.VIEW, schema, name)


def _database(wanted: Wanted, catalog: Catalog, logins: Collection[LoginRole]) -> Iterator[Privilege]:
    """Yield what is granted on the database itself, where the administrator may grant there."""
    database = Thing(Kind.DATABASE, catalog.database)
    if not catalog.gives_database:
        return
    yield Privilege(database, wanted.names.owner, "CREATE")
    yield from (Privilege(database, login.role, "CONNECT") for login in logins)
    yield from (Privilege(database, role, "CONNECT") for role in wanted.group_roles)


def _monitoring(wanted: Wanted, catalog: Catalog) -> Iterator[Privilege]:
    schema = Thing(Kind.SCHEMA, wanted.schema)
    if schema in catalog.owners:
        yield Privilege(schema, wanted.names.monitor, "USAGE")
    for name in PUBLIC_VIEWS:
        view = Thing(Kind.VIEW, wanted.schema, name)
        if view in catalog.owners:
            yield Privilege(view, wanted.names.monitor, "SELECT")


def _entering(wanted: Wanted, catalog: Catalog) -> Iterator[Privilege]:
    """Yield who may look into the schemas of groups: their readers, and the transformer of the workspace."""
    schemas = {(view.workspace, view.group): Thing(Kind.SCHEMA, thing.schema) for view, thing in wanted.shown}
    for (workspace, group), schema in schemas.items():
        if schema in catalog.owners:
            yield Privilege(schema, wanted.names.reader(workspace, group), "USAGE")
            if workspace in wanted.transformers:
                yield Privilege(schema, wanted.names.transformer(workspace), "USAGE")
    for reader in wanted.readers:
        for group in wanted.groups.get(reader.workspace, ()):
            schema = schemas[reader.workspace, group]
            if schema in catalog.owners:
                yield Privilege(schema, wanted.names.reader(reader.workspace, group, reader.cleared), "USAGE")


def _reading(wanted: Wanted, shown: Collection[tuple[ViewSpec, Thing]]) -> Iterator[Privilege]:
    """Yield what readers and transformers see whole."""
    for view, thing in shown:
        yield Privilege(thing, wanted.names.reader(view.workspace, view.group), "SELECT")
        if view.workspace in wanted.transformers:
            yield Privilege(thing, wanted.names.transformer(view.workspace), "SELECT")


def _clearances(wanted: Wanted, catalog: Catalog, shown: Collection[tuple[ViewSpec, Thing]]) -> Iterator[Privilege]:
    """Yield what readers with a clearance see: whole views, or the columns that it covers."""
    by_workspace: dict[str, list[tuple[ViewSpec, Thing]]] = defaultdict(list)
    for view, thing in shown:
        by_workspace[view.workspace].append((view, thing))
    for reader in wanted.readers:
        for view, thing in by_workspace[reader.workspace] if reader.cleared is not None else ():
            role = wanted.names.reader(view.workspace, view.group, reader.cleared)
            head = f"{view.datastore}.{view.dataset}."
            hidden = {column.removeprefix(head) for column in reader.hidden if column.startswith(head)}
            if not hidden & set(view.columns):
                yield Privilege(thing, role, "SELECT")
                continue
            yield from (Privilege(thing, role, "SELECT", c) for c in catalog.columns.get(thing, ()) if c not in hidden)


def _writing(wanted: Wanted, catalog: Catalog) -> Iterator[Privilege]:
    """Yield what transformers may do with their own output tables."""
    for thing in catalog.owners:
        if thing.schema in wanted.outputs and thing.kind is not Kind.DATABASE:
            role = wanted.names.transformer(wanted.outputs[thing.schema])
            rights = ("USAGE",) if thing.kind is Kind.SCHEMA else _OUTPUT_RIGHTS
            yield from (Privilege(thing, role, right) for right in rights)


def _defaults(wanted: Wanted) -> Iterator[DefaultPrivilege]:
    """Yield what is granted on each view and table as the owner makes it, in the same transaction."""
    owner = wanted.names.owner
    for workspace, group, schema in {(view.workspace, view.group, thing.schema) for view, thing in wanted.shown}:
        yield DefaultPrivilege(owner, schema, "r", wanted.names.reader(workspace, group), "SELECT")
        if workspace in wanted.transformers:
            yield DefaultPrivilege(owner, schema, "r", wanted.names.transformer(workspace), "SELECT")
    for schema, workspace in wanted.outputs.items():
        for right in _OUTPUT_RIGHTS:
            yield DefaultPrivilege(owner, schema, "r", wanted.names.transformer(workspace), right)
