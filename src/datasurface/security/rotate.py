"""Give logins new passwords without an interruption: the idle one of a role's two gets it, proves it, and takes over.

The former login goes on working for `GRACE`, for jobs that looked its password up before. After a theft it is disabled
as soon as the new one has taken over, and all sessions of both are ended. What the store hands out always logs in.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from datasurface.errors import ConfigurationError, StoreError
from datasurface.security.access import TURN_SECONDS, Access, Trail
from datasurface.security.change import Change, Phase
from datasurface.security.logins import GRACE, LoginState, Step, new_secret
from datasurface.security.sync import SecurityPlan, plan
from datasurface.store import access

__all__ = ["Rotated", "rotate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotated:
    """How the rotation of one login ended.

    Attributes:
        credential: The name under which stores keep the secret.
        login: The login that is in use now; None if nothing was done.
        former: The one that was.
        ended: How many sessions of the role's two logins were ended.
        reason: Why nothing was done; empty if it was.
    """

    credential: str
    login: str | None = None
    former: str | None = None
    ended: int = 0
    reason: str = ""

    def to_json(self) -> dict[str, object]:
        """Return what `--json` prints; never a password."""
        return {
            "credential": self.credential,
            "login": self.login,
            "former": self.former,
            "ended_sessions": self.ended,
            "reason": self.reason or None,
        }


def rotate(
    access_to: Access,
    *,
    credentials: Collection[str] = (),
    older_than: timedelta = timedelta(0),
    now: bool = False,
    told: Callable[[str], None] = lambda _credential: None,
) -> list[Rotated]:
    """Rotate logins and return what became of each, sorted by credential.

    Args:
        access_to: The database.
        credentials: Those to rotate, by the names of their credentials; all if empty.
        older_than: How old a password has to be.
        now: Whether the former logins end at once instead of after `GRACE`, with all sessions of both logins.
        told: Hears of every credential before it is rotated.

    Raises:
        ConfigurationError: there is no such login.
        StoreError: a login does not get in with its new password; the former one goes on.
        ApplyBlockedError: another sync takes longer than a minute.
    """
    with access_to.faults(), access_to.store.turn(access_to.lock, TURN_SECONDS):
        found = plan(access_to)
        known = {state.login.credential: state for state in found.states}
        unknown = sorted(set(credentials) - known.keys())
        if unknown:
            raise ConfigurationError(
                f"there is no login {unknown[0]!r}", hint=f"the logins are {', '.join(sorted(known))}"
            )
        work = _Rotation(access_to, Trail(access_to), found, older_than, now)
        done = []
        for credential in sorted(credentials or known):
            told(credential)
            done.append(work.one(known[credential]))
        return done


@dataclass(frozen=True, slots=True)
class _Rotation:
    access_to: Access
    trail: Trail
    found: SecurityPlan
    older_than: timedelta
    now: bool

    def one(self, state: LoginState) -> Rotated:
        """Rotate one login, or say why not."""
        credential, moment = state.login.credential, self.access_to.clock()
        reason = self._too_early(state, moment)
        if reason:
            return Rotated(credential=credential, reason=reason)
        former = state.active
        ended = self._clear(state) if self.now else 0
        step = self._issue(state)
        self.access_to.vault.promote([credential])
        ended += self._take_over(step)
        return Rotated(credential=credential, login=step.user, former=former, ended=ended)

    def _too_early(self, state: LoginState, moment: datetime) -> str:
        if state.foreign:
            return "its secret is not one of DataSurface's"
        if any(name not in self.found.catalog.roles for name in state.names):
            return "its roles do not exist yet: run `datasurface security sync`"
        issued = state.issued
        if issued is None or state.active is None or self.now or state.staged is not None:
            return ""
        age = moment - issued.issued_at
        if age < self.older_than:
            return f"its password is {_shown(age)} old"
        if state.former(moment) is not None:
            left = issued.issued_at + GRACE - moment
            return f"its former login may be in use for another {_shown(left)}"
        return ""

    def _issue(self, state: LoginState) -> Step:
        """Stage a new password, give it to the idle login, and prove it."""
        store, credential = self.access_to.store, state.login.credential
        secret = state.pending if state.staged == state.idle and not self.now else None
        step = Step(state=state, secret=secret or new_secret(state.idle), staged=secret is not None, promotes=True)
        if not step.staged:
            self.access_to.vault.stage({credential: step.secret})
        with store.engine.begin() as connection:
            store.run(connection, [step.statement(store)])
            self._record(connection, "rotate", step.user, f"kept as {credential}")
        if not store.proves(step.user, step.secret.password or ""):
            raise StoreError(
                f"login {step.user} does not get in with its new password",
                hint="does pg_hba.conf let it in? The former login goes on working; rotate again afterwards",
            )
        return step

    def _clear(self, state: LoginState) -> int:
        """End what is left of the idle login's sessions, which began with a password that somebody may know."""
        store = self.access_to.store
        with store.engine.begin() as connection:
            store.run(connection, [store.disable(state.idle)])
            self._record(connection, "disable", state.idle, "until it has its new password, with its sessions")
        return self._end(state.idle)

    def _take_over(self, step: Step) -> int:
        """Remember which login jobs find; if it is `now`, end the other one and return how many sessions it had."""
        store, schema = self.access_to.store, self.access_to.wanted.schema
        others = [name for name in step.state.names if name != step.user] if self.now else []
        with store.engine.begin() as connection:
            access.save_login(connection, schema, [step.issued(self.access_to.clock())])
            for name in others:
                store.run(connection, [store.disable(name)])
                self._record(connection, "disable", name, "at once, with its sessions")
        return sum(self._end(name) for name in others)

    def _end(self, login: str) -> int:
        """End the sessions of a login that is disabled: those that began meanwhile too."""
        with self.access_to.store.engine.begin() as connection:
            return self.access_to.store.end_sessions(connection, login, self.found.catalog)

    def _record(self, connection: Connection, action: str, login: str, detail: str) -> None:
        change = Change(phase=Phase.LOGINS, action=action, target=f"login {login}", detail=detail)
        self.trail.record(connection, [change])


def _shown(length: timedelta) -> str:
    """Return a length in the largest unit that says it well."""
    seconds = max(int(length.total_seconds()), 0)
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= size:
            number = seconds // size
            return f"{number} {unit}{'' if number == 1 else 's'}"
    return f"{seconds} second{'' if seconds == 1 else 's'}"
