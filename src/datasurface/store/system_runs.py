"""How the jobs of the system ended last: one row a kind, for whoever watches over them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, insert, select, update

from datasurface.store.tables import bind, system_runs

__all__ = ["SystemRun", "read_system_runs", "record_system_run"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemRun:
    """How a job of the system ended last.

    Attributes:
        kind: Which: `apply`, `security`, `retention`, `audit` …
        at: When it ended.
        ok: Whether all is well.
        ok_at: When it last ended well; None if it never did.
        error: Why it is not, without secrets; empty if it is.
    """

    kind: str
    at: datetime
    ok: bool
    ok_at: datetime | None
    error: str


def read_system_runs(connection: Connection, schema: str) -> list[SystemRun]:
    """Return how each kind ended last, sorted by kind."""
    rows = bind(connection, schema).execute(select(system_runs).order_by(system_runs.c.kind))
    return [SystemRun(kind=r.kind, at=r.at, ok=r.ok, ok_at=r.ok_at, error=r.error) for r in rows]


def record_system_run(connection: Connection, schema: str, kind: str, *, error: str = "") -> None:
    """Write how a job of the system has just ended; an error says that not all is well."""
    bound = bind(connection, schema)
    values = {"at": func.clock_timestamp(), "ok": not error, "error": error}
    if not error:
        values["ok_at"] = func.clock_timestamp()
    if not bound.execute(update(system_runs).where(system_runs.c.kind == kind).values(**values)).rowcount:
        bound.execute(insert(system_runs).values(kind=kind, **values))
