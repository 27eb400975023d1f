"""The databases of the demonstration: one for the source and one for the platform, empty at the start of every run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import psycopg
from psycopg import sql

from datasurface.errors import ConfigurationError
from datasurface.model.infrastructure import EmbeddedPostgres
from datasurface.runtime.local import LocalServer, ensure_database, folder_for, start

__all__ = ["empty_database"]

_MARK = "made by datasurface demo"


def empty_database(container: EmbeddedPostgres, folder: Path, environ: Mapping[str, str] = os.environ) -> LocalServer:
    """Start a container's server and give it an empty database, ending whatever an earlier run left.

    Args:
        container: The server; it names its database.
        folder: The demonstration's folder.
        environ: The environment variables.

    Raises:
        ConfigurationError: servers are shared, as `DATASURFACE_HOME` says, and the database is not the demonstration's.
    """
    server = start(folder_for(folder, container.name, environ))
    database = container.database or ""
    with psycopg.connect(server.uri("postgres"), autocommit=True, sslmode="disable") as connection:
        shared = bool(environ.get("DATASURFACE_HOME"))
        if shared and _exists(connection, database) and not _is_ours(connection, database):
            raise ConfigurationError(
                f"the server in {server.folder} has a database {database!r} that no demo made",
                hint="unset DATASURFACE_HOME to run the demo on servers of its own",
            )
        name = sql.Identifier(database)
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
        ensure_database(server, database)
        connection.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(name, sql.Literal(_MARK)))
    return server


def _exists(connection: psycopg.Connection, database: str) -> bool:
    return connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone() is not None


def _is_ours(connection: psycopg.Connection, database: str) -> bool:
    statement = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s"
    row = connection.execute(statement, [database]).fetchone()
    return row is not None and row[0] == _MARK
