"""What a platform's model asks of access, before the catalog is known. Pure: the clock is an argument."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from datasurface.databases.security import Kind, Scope, Thing
from datasurface.model.vocabulary import History
from datasurface.names import RoleNames, group_schema, output_schema, platform_schema, view_name
from datasurface.release.job import JobSpec, PlatformSpec, ReaderSpec, ViewSpec

__all__ = ["LoginRole", "Wanted", "login_roles", "mark_of", "scope_of"]


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
    def barriers(self) -> frozenset[Thing]:
        """The views that leave rows out, which no function in a reader's condition is to see."""
        full = [(view, thing) for view, thing in self.shown if view.history is History.FULL]
        return frozenset(t for v, t in full if t.name == view_name(v.datastore, v.dataset, self.limit, history=True))

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


def _shown(spec: PlatformSpec, limit: int) -> Iterator[tuple[ViewSpec, Thing]]:
    for view in spec.views:
        schema = group_schema(view.workspace, view.group, limit)
        for history in (False, True) if view.history is History.FULL else (False,):
            name = view_name(view.datastore, view.dataset, limit, history=history)
            yield view, Thing(Kind.VIEW, schema, name)
