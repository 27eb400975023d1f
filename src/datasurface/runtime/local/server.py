"""Start, find and stop the server of a folder. Whoever comes second finds what the first has started."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote as percent

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from datasurface.databases.postgres.connect import OWN_SERVER
from datasurface.errors import ConfigurationError, StoreError
from datasurface.runtime.local.account import account_of
from datasurface.runtime.local.cluster import SUPERUSER
from datasurface.runtime.local.launch import HOST, facts_of, launch, settled
from datasurface.runtime.local.place import Place, told_as_store_error
from datasurface.runtime.local.postmaster import Postmaster, alive, find

__all__ = ["LocalServer", "ensure_database", "start", "status", "stop"]

_PAUSE = 0.02
_OWN_AND_OPEN = """
SELECT datname::text FROM pg_database
WHERE datname IN ('postgres', 'template1') AND has_database_privilege('public', oid, 'CONNECT')
"""
_LONGEST_NAME = 63  # bytes; PostgreSQL would cut a longer one silently


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalServer:
    """A running server and how to connect to it as its superuser."""

    folder: Path
    host: str
    port: int
    socket_folder: Path
    user: str
    password: str = field(repr=False)
    version: str
    pid: int

    def uri(self, database: str) -> str:
        """Return `postgresql://user:password@host:port/database`, percent-encoded."""
        user, password, name = (percent(part, safe="") for part in (self.user, self.password, database))
        return f"postgresql://{user}:{password}@{self.host}:{self.port}/{name}"


def status(folder: Path) -> LocalServer | None:
    """Return the server of `folder` if it accepts connections, else None. Starts nothing.

    Raises:
        StoreError: The folder belongs to another user.
        SecretError: The password is missing or readable by others.
    """
    place = Place.at(folder)
    with told_as_store_error(place.folder):
        running = find(place.data)
        return _described(place, running) if running and running.ready else None


def start(folder: Path, *, timeout: float = 60.0) -> LocalServer:
    """Return the running server of `folder`, after making and starting it where needed. It outlives this process.

    Raises:
        MissingExtraError: The extra `local` is not installed.
        StoreError: It cannot be made or started; holds the end of the server's log.
        TransientError: It needs longer than `timeout` seconds, as after a crash.
    """
    if found := status(folder):
        return found
    place = Place.at(folder)
    deadline = time.monotonic() + timeout
    with told_as_store_error(place.folder):
        account = account_of(place.data)
        place.prepare(account)
        with place.locked(deadline):
            running = settled(place, deadline) or launch(place, account, deadline)
            return _described(place, running)


def stop(folder: Path, *, timeout: float = 60.0) -> bool:
    """Stop the server of `folder`, ending its sessions, and wait until it is gone. False when none ran.

    Raises:
        StoreError: It did not stop within `timeout` seconds, or belongs to another user.
    """
    place = Place.at(folder)
    deadline = time.monotonic() + timeout
    with told_as_store_error(place.folder):
        if find(place.data) is None:
            return False
        with place.locked(deadline):
            running = find(place.data)
            if running is None:
                return False
            os.kill(running.pid, signal.SIGINT)  # PostgreSQL's "fast" shutdown
            while alive(running.pid):
                if time.monotonic() > deadline:
                    raise StoreError(
                        f"the server in {place.folder} (process {running.pid}) did not stop in {timeout:g} s"
                    )
                time.sleep(_PAUSE)
            with suppress(OSError):
                running.socket_folder.rmdir()
    return True


def ensure_database(server: LocalServer, database: str) -> None:
    """Create `database` on the server if it is missing; nobody but superusers comes into the server's own two.

    Raises:
        ConfigurationError: PostgreSQL allows no such name.
        StoreError: The server refuses.
    """
    if not database or "\0" in database or len(database.encode()) > _LONGEST_NAME:
        raise ConfigurationError(f"{database!r} cannot name a database: 1 to {_LONGEST_NAME} bytes")
    try:
        where = make_conninfo(server.uri("postgres"), connect_timeout=10, **OWN_SERVER)
        with psycopg.connect(where, autocommit=True) as connection:
            _close_own(connection)
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone():
                return
            # Another process may create it at this moment.
            with suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
    except psycopg.Error as error:
        raise StoreError(f"cannot create database {database!r} in {server.folder}: {error}") from error


def _close_own(connection: psycopg.Connection[tuple[str]]) -> None:
    """Let no role into the databases that every server has, where the logins of code would have no business."""
    for (name,) in connection.execute(_OWN_AND_OPEN).fetchall():
        # Another process may do it at this moment.
        with suppress(psycopg.errors.InternalError_):
            connection.execute(
                sql.SQL("REVOKE CONNECT, TEMPORARY ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name))
            )


def _described(place: Place, running: Postmaster) -> LocalServer:
    return LocalServer(
        folder=place.folder,
        host=HOST,
        port=running.port,
        socket_folder=running.socket_folder,
        user=SUPERUSER,
        password=place.password(),
        version=str(facts_of(place).get("version", "")),
        pid=running.pid,
    )
