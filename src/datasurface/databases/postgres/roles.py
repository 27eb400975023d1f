"""PostgreSQL and Aurora as the databases whose roles and grants follow a model; works without superuser.

An administrator needs CREATEROLE, CREATE on the database, and INHERIT, which is a role's default.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, cast

import psycopg
from psycopg import errors as pg
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.exc import DBAPIError

from datasurface.databases.base import Login
from datasurface.databases.postgres import roles_sql
from datasurface.databases.postgres.connect import connect, explain, is_transient
from datasurface.databases.postgres.roles_catalog import read_catalog
from datasurface.databases.postgres.sessions import busy
from datasurface.databases.postgres.verifier import verifier
from datasurface.databases.security import Catalog, Membership, Scope
from datasurface.errors import SourceError

__all__ = ["PostgresSecurity"]

_END = """
SELECT count(*) FILTER (WHERE pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE usename = %s
"""


class PostgresSecurity:
    """The roles and grants of one database, through an administrator's login."""

    def __init__(self, login: Login) -> None:
        self._login = login
        self._splits: bool | None = None
        self.engine: Engine = create_engine(
            "postgresql+psycopg://",
            creator=lambda: connect(login),
            pool_size=1,
            max_overflow=3,
            use_native_hstore=False,
        )

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    def read(self, connection: Connection, scope: Scope) -> Catalog:
        """Return what the catalog says."""
        catalog = read_catalog(_raw(connection), scope)
        self._splits = catalog.splits_membership
        return catalog

    @contextmanager
    def turn(self, name: str, seconds: float) -> Iterator[None]:
        """Wait until no other process is in what `name` stands for, and keep others out meanwhile."""
        with self.engine.connect() as connection:
            raw = _raw(connection)
            try:
                raw.execute(f"SET LOCAL lock_timeout = {int(seconds * 1000)}".encode())
                raw.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [name])
            except pg.LockNotAvailable:
                raw.rollback()
                raise busy(raw, name, f" for {seconds:g} s") from None
            raw.commit()
            try:
                yield
            finally:
                raw.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [name])
                raw.commit()

    # -- statements as text

    create_role = staticmethod(roles_sql.create_role)
    alter_role = staticmethod(roles_sql.alter_role)
    create_schema = staticmethod(roles_sql.create_schema)
    give = staticmethod(roles_sql.give)
    grant = staticmethod(roles_sql.grant)
    revoke = staticmethod(roles_sql.revoke)
    set_options = staticmethod(roles_sql.set_options)
    default = staticmethod(roles_sql.default)
    disable = staticmethod(roles_sql.disable)

    def drop_role(self, name: str, heir: str, admin: str) -> Sequence[str]:
        """Return the statements that drop a role; what it owns goes to `heir`."""
        return roles_sql.drop_role(name, heir, admin, splits=bool(self._splits))

    def join(self, membership: Membership) -> str:
        """Return the statement that makes a role a member."""
        return roles_sql.join(membership, splits=bool(self._splits))

    def leave(self, membership: Membership) -> str:
        """Return the statement that ends a membership."""
        return roles_sql.leave(membership, splits=bool(self._splits))

    # -- logins

    def enable(self, login: str, password: str, expires: datetime | None) -> str:
        """Return the statement that lets a role log in with a password, of which it holds only the verifier."""
        return roles_sql.enable(login, verifier(password), expires)

    def end_sessions(self, connection: Connection, login: str, catalog: Catalog) -> int:
        """End the sessions of a login, as its member for the moment, and return how many there were."""
        member = Membership(login, catalog.admin)
        if not catalog.all_powerful:
            self.run(connection, [self.join(member)])
        row = _raw(connection).execute(_END, [login]).fetchone()
        if not catalog.all_powerful:
            self.run(connection, [self.leave(member)])
        return int(row[0]) if row else 0

    def proves(self, login: str, password: str) -> bool:
        """Tell whether the server lets a login in with a password."""
        reached = self._login.current()
        try:
            connect(dataclasses.replace(reached, user=login, password=password, renew=None, refused=None)).close()
        except SourceError:
            return False
        return True

    # -- running

    def run(self, connection: Connection, statements: Sequence[str]) -> None:
        """Run statements made by this store in the open transaction, in one round trip."""
        if statements:
            _raw(connection).execute(";\n".join(statements).encode(), prepare=False)

    def explain_error(self, error: BaseException) -> str:
        """Say a driver's error in one line, without secrets."""
        return explain(_original(error))

    def is_database_error(self, error: BaseException) -> bool:
        """Tell whether an error is the database driver's, and no defect of ours."""
        return isinstance(_original(error), psycopg.Error)

    def may_pass(self, error: BaseException) -> bool:
        """Tell whether an error comes of another process's doing at the same moment."""
        original = _original(error)
        return is_transient(original) or isinstance(original, pg.InternalError_ | pg.LockNotAvailable)


def _raw(connection: Connection) -> psycopg.Connection[Any]:
    return cast("psycopg.Connection[Any]", connection.connection.driver_connection)


def _original(error: BaseException) -> BaseException:
    return error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
