"""Make a database's access as the model says: small transactions in a safe order, each of which leaves a trail.

What is left after a crash at any point is what the next sync finds and does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TypeVar

from sqlalchemy import Connection

from datasurface.databases.security import Catalog, SecurityStore
from datasurface.security.access import TURN_SECONDS, Access, Trail
from datasurface.security.change import Change, Phase
from datasurface.security.desired import Desired, desired_state
from datasurface.security.diff import changes
from datasurface.security.logins import LoginState, Step, login_changes, login_states, step_of
from datasurface.security.wanted import Wanted, login_roles, mark_of, scope_of
from datasurface.store import access
from datasurface.store.schema_version import create_statements, enroll

__all__ = ["SecurityPlan", "Synced", "plan", "sync"]

_T = TypeVar("_T")
_ROUNDS = 6
_CHUNK = 400
_ENABLERS = 3
_ATTEMPTS = 5
_SILENT = ("grant", "revoke", "leave")
_ALL = "all"
_REMAINS = "the server left it as it was: only the role that has granted it can take it back"
_LOCK = "SET LOCAL lock_timeout = '2s'"


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityPlan:
    """What differs between the model and a database's access.

    Attributes:
        changes: In the order in which they are made.
        states: What is known of the logins.
        catalog: What there is.
        desired: What is to be.
        remembers: Whether the platform's own tables are there.
    """

    changes: tuple[Change, ...]
    states: tuple[LoginState, ...]
    catalog: Catalog
    desired: Desired
    remembers: bool

    @property
    def drift(self) -> tuple[Change, ...]:
        """The changes that concern what is DataSurface's own."""
        return tuple([change for change in self.changes if not change.advice])


@dataclass(frozen=True, slots=True, kw_only=True)
class Synced:
    """How a sync ended.

    Attributes:
        done: What was changed.
        waiting: What was not, each with its reason.
        unsafe: What nobody has agreed to.
    """

    done: tuple[Change, ...]
    waiting: tuple[tuple[Change, str], ...]
    unsafe: tuple[Change, ...]

    @property
    def complete(self) -> bool:
        """Whether the database's access is as the model says."""
        return all(change.advice for change in (*self.unsafe, *(change for change, _ in self.waiting)))


def plan(access_to: Access) -> SecurityPlan:
    """Compare a database's access with the model; changes nothing.

    Raises:
        SecretError: a store cannot be read.
        StoreError: the database is out of reach, or the administrator may not read the platform's own tables.
    """
    with access_to.faults(), access_to.store.engine.connect() as connection:
        return _look(access_to, connection)


def _look(access_to: Access, connection: Connection) -> SecurityPlan:
    store, wanted = access_to.store, replace(access_to.wanted, now=access_to.clock())
    catalog = store.read(connection, scope_of(wanted))
    wanted = _with_made_workspaces(wanted, catalog)
    has_tables = wanted.schema in catalog.schemas and access.has_tables(connection, wanted.schema)
    issued = access.issued_logins(connection, wanted.schema) if has_tables else {}
    states = login_states(login_roles(wanted), wanted.names, access_to.vault, issued)
    enabled = {name for state in states for name in state.enabled(catalog, wanted.now)}
    desired = desired_state(wanted, catalog, enabled)
    found = changes(
        store, catalog, desired, mark=mark_of(wanted.spec), owner=wanted.names.owner, own=wanted.whole_database
    )
    found = sorted([*found, *login_changes(states, catalog)], key=lambda change: change.phase)
    return SecurityPlan(
        changes=tuple(found), states=tuple(states), catalog=catalog, desired=desired, remembers=has_tables
    )


def _with_made_workspaces(wanted: Wanted, catalog: Catalog) -> Wanted:
    """Keep the logins of workspaces that somebody has asked for once, as long as the model has these."""
    made = {name for name in wanted.groups if wanted.names.workspace(name) in catalog.roles}
    return replace(wanted, workspaces=wanted.workspaces | made) if made - wanted.workspaces else wanted


def sync(access_to: Access, *, unsafe: bool = False, told: Callable[[Change], None] = lambda _change: None) -> Synced:
    """Make a database's access as the model says.

    Args:
        access_to: The database.
        unsafe: Whether unsafe changes are made too.
        told: Hears of every change before it is made.

    Raises:
        ApplyBlockedError: another sync takes longer than a minute.
        SecretError: a store cannot be read, or a new password cannot be kept.
        StoreError: the database is out of reach, or the administrator may not read the platform's own tables.
    """
    with access_to.faults(), access_to.store.turn(access_to.lock, TURN_SECONDS):
        work = _Work(access_to, Trail(access_to), unsafe, told)
        for _ in range(_ROUNDS):
            if not work.round():
                break
        return work.synced()


@dataclass(slots=True)
class _Work:
    access_to: Access
    trail: Trail
    unsafe: bool
    told: Callable[[Change], None]
    done: dict[tuple[str, str, str], Change] = field(default_factory=dict)
    waiting: dict[tuple[str, str, str], tuple[Change, str]] = field(default_factory=dict)
    blocked: dict[tuple[str, str, str], tuple[Change, str]] = field(default_factory=dict)
    refused: dict[tuple[str, str, str], Change] = field(default_factory=dict)

    def round(self) -> bool:
        """Look, and make what can be made now; False when nothing more can be left to do."""
        with self.access_to.store.engine.connect() as connection:
            found = _look(self.access_to, connection)
        self.blocked, self.refused = {}, {}
        todo = [change for change in found.changes if self._may(change)]
        if not todo:
            return False
        early = [change for change in todo if change.phase <= Phase.OWNERS]
        if not found.remembers:
            ground = self._lay_ground(found, early)
            early = [change for change in early if change not in ground]
        late = [change for change in todo if change.phase > Phase.OWNERS]
        self._make(found, early or late)
        return bool(early or not found.remembers or self.waiting or not all(change.settled for change in late))

    def _may(self, change: Change) -> bool:
        """Tell whether a change is to be made; what comes back after it was made is not made for ever."""
        if change.blocked:
            self.blocked[change.key] = (change, change.blocked)
            return False
        if change.unsafe and not self.unsafe:
            self.refused[change.key] = change
        elif change.key in self.done and change.action in ("revoke", "leave"):
            self.waiting.setdefault(change.key, (change, "somebody has granted it again meanwhile"))
        return change.key not in self.waiting and change.key not in self.refused

    def _lay_ground(self, found: SecurityPlan, early: Sequence[Change]) -> list[Change]:
        """Make the owner's role and the platform's own tables, where the audit trail is kept, in one transaction."""
        wanted = self.access_to.wanted
        first = (f"role {wanted.names.owner}", f"schema {wanted.schema}")
        ground = [change for change in early if change.target in first and change.action in ("create", "own")]
        with self.access_to.store.engine.begin() as connection:
            store = self.access_to.store
            store.run(connection, [statement for change in ground for statement in change.statements])
            made = create_statements(connection, wanted.schema)
            owned = [f'SET LOCAL ROLE "{wanted.names.owner}"'] if _owns(found, wanted, ground) else []
            store.run(connection, [*owned, *made])
            enroll(connection, wanted.schema, self.access_to.identity, self.access_to.clock())
            self.trail.record(connection, ground)
            if owned:
                store.run(connection, ["RESET ROLE"])
        self.done.update((change.key, change) for change in ground)
        return ground

    # -- making changes

    def _make(self, found: SecurityPlan, todo: Sequence[Change]) -> None:
        for chunk in _chunks([c for c in todo if c.phase < Phase.LOGINS]):
            self._together(chunk)
        self._issue(found, [c for c in todo if c.phase is Phase.LOGINS])
        self._drop(found, [c for c in todo if c.phase is Phase.DROPS])

    def _together(self, chunk: Sequence[Change]) -> None:
        """Make changes in one transaction; if one of them fails, each in its own."""
        for change in chunk:
            self.told(change)
        if len(chunk) > 1 and not self._attempt(chunk):
            return
        for change in chunk:
            reason = self._attempt([change])
            if reason:
                self.waiting[change.key] = (change, reason)

    def _attempt(self, chunk: Sequence[Change]) -> str:
        """Run changes in one transaction and return why they failed, or an empty text; keep what became of each."""
        store, reason = self.access_to.store, ""
        for attempt in range(_ATTEMPTS):
            try:
                with store.engine.begin() as connection:
                    store.run(connection, [_LOCK, *(s for change in chunk for s in change.statements)])
                    left = self._left(connection, chunk)
                    made = [replace(c, detail=c.detail + left.get(c.key, "")) for c in chunk if left.get(c.key) != _ALL]
                    self.trail.record(connection, made)
            except Exception as error:
                if not store.is_database_error(error):
                    raise
                reason = store.explain_error(error)
                if not store.may_pass(error):
                    return reason
                time.sleep(0.1 * (attempt + 1))
            else:
                self.done.update((change.key, change) for change in made)
                self.waiting.update((c.key, (c, _REMAINS)) for c in chunk if left.get(c.key) == _ALL)
                return ""
        return reason

    def _left(self, connection: Connection, chunk: Sequence[Change]) -> dict[tuple[str, str, str], str]:
        """Say what the server did not do and was silent about, as it is where another role has granted: all, or what.

        Only a look in the transaction that made the changes can tell.
        """
        asked = [change for change in chunk if change.action in _SILENT]
        if not asked:
            return {}
        found = _look(self.access_to, connection).changes
        still = {_about(change): change.detail for change in found if change.action in _SILENT}
        left = {change.key: (change.detail, still[_about(change)]) for change in asked if _about(change) in still}
        return {key: _ALL if was == now else f" (but not {now})" for key, (was, now) in left.items()}

    def _issue(self, found: SecurityPlan, todo: Sequence[Change]) -> None:
        """Give logins their passwords: all are staged, then given to the server, then promoted."""
        states = {state.login.role: state for state in found.states}
        steps = [(change, step_of(states[change.role], found.catalog)) for change in todo]
        for chunk in _chunks(steps):
            self._issue_chunk(chunk)

    def _issue_chunk(self, chunk: Sequence[tuple[Change, Step]]) -> None:
        vault = self.access_to.vault
        for change, _ in chunk:
            self.told(change)
        vault.stage({step.state.login.credential: step.secret for _, step in chunk if not step.staged})
        with ThreadPoolExecutor(_ENABLERS) as pool:
            list(pool.map(self._enable, (part for part in _chunks(chunk, -(-len(chunk) // _ENABLERS)))))
        vault.promote([step.state.login.credential for _, step in chunk if step.promotes])
        self.done.update((change.key, change) for change, _ in chunk)

    def _enable(self, part: Sequence[tuple[Change, Step]]) -> None:
        """Give the server its verifiers; it computes one itself for each, so several connections are faster."""
        store, schema = self.access_to.store, self.access_to.wanted.schema
        with store.engine.begin() as connection:
            store.run(connection, [step.statement(store) for _, step in part])
            access.save_login(connection, schema, [step.issued(self.access_to.clock()) for _, step in part])
            self.trail.record(connection, [change for change, _ in part])

    def _drop(self, found: SecurityPlan, drops: Sequence[Change]) -> None:
        """Drop roles that the model has no longer: their logins end first, then their secrets go, then the roles."""
        if not drops:
            return
        store, schema = self.access_to.store, self.access_to.wanted.schema
        names = {change.role for change in drops}
        with store.engine.begin() as connection:
            shut = [name for name in sorted(names) if found.catalog.roles[name].login]
            store.run(connection, [store.disable(name) for name in shut])
            self.trail.record(connection, [_shut(store, name) for name in shut])
            issued = [one for one in access.issued_logins(connection, schema).values() if one.role in names]
        for one in issued:
            self.access_to.vault.remove(one.credential)
        for chunk in _chunks(drops):
            self._together(chunk)
        with store.engine.begin() as connection:
            access.forget_logins(connection, schema, [one.role for one in issued])

    def synced(self) -> Synced:
        """Return how it ended."""
        return Synced(
            done=tuple(self.done.values()),
            waiting=(*self.waiting.values(), *self.blocked.values()),
            unsafe=tuple(self.refused.values()),
        )


def _shut(store: SecurityStore, name: str) -> Change:
    statements = (store.disable(name),)
    return Change(phase=Phase.DROPS, action="disable", target=f"login {name}", statements=statements)


def _about(change: Change) -> tuple[str, str, str]:
    """Return what a change is about, whatever is left of it: the action, the object, and who has the right."""
    words = "to" if change.action == "grant" else "from"
    return change.action, change.target, change.detail.rpartition(f" {words} ")[2]


def _owns(found: SecurityPlan, wanted: Wanted, ground: Sequence[Change]) -> bool:
    """Tell whether the owner's role is there and owns the platform's schema."""
    return bool(ground) or wanted.names.owner in found.catalog.roles


def _chunks(items: Sequence[_T], size: int = _CHUNK) -> Iterator[Sequence[_T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
