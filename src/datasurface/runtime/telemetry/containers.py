"""How others name the databases of a model: OpenTelemetry's attributes, OpenLineage's namespaces and names. Pure.

By https://opentelemetry.io/docs/specs/semconv/database/ and https://openlineage.io/docs/spec/naming/.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from datasurface.model.infrastructure import (
    AuroraDatabase,
    Container,
    Db2Database,
    EmbeddedPostgres,
    MySQLDatabase,
    OracleDatabase,
    PostgresDatabase,
    SnowflakeDatabase,
    SqliteDatabase,
    SqlServerDatabase,
)

__all__ = ["Known", "known"]


_Server = PostgresDatabase | AuroraDatabase | MySQLDatabase | SqlServerDatabase | OracleDatabase | Db2Database
_SERVERS: Mapping[type[Container], tuple[str, str]] = {
    PostgresDatabase: ("postgresql", "postgres"),
    AuroraDatabase: ("postgresql", "postgres"),
    MySQLDatabase: ("mysql", "mysql"),
    SqlServerDatabase: ("microsoft.sql_server", "mssql"),
    OracleDatabase: ("oracle.db", "oracle"),
    Db2Database: ("ibm.db2", "db2"),
}
"""OpenTelemetry's name of the system, and the scheme of OpenLineage's namespaces."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A container as others name it.

    Attributes:
        system: Its `db.system.name`.
        database: What its tables are in: the first part of their names; empty if there is none.
        host: Its server; empty if it has none that others could reach.
        namespace: OpenLineage's, the same for whoever reads or writes it.
    """

    system: str
    database: str
    host: str = ""
    port: int | None = None
    namespace: str

    def dataset(self, schema: str | None, table: str) -> str:
        """Return OpenLineage's name of a table."""
        return ".".join(part for part in (self.database, schema or "", table) if part)


def known(container: Container, ecosystem: str) -> Known:
    """Return how others name a container; what the standards do not know gets a namespace of its own.

    An embedded server's port is another after each start, so it is named by the ecosystem that it is of.
    """
    own = f"{ecosystem}/{container.name}"
    if isinstance(container, EmbeddedPostgres):
        database = container.database or ecosystem
        return Known(system="postgresql", database=database, namespace=f"embedded-postgres://{own}")
    if isinstance(container, SnowflakeDatabase):
        account = container.account.lower()
        return Known(system="snowflake", database=container.database, namespace=f"snowflake://{account}")
    if isinstance(container, SqliteDatabase):
        return Known(system="sqlite", database="", namespace=f"sqlite://{own}")
    if isinstance(container, _Server):
        system, scheme = _SERVERS[type(container)]
        database = container.service if isinstance(container, OracleDatabase) else container.database
        host, port = container.host, container.port
        namespace = f"{scheme}://{host}:{port}"
        return Known(system=system, database=database, host=host, port=port, namespace=namespace)
    return Known(system="other_sql", database="", namespace=f"datasurface://{own}")
