"""A platform's database as an administrator of access reaches it, and the trail that every change leaves."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from datasurface.databases.security import SecurityStore
from datasurface.errors import SourceError, StoreError, TransientError
from datasurface.security.change import Change
from datasurface.security.vault import Vault
from datasurface.security.wanted import Wanted
from datasurface.store.access import RecordedChange, record
from datasurface.store.schema_version import PlatformIdentity

__all__ = ["TURN_SECONDS", "Access", "Trail"]

_ADMINISTRATOR = (
    "GRANT to the administrator the role that owns the platform's objects now, or let a superuser sync once"
)

TURN_SECONDS = 60.0
"""How long a sync waits for another one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """A platform's database as an administrator reaches it, and what is to be made so there.

    Attributes:
        store: The database.
        vault: Where passwords are kept.
        wanted: What the model says.
        digest: The release that says it.
        who: Who asks, for the audit trail.
        clock: Returns the time, in UTC.
    """

    store: SecurityStore
    vault: Vault
    wanted: Wanted
    digest: str
    who: str
    clock: Callable[[], datetime]

    @property
    def identity(self) -> PlatformIdentity:
        """Whose platform it is."""
        spec = self.wanted.spec
        return PlatformIdentity(ecosystem=spec.ecosystem, environment=spec.environment, name=spec.name)

    @contextmanager
    def faults(self) -> Iterator[None]:
        """Turn what the database refuses as a whole into an error that says what to do."""
        try:
            yield
        except (SourceError, TransientError) as error:
            raise StoreError(f"platform {self.wanted.spec.name!r}: {error.message}", hint=error.hint) from error
        except Exception as error:
            if not self.store.is_database_error(error):
                raise
            raise StoreError(
                f"platform {self.wanted.spec.name!r}: {self.store.explain_error(error)}", hint=_ADMINISTRATOR
            ) from error

    @property
    def lock(self) -> str:
        """What one process at a time is in."""
        return f"security {self.wanted.schema}"


class Trail:
    """The audit trail of one command: who changed what, when, and the release that asked for it."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._name = str(uuid.uuid4())
        self._lines = 0
        self._lock = threading.Lock()

    def record(self, connection: Connection, changes: Sequence[Change]) -> None:
        """Add changes, in the transaction that makes them."""
        access, at = self._access, self._access.clock()
        with self._lock:
            first, self._lines = self._lines + 1, self._lines + len(changes)
        rows = [
            RecordedChange(
                sync=self._name,
                number=number,
                at=at,
                who=access.who,
                action=change.action,
                target=change.target,
                detail=change.detail,
                statements=";\n".join(change.statements),
                model_digest=access.digest,
            )
            for number, change in enumerate(changes, first)
        ]
        record(connection, access.wanted.schema, rows)
