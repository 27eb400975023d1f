"""What has to change so that a database's access is as desired: the difference of two sets of values, as changes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace

from datasurface.databases.security import (
    EVERYBODY,
    Catalog,
    DefaultPrivilege,
    Kind,
    Membership,
    Privilege,
    Role,
    SecurityStore,
    Thing,
)
from datasurface.security.change import Change, Phase
from datasurface.security.desired import Desired

__all__ = ["changes"]

_FOREIGN = "it was granted by hand to a role that DataSurface does not manage"
_ADOPTED = "a role of that name exists, and DataSurface did not make it"
_SHARED = "others may depend on it, as the database is not DataSurface's own"


def changes(
    store: SecurityStore, catalog: Catalog, desired: Desired, *, mark: str, owner: str, own: bool
) -> list[Change]:
    """Return all changes, in the order in which they are made.

    Args:
        store: Says them as statements.
        catalog: What there is.
        desired: What is to be.
        mark: The comment of roles that are ours.
        owner: The role that owns the platform's objects.
        own: Whether the database is DataSurface's own.
    """
    compared = _Comparison(store, catalog, desired, mark, owner, own)
    found = [
        *compared.roles(),
        *compared.schemas(),
        *compared.owners(),
        *compared.options(),
        *compared.revokes(),
        *compared.grants(),
        *compared.drops(),
        *compared.missing(),
    ]
    aliens = [role.name for role in catalog.roles.values() if role.mark != mark and role.name in desired.roles]
    return sorted((_apart(change, aliens) for change in found), key=lambda change: change.phase)


@dataclass(frozen=True, slots=True)
class _Comparison:
    store: SecurityStore
    catalog: Catalog
    desired: Desired
    mark: str
    owner: str
    own: bool

    def roles(self) -> Iterator[Change]:
        """Yield roles to make and attributes to set right; the administrator becomes a member of the owner."""
        for name, role in self.desired.roles.items():
            actual = self.catalog.roles.get(name)
            if actual is None:
                statements = [*self.store.create_role(role)]
                if name == self.owner and not self.catalog.all_powerful:
                    statements.append(self.store.join(Membership(name, self.catalog.admin, assume=True)))
                yield self._role("create", name, statements)
            else:
                yield from self._altered(actual, role)

    def _altered(self, actual: Role, role: Role) -> Iterator[Change]:
        statements = self.store.alter_role(actual, role)
        unsafe = _ADOPTED if actual.mark != self.mark else ""
        if actual.login and not role.login and not unsafe:
            yield Change(
                phase=Phase.REVOKES,
                action="disable",
                target=f"login {role.name}",
                statements=(self.store.disable(role.name),),
            )
            statements = self.store.alter_role(replace(actual, login=False), role)
        if statements:
            yield self._role("alter", role.name, statements, unsafe=unsafe)

    @staticmethod
    def _role(action: str, name: str, statements: Iterable[str], *, unsafe: str = "") -> Change:
        return Change(
            phase=Phase.ROLES, action=action, target=f"role {name}", statements=tuple(statements), unsafe=unsafe
        )

    def schemas(self) -> Iterator[Change]:
        """Yield the schemas that are to exist."""
        for name in self.desired.schemas:
            if name not in self.catalog.schemas:
                yield Change(
                    phase=Phase.SCHEMAS,
                    action="create",
                    target=f"schema {name}",
                    statements=(self.store.create_schema(name, self.owner),),
                )

    def owners(self) -> Iterator[Change]:
        """Yield what is to have another owner, schemas before what is in them."""
        order = {Kind.SCHEMA: 0, Kind.TABLE: 1, Kind.VIEW: 2}
        for thing, owner in sorted(self.desired.owners.items(), key=lambda pair: (order[pair[0].kind], pair[0])):
            actual = self.catalog.owners.get(thing)
            if actual is not None and actual != owner:
                yield Change(
                    phase=Phase.OWNERS,
                    action="own",
                    target=str(thing),
                    detail=f"by {owner} instead of {actual}",
                    statements=(self.store.give(thing, owner),),
                )

    def options(self) -> Iterator[Change]:
        """Yield the views that are to read with other rights than they do, or to hide what they do not."""
        for view, wanted in sorted(self.desired.options.items()):
            actual = self.catalog.options.get(view, frozenset())
            on, off = wanted - actual, actual - wanted
            if on or off:
                yield Change(
                    phase=Phase.REVOKES,
                    action="alter",
                    target=str(view),
                    detail=", ".join([*(f"{option} on" for option in sorted(on)), *(f"{o} off" for o in sorted(off))]),
                    statements=tuple(self.store.set_options(view, on, off)),
                )

    # -- what is too much

    def revokes(self) -> Iterator[Change]:
        """Yield memberships, privileges and default privileges that nobody is to have."""
        wanted = {_plain(m) for m in self.desired.memberships}
        kept = set()
        for membership in sorted(self.catalog.memberships):
            plain = _plain(membership)
            if plain in wanted and not membership.admin and plain not in kept:
                kept.add(plain)
                continue
            yield Change(
                phase=Phase.REVOKES,
                action="leave",
                target=f"role {membership.role}",
                detail=f"{membership.member} is no member any longer",
                statements=(self.store.leave(membership),),
                settled=False,
            )
        for (thing, grantee), found in _grouped(self._surplus()).items():
            yield self._revoke(thing, grantee, found)
        yield from _defaults(self.store, self.catalog.defaults - self.desired.defaults, granted=False)

    def _surplus(self) -> Iterator[Privilege]:
        managed = self.catalog.roles.keys() | self.desired.roles.keys()
        for privilege in sorted(self.catalog.privileges - self.desired.privileges):
            on_database = privilege.thing.kind is Kind.DATABASE
            if not on_database or privilege.grantee in managed or privilege.grantee == EVERYBODY:
                yield privilege

    def _revoke(self, thing: Thing, grantee: str, found: Collection[Privilege]) -> Change:
        on_database = thing.kind is Kind.DATABASE and grantee == EVERYBODY
        managed = grantee in self.catalog.roles or grantee in self.desired.roles or grantee == EVERYBODY
        shared = on_database and not self.own
        blocked = ""
        if on_database and not self.catalog.owns_database:
            blocked = f"only the database's owner, {self.catalog.owners.get(thing)}, can do it"
        return Change(
            phase=Phase.REVOKES,
            action="revoke",
            target=str(thing),
            detail=f"{_words(found)} from {grantee or 'PUBLIC'}",
            statements=(self.store.revoke(thing, grantee, found),),
            unsafe=_SHARED if shared else "" if managed else _FOREIGN,
            blocked=blocked,
            advice=shared,
            settled=grantee == EVERYBODY,
        )

    # -- what is missing

    def grants(self) -> Iterator[Change]:
        """Yield memberships, privileges and default privileges that are missing."""
        there = {_plain(m) for m in self.catalog.memberships if not m.admin}
        for membership in sorted(self.desired.memberships - there):
            yield Change(
                phase=Phase.GRANTS,
                action="join",
                target=f"role {membership.role}",
                detail=f"{membership.member} becomes a member",
                statements=(self.store.join(membership),),
            )
        missing = (self.desired.privileges - self.catalog.privileges) | self._given_up()
        alike: dict[tuple[Thing, tuple[tuple[str, str], ...]], dict[str, list[Privilege]]] = defaultdict(dict)
        for (thing, grantee), found in _grouped(sorted(missing)).items():
            alike[thing, tuple((p.privilege, p.column) for p in found)][grantee] = found
        for (thing, _), same in alike.items():
            found = next(iter(same.values()))
            yield Change(
                phase=Phase.GRANTS,
                action="grant",
                target=str(thing),
                detail=f"{_words(found)} to {', '.join(same)}",
                statements=(self.store.grant(thing, list(same), found),),
            )
        yield from _defaults(self.store, self.desired.defaults - self.catalog.defaults, granted=True)

    def _given_up(self) -> frozenset[Privilege]:
        """Return what the owner has lost of its own; views read tables with it."""
        return frozenset(p for p in self.catalog.lacking if p.thing.kind is not Kind.DATABASE)

    # -- what is over

    def drops(self) -> Iterator[Change]:
        """Yield roles of ours that the model has no longer, logins before their groups."""
        gone = [name for name, role in self.catalog.roles.items() if role.mark == self.mark]
        heir = self.owner
        admin = "" if self.catalog.all_powerful else self.catalog.admin
        for name in sorted(set(gone) - self.desired.roles.keys(), key=lambda n: (not _is_login(n), n)):
            yield Change(
                phase=Phase.DROPS,
                action="drop",
                target=f"role {name}",
                detail=f"what it owns goes to {heir}",
                statements=tuple(self.store.drop_role(name, heir, admin)),
                settled=False,
                role=name,
            )

    def missing(self) -> Iterator[Change]:
        """Yield readers that nobody has made."""
        for name, reason in sorted(self.desired.missing.items()):
            yield Change(phase=Phase.GRANTS, action="join", target=f"reader {name}", blocked=reason)


def _apart(change: Change, aliens: Collection[str]) -> Change:
    """Let a change wait that is about a role which is to be taken over first."""
    if change.unsafe or change.blocked or not aliens:
        return change
    named = [name for name in aliens if any(f'"{name}"' in statement for statement in change.statements)]
    return replace(change, blocked=f"it waits for role {named[0]} to be taken over") if named else change


def _is_login(name: str) -> bool:
    return name.endswith((".a", ".b"))


def _plain(membership: Membership) -> Membership:
    return Membership(membership.role, membership.member, membership.inherit, membership.assume)


def _grouped(privileges: Iterable[Privilege]) -> dict[tuple[Thing, str], list[Privilege]]:
    found: dict[tuple[Thing, str], list[Privilege]] = defaultdict(list)
    for privilege in privileges:
        found[privilege.thing, privilege.grantee].append(privilege)
    return found


def _words(privileges: Iterable[Privilege]) -> str:
    return ", ".join(sorted({f"{p.privilege}({p.column})" if p.column else p.privilege for p in privileges}))


def _defaults(store: SecurityStore, defaults: Iterable[DefaultPrivilege], *, granted: bool) -> Iterator[Change]:
    """Yield a change for all that one grantee gets on one kind of object in one place."""
    alike: dict[tuple[str, str, str, str], list[DefaultPrivilege]] = defaultdict(list)
    for default in sorted(defaults):
        alike[default.owner, default.schema, default.objects, default.grantee].append(default)
    for (owner, schema, _, grantee), found in alike.items():
        verb, to = ("grant", "to") if granted else ("revoke", "from")
        words = ", ".join(sorted({default.privilege for default in found}))
        yield Change(
            phase=Phase.GRANTS if granted else Phase.REVOKES,
            action=verb,
            target=f"what {owner} makes {f'in schema {schema}' if schema else 'anywhere'}",
            detail=f"{words} {to} {grantee or 'PUBLIC'}",
            statements=(store.default(found, granted=granted),),
        )
