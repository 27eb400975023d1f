"""Where data lives: vendors, locations, databases and other containers, and the names of credentials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from typing import TypeAlias

from datasurface.model.base import Noun, noun
from datasurface.model.vocabulary import Cloud, CredentialKind, Tls

__all__ = [
    "AuroraDatabase",
    "Container",
    "Credential",
    "Db2Database",
    "DuckLake",
    "EmbeddedPostgres",
    "FileStore",
    "KafkaCluster",
    "MySQLDatabase",
    "OracleDatabase",
    "PostgresDatabase",
    "SnowflakeDatabase",
    "SqlServerDatabase",
    "SqliteDatabase",
    "Vendor",
]


@noun
class Vendor(Noun):
    """Somebody who runs machines, and where; a location is referred to as `"vendor:usa/ny1"`."""

    name: str = field(kw_only=False)
    cloud: Cloud = Cloud.PRIVATE
    locations: Sequence[str] = ()
    doc: str = ""


@noun
class Credential(Noun):
    """The name of a secret, never the secret. A plain string means a PASSWORD."""

    shorthand = True

    name: str = field(kw_only=False)
    kind: CredentialKind = CredentialKind.PASSWORD


CredentialLike: TypeAlias = Credential | str | None


class Container(Noun):
    """Something that holds data. Every container has a name, unique for its settings, and locations."""

    __slots__ = ()

    name: str
    locations: Sequence[str]


@noun
class PostgresDatabase(Container):
    """A PostgreSQL database; `schema` is where its tables are unless a dataset says otherwise."""

    name: str = field(kw_only=False)
    host: str
    port: int = 5432
    database: str
    schema: str = "public"
    credential: CredentialLike = None
    connections: int = 4
    locations: Sequence[str] = ()
    tls: Tls = Tls.PREFER


@noun
class AuroraDatabase(Container):
    """An Amazon Aurora PostgreSQL cluster, by its writer endpoint."""

    name: str = field(kw_only=False)
    host: str
    port: int = 5432
    database: str
    schema: str = "public"
    credential: CredentialLike = None
    connections: int = 4
    locations: Sequence[str] = ()
    tls: Tls = Tls.REQUIRE


@noun
class MySQLDatabase(Container):
    """A MySQL or MariaDB database."""

    name: str = field(kw_only=False)
    host: str
    port: int = 3306
    database: str
    credential: CredentialLike = None
    connections: int = 4
    locations: Sequence[str] = ()
    tls: Tls = Tls.PREFER


@noun
class SqlServerDatabase(Container):
    """A Microsoft SQL Server or Azure SQL database."""

    name: str = field(kw_only=False)
    host: str
    port: int = 1433
    database: str
    schema: str = "dbo"
    credential: CredentialLike = None
    connections: int = 4
    locations: Sequence[str] = ()
    tls: Tls = Tls.REQUIRE


@noun
class OracleDatabase(Container):
    """An Oracle database, by its service name."""

    name: str = field(kw_only=False)
    host: str
    port: int = 1521
    service: str
    schema: str
    credential: CredentialLike = None
    connections: int = 4
    locations: Sequence[str] = ()
    tls: Tls = Tls.PREFER


@noun
class Db2Database(Container):
    """An IBM Db2 database."""

    name: str = field(kw_only=False)
    host: str
    port: int = 50000
    database: str
    schema: str
    credential: CredentialLike = None
    connections: int = 4
    locations: Sequence[str] = ()
    tls: Tls = Tls.PREFER


@noun
class SnowflakeDatabase(Container):
    """A Snowflake database."""

    name: str = field(kw_only=False)
    account: str
    warehouse: str
    database: str
    schema: str = "PUBLIC"
    role: str | None = None
    credential: CredentialLike = None
    connections: int = 4
    locations: Sequence[str] = ()


@noun
class SqliteDatabase(Container):
    """A SQLite file; a relative `path` is relative to the model folder."""

    name: str = field(kw_only=False)
    path: str
    connections: int = 4
    locations: Sequence[str] = ()


@noun
class DuckLake(Container):
    """A DuckLake: a catalog and the folder or bucket of its data files."""

    name: str = field(kw_only=False)
    catalog: str
    data: str
    credential: CredentialLike = None
    locations: Sequence[str] = ()


@noun
class EmbeddedPostgres(Container):
    """A PostgreSQL server that DataSurface itself starts, by default with a database named after the ecosystem."""

    name: str = field(default="local", kw_only=False)
    database: str | None = None
    schema: str = "public"
    connections: int = 4
    locations: Sequence[str] = ()


@noun
class FileStore(Container):
    """A folder or bucket of files."""

    name: str = field(kw_only=False)
    uri: str
    credential: CredentialLike = None
    locations: Sequence[str] = ()


@noun
class KafkaCluster(Container):
    """A Kafka cluster, by its bootstrap servers `host:port`."""

    name: str = field(kw_only=False)
    servers: Sequence[str]
    credential: CredentialLike = None
    locations: Sequence[str] = ()
