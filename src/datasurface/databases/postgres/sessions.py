"""Sessions of PostgreSQL as the platform has to deal with them: those that code left behind, those that hold a lock."""

from __future__ import annotations

import logging
from contextlib import closing
from typing import Any

import psycopg

from datasurface.databases.base import Login
from datasurface.databases.postgres.connect import connect
from datasurface.errors import ApplyBlockedError, DataSurfaceError

__all__ = ["busy", "end_sessions"]

_LOGGER = logging.getLogger("datasurface.transform")
_ANY = "SELECT FROM pg_catalog.pg_stat_activity WHERE usename = %s LIMIT 1"
_END = """
SELECT count(*) FILTER (WHERE pg_catalog.pg_terminate_backend(pid, 5000)) FROM pg_catalog.pg_stat_activity
WHERE usename = session_user AND pid <> pg_catalog.pg_backend_pid()
"""
_HOLDER = """
SELECT a.pid, a.usename FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
    AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
    AND (l.classid::bigint << 32 | l.objid::bigint) = pg_catalog.hashtextextended(%s, 0)
LIMIT 1
"""


def end_sessions(raw: psycopg.Connection[Any], login: Login) -> int:
    """End every session of a login, and return how many there were; a session that has ended holds no lock.

    Asks under that very login, because a role may always end its own sessions, and the platform's perhaps not those of
    others. If that fails it is logged: what the platform does next waits for locks only so long.

    Args:
        raw: The platform's connection, which sees whether there are any.
        login: Whose sessions.
    """
    raw.execute(
        "SELECT pg_catalog.pg_stat_clear_snapshot()"
    )  # else a transaction sees who was there when it looked first
    if raw.execute(_ANY, [login.user]).fetchone() is None:
        return 0
    try:
        with closing(connect(login)) as own:
            row = own.execute(_END).fetchone()
            return int(row[0]) if row else 0
    except (psycopg.Error, DataSurfaceError) as error:
        _LOGGER.warning("sessions of %s were left behind and cannot be ended: %s", login.user, error)
        return 0


def busy(raw: psycopg.Connection[Any], name: str, since: str = "") -> ApplyBlockedError:
    """Return the error that tells that somebody else is in what an advisory lock of that name stands for, and who."""
    row = raw.execute(_HOLDER, [name]).fetchone()
    who = f" (session {row[0]} of {row[1]} holds it)" if row else ""
    return ApplyBlockedError(f"another process is busy with it{since}: {name}{who}", hint="run again when it has ended")
