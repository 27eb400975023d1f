"""Give logins new passwords without an interruption: the idle one of a role's two gets it, proves it, and takes over.

The former login goes on working for `GRACE`, for jobs that looked its password up before; a compromised one is disabled
at once, and its sessions are ended.
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
        ended: How many of the former login's sessions were ended.
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
        now: Whether the former logins end at once, with their sessions, instead of after `GRACE`.
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
        step = self._issue(state)
        ended = self._end(former) if self.now and former is not None else 0
        self._take_over(step)
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

    def _end(self, former: str) -> int:
        """Disable a login at once, and end its sessions: those that began meanwhile too."""
        store = self.access_to.store
        with store.engine.begin() as connection:
            store.run(connection, [store.disable(former)])
            self._record(connection, "disable", former, "at once, with its sessions")
        with store.engine.begin() as connection:
            return store.end_sessions(connection, former, self.found.catalog)

    def _take_over(self, step: Step) -> None:
        """Make the new password the one that jobs find."""
        self.access_to.vault.promote([step.state.login.credential])
        with self.access_to.store.engine.begin() as connection:
            access.save_login(connection, self.access_to.wanted.schema, [step.issued(self.access_to.clock())])

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
