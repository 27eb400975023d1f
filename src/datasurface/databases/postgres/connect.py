"""Connections to PostgreSQL: how a login becomes one, and which faults may pass by themselves."""

from __future__ import annotations

import re
from typing import Any

import psycopg
from psycopg import errors as pg

from datasurface.databases.base import Login
from datasurface.errors import DataSurfaceError, SourceError, TransientError
from datasurface.model.infrastructure import AuroraDatabase, PostgresDatabase

__all__ = ["OWN_SERVER", "connect", "explain", "is_transient", "parameters"]

_SETTINGS = {
    "timezone": "UTC",
    "datestyle": "ISO, YMD",
    "intervalstyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "client_encoding": "UTF8",
    "search_path": "pg_catalog",
    "xmloption": "content",
    "statement_timeout": "0",
    "standard_conforming_strings": "on",
    "quote_all_identifiers": "off",
}
"""What makes the same value look the same in every session, whatever the server's or the user's defaults."""

_SPLITS_MEMBERSHIP = 160000
_ASSUME = """
SELECT set_config('role', rolname, false) FROM pg_roles r WHERE rolname = %s AND pg_has_role(session_user, oid, %s)
AND EXISTS (SELECT FROM pg_namespace WHERE nspowner = r.oid)
"""
"""A role is a server's; only in databases where it owns a schema has it taken over."""

_NOT_FROM_ENVIRONMENT = {"options": "", "hostaddr": "", "target_session_attrs": "any"}
"""What a login of the model's own does not take from libpq's `PG*` variables, which are for logins without one."""

OWN_SERVER = {
    **_NOT_FROM_ENVIRONMENT,
    "channel_binding": "prefer",
    "require_auth": "scram-sha-256",
    "gssencmode": "disable",
    "sslmode": "disable",
    "sslrootcert": "",
}
"""What our own server on the loopback does not take from them either."""

_TRANSIENT = re.compile(r"08\d{3}|57P0[1-5]|40001|40P01|53300|55P03|25P03")
_REFUSED = re.compile(
    r"password authentication failed|no password supplied|does not exist|no pg_hba\.conf entry|permission denied|"
    r"role .* is not permitted|certificate|server does not support SSL"
)
_OTHER_LOGIN = re.compile(r'password authentication failed|role ".*" does not exist|is not permitted to log in')
"""Refusals that a rotated secret explains."""


class _LoginRefusedError(SourceError):
    """The server does not know this user with this password."""


def parameters(login: Login) -> dict[str, Any]:
    """Return libpq's parameters for a login; what is absent is left to libpq's own defaults."""
    container = login.container
    if not isinstance(container, PostgresDatabase | AuroraDatabase):
        raise SourceError(f"{container.label()} is no PostgreSQL database")
    given: dict[str, Any] = {
        "host": container.host,
        "port": container.port,
        "dbname": container.database,
        "sslmode": container.tls.value,
        "user": login.user,
        "password": login.password,
    }
    if login.user is not None:
        given |= _NOT_FROM_ENVIRONMENT
    if login.own:
        given |= OWN_SERVER
    return {
        "application_name": "datasurface",
        "connect_timeout": 10,
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        **{name: value for name, value in given.items() if value is not None},
    }


def connect(login: Login) -> psycopg.Connection[Any]:
    """Open a connection with settings under which values look the same everywhere.

    Raises:
        SourceError: the server refuses: password, role, database.
        TransientError: the server cannot be reached now.
    """
    role, login = login.role, login.current()
    opened = _connection(login, role)
    if isinstance(opened, _LoginRefusedError) and (another := login.another()) is not None:
        opened = _connection(another, role)
    if isinstance(opened, DataSurfaceError):
        raise opened
    return opened


def _connection(login: Login, role: str | None) -> psycopg.Connection[Any] | DataSurfaceError:
    """Return a connection, or why there is none: raised elsewhere, because the driver's frames hold the password."""
    try:
        connection = psycopg.connect(**parameters(login), autocommit=True, prepare_threshold=3)
    except psycopg.Error as error:
        return _connection_error(error, login)
    try:
        calls = ", ".join(f"set_config('{name}', '{value}', false)" for name, value in _SETTINGS.items())
        connection.execute(f"SELECT {calls}".encode())
        if role is not None:
            may = "SET" if connection.info.server_version >= _SPLITS_MEMBERSHIP else "MEMBER"
            connection.execute(_ASSUME, [role, may])
        connection.autocommit = False
    except psycopg.Error as error:
        connection.close()
        return _connection_error(error, login)
    return connection


def _connection_error(error: psycopg.Error, login: Login) -> DataSurfaceError:
    text = _without_password(str(error), login)
    message = f"cannot connect to {login.container.label()}: {text}"
    if _OTHER_LOGIN.search(text) or (error.sqlstate or "") in {"28P01", "28000"}:
        return _LoginRefusedError(message, hint="check user and password, then run `datasurface doctor`")
    if _REFUSED.search(text) or (error.sqlstate or "").startswith(("28", "3D")):
        return SourceError(message, hint="check database, user and password, then run `datasurface doctor`")
    return TransientError(message, hint="is the server running and reachable from here?")


def _without_password(text: str, login: Login) -> str:
    line = " ".join(text.split())
    return line.replace(login.password, "***") if login.password else line


def is_transient(error: BaseException) -> bool:
    """Tell whether an error may pass by itself: a lost connection, a restart, a lock, a full connection table."""
    if isinstance(error, TransientError):
        return True
    if not isinstance(error, psycopg.Error):
        return False
    if error.sqlstate:
        return _TRANSIENT.fullmatch(error.sqlstate) is not None
    return isinstance(error, psycopg.OperationalError)


def explain(error: BaseException) -> str:
    """Say a driver's error in one line: the server's message and, where it helps, table and column; no row values."""
    if not isinstance(error, psycopg.Error):
        return " ".join(str(error).split())
    diagnosis = error.diag
    parts = [diagnosis.message_primary or " ".join(str(error).split())]
    if isinstance(error, pg.NotNullViolation) and diagnosis.column_name:
        return f"column {diagnosis.column_name!r} holds NULL, but the model says that it may not be"
    if isinstance(error, pg.DiskFull):
        parts.append("the database server's disk is full: make room there and run again")
    return "; ".join(parts)
