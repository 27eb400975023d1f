"""What PostgreSQL can do, and the doors to reading and merging it. Driver-free: those who pass the doors import it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from datasurface.databases.postgres.types import keyable, physical_type
from datasurface.errors import ConfigurationError
from datasurface.govern.capabilities import Capabilities
from datasurface.model.infrastructure import PostgresDatabase
from datasurface.model.vocabulary import History, Tls

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from datasurface.databases.access import AccessCatalog
    from datasurface.databases.base import Login, Source
    from datasurface.databases.code import CodeDatabase
    from datasurface.databases.merge import MergeStore
    from datasurface.databases.security import SecurityStore
    from datasurface.databases.vitals import Vitals

__all__ = ["ADAPTER", "PostgresAdapter"]

_SCHEMES = ("postgresql", "postgres")


class PostgresAdapter:
    """PostgreSQL 14 to 18, Aurora PostgreSQL and the embedded server."""

    capabilities = Capabilities(
        database="PostgreSQL",
        containers=("PostgresDatabase", "AuroraDatabase", "EmbeddedPostgres"),
        captures=frozenset({"Snapshot"}),
        merges=frozenset({History.LIVE.value, History.FULL.value}),
        name_limit=63,
        physical_type=physical_type,
        keyable=keyable,
    )

    def source(self, login: Login) -> Source:
        """Connect to read."""
        from datasurface.databases.postgres.source import PostgresSource  # noqa: PLC0415 - imports the driver

        return PostgresSource(login)

    def merge_store(self, login: Login) -> MergeStore:
        """Connect to merge."""
        from datasurface.databases.postgres.store import PostgresStore  # noqa: PLC0415 - imports the driver

        return PostgresStore(login)

    def code_database(self) -> CodeDatabase:
        """Return what it does for transformers' code."""
        from datasurface.databases.postgres.code import PostgresCode  # noqa: PLC0415 - imports the driver

        return PostgresCode()

    def access_catalog(self) -> AccessCatalog:
        """Return how it says who may read what."""
        from datasurface.databases.postgres.access import PostgresAccess  # noqa: PLC0415 - imports the driver

        return PostgresAccess()

    def security_store(self, login: Login) -> SecurityStore:
        """Connect as an administrator of roles and grants."""
        from datasurface.databases.postgres.roles import PostgresSecurity  # noqa: PLC0415 - imports the driver

        return PostgresSecurity(login)

    def vitals(self, connection: Connection) -> Vitals:
        """Tell how the server of a merge database fares."""
        from datasurface.databases.postgres.vitals import vitals  # noqa: PLC0415 - only monitoring asks

        return vitals(connection)

    def container_from_url(self, url: str) -> PostgresDatabase | None:
        """Return the database that `postgresql://user@host:port/database?sslmode=…` means; None for another scheme.

        User and password are no part of a container.

        Raises:
            ConfigurationError: it names no host or database, a port or `sslmode` that cannot be.
        """
        scheme, separator, _ = url.partition("://")
        if not separator or scheme.lower() not in _SCHEMES:
            return None
        split = _split(url)
        if split is None:
            raise ConfigurationError(
                "the host or port of the PostgreSQL URL cannot be read",
                hint="write / @ : # ? in a user or password as %2F %40 %3A %23 %3F",
            )
        parts, port = split
        options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        database = unquote(parts.path.removeprefix("/")) or options.get("dbname", "")
        host = unquote(parts.hostname or "") or options.get("host", "")
        if not database or not host:
            raise ConfigurationError(
                "a PostgreSQL URL names a host and a database", hint="postgresql://USER@HOST:PORT/DATABASE"
            )
        return PostgresDatabase(
            _identifier(database), host=host, port=port, database=database, tls=_tls(options.get("sslmode"))
        )


def _split(url: str) -> tuple[SplitResult, int] | None:
    """Return the URL's parts and its port; None if it has none that can be. The errors, which show them, end here."""
    try:
        parts = urlsplit(url)
        port = parts.port or 5432
    except ValueError:
        return None
    return parts, port


def _identifier(name: str) -> str:
    cleaned = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_")
    return cleaned if cleaned[:1].isalpha() else f"db_{cleaned}".rstrip("_")


def _tls(mode: str | None) -> Tls:
    if mode is None or mode == "allow":
        return Tls.PREFER
    try:
        return Tls(mode)
    except ValueError as error:
        known = ", ".join(t.value for t in Tls)
        raise ConfigurationError(f"the URL's sslmode {mode!r} is unknown", hint=f"one of {known}") from error


ADAPTER = PostgresAdapter()
