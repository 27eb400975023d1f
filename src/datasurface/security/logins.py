"""Which of each role's two logins may log in, and the steps that give one of them a password.

Each step leaves every login's password known to the store, as current or as pending; so a crash between any two of them
is made good by the next sync: a pending secret is given to its login again, and promoted.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from datasurface.databases.security import Catalog, SecurityStore
from datasurface.names import RoleNames
from datasurface.secrets.base import Secret
from datasurface.security.change import Change, Phase
from datasurface.security.vault import Vault
from datasurface.security.wanted import LoginRole
from datasurface.store.access import IssuedLogin

__all__ = ["GRACE", "LoginState", "Step", "login_changes", "login_states", "new_secret", "step_of"]

GRACE = timedelta(hours=1)
"""How long the former login may still be used after a rotation, by jobs that looked its password up before."""

_PASSWORD_BYTES = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginState:
    """What is known of a role's two logins.

    Attributes:
        login: The role.
        names: Its two logins.
        current: The secret that jobs find.
        pending: The one that is staged.
        issued: What the platform remembers.
    """

    login: LoginRole
    names: tuple[str, str]
    current: Secret | None
    pending: Secret | None
    issued: IssuedLogin | None

    @property
    def active(self) -> str | None:
        """The login that jobs use now; None if there is none of ours."""
        return self.current.user if self.current is not None and self.current.user in self.names else None

    @property
    def staged(self) -> str | None:
        """The login whose new password is staged."""
        pending = self.pending
        return pending.user if pending is not None and pending.password and pending.user in self.names else None

    @property
    def idle(self) -> str:
        """The login that jobs do not use."""
        return self.names[1] if self.active == self.names[0] else self.names[0]

    @property
    def foreign(self) -> bool:
        """Whether somebody keeps a secret of his own under the credential's name, so that no login is made."""
        return self.current is not None and self.active is None

    def former(self, now: datetime) -> str | None:
        """Return the login that was in use before and may be for a while yet."""
        issued = self.issued
        if issued is None or self.active is None or issued.login != self.active or issued.previous == self.active:
            return None
        return issued.previous if now < issued.issued_at + GRACE else None

    def enabled(self, catalog: Catalog, now: datetime) -> frozenset[str]:
        """Return the logins that may log in."""
        if self.foreign:
            return frozenset()
        found = {self.active, self.staged} - {None}
        former = self.former(now)
        if former is not None and _logs_in(catalog, former):
            found.add(former)
        return frozenset({name for name in found if name is not None} or {self.first(catalog)})

    def first(self, catalog: Catalog) -> str:
        """Return the login to give a first password: not one that somebody may be using."""
        return self.names[1] if _logs_in(catalog, self.names[0]) else self.names[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A login to be given a password: that of the store, or a new one that is to be staged first.

    Attributes:
        secret: User and password.
        staged: Whether the store has it already.
        promotes: Whether it becomes the current one.
    """

    state: LoginState
    secret: Secret
    staged: bool
    promotes: bool

    @property
    def user(self) -> str:
        """The login."""
        return self.secret.user or ""

    def statement(self, store: SecurityStore) -> str:
        """Return what lets the login in; it holds the verifier and is never shown."""
        return store.enable(self.user, self.secret.password or "", self.state.login.expires)

    def issued(self, now: datetime) -> IssuedLogin:
        """Return what the platform remembers afterwards."""
        login, issued = self.state.login, self.state.issued
        if not self.promotes and issued is not None and issued.login == self.user:
            return issued
        previous = self.state.active if self.promotes and self.state.active != self.user else None
        return IssuedLogin(
            role=login.role, credential=login.credential, login=self.user, previous=previous, issued_at=now
        )


def login_states(
    logins: Collection[LoginRole], names: RoleNames, vault: Vault, issued: Mapping[str, IssuedLogin]
) -> list[LoginState]:
    """Return what is known of every role that is logged in for."""
    return [
        LoginState(
            login=login,
            names=names.logins(login.role),
            current=vault.current(login.credential),
            pending=vault.pending(login.credential),
            issued=issued.get(login.role),
        )
        for login in logins
    ]


def login_changes(states: Sequence[LoginState], catalog: Catalog) -> Iterator[Change]:
    """Yield logins that are to be given a password: a first one, the store's again, or one that is still pending."""
    for state in states:
        if state.foreign:
            continue
        if state.staged is not None:
            yield _enable(state, state.staged, "with the password that is pending")
        elif state.active is not None and not _logs_in(catalog, state.active):
            yield _enable(state, state.active, "with the password that the store has")
        elif state.active is None:
            yield _enable(state, state.first(catalog), "with a new password")


def _enable(state: LoginState, login: str, detail: str) -> Change:
    return Change(
        phase=Phase.LOGINS,
        action="enable",
        target=f"login {login}",
        detail=f"{detail}, kept as {state.login.credential}",
        statements=(f"ALTER ROLE {login} LOGIN PASSWORD ***",),
        role=state.login.role,
    )


def step_of(state: LoginState, catalog: Catalog) -> Step:
    """Return how a login of `login_changes` gets its password."""
    if state.staged is not None and state.pending is not None:
        return Step(state=state, secret=state.pending, staged=True, promotes=True)
    if state.active is not None and state.current is not None:
        return Step(state=state, secret=state.current, staged=True, promotes=False)
    return Step(state=state, secret=new_secret(state.first(catalog)), staged=False, promotes=True)


def new_secret(login: str) -> Secret:
    """Return a random password of 192 bits for a login, in characters that no server changes."""
    return Secret(user=login, password=secrets.token_urlsafe(_PASSWORD_BYTES))


def _logs_in(catalog: Catalog, name: str) -> bool:
    role = catalog.roles.get(name)
    return role is not None and role.login
