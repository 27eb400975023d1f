"""The platform's schema: made once, known by its version, and belonging to one ecosystem and environment."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, MetaData, func, insert, inspect, select, update
from sqlalchemy.sql.ddl import CreateTable

from datasurface.errors import StoreError
from datasurface.store.tables import SCHEMA_VERSION, VIEWS, bind, metadata, platform

__all__ = ["PlatformIdentity", "create_statements", "enroll", "is_older", "upgrade", "verify_identity"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformIdentity:
    """Whose platform a schema holds."""

    ecosystem: str
    environment: str | None
    name: str


def create_statements(connection: Connection, schema: str) -> list[str]:
    """Return the statements that make what is absent of the platform's tables and public views."""
    preparer = connection.dialect.identifier_preparer
    quoted = preparer.quote_identifier(schema)
    present = set(inspect(connection).get_table_names(schema=schema))
    statements = [
        str(CreateTable(table.to_metadata(MetaData(schema=schema))).compile(dialect=connection.dialect)).strip()
        for table in metadata.sorted_tables
        if table.name not in present
    ]
    shown = set(inspect(connection).get_view_names(schema=schema))
    statements += [
        f"CREATE VIEW {quoted}.{name} AS {text.format(schema=quoted)}"
        for name, text in VIEWS.items()
        if name not in shown
    ]
    return statements


def is_older(connection: Connection, schema: str) -> bool:
    """Tell whether an older package made the platform's tables."""
    version = bind(connection, schema).execute(select(platform.c.schema_version)).scalar_one_or_none()
    return version is not None and version < SCHEMA_VERSION


def upgrade(connection: Connection, schema: str) -> None:
    """Bring the tables of an older package up to date, in the transaction that is open: all of it happens or nothing.

    What is absent is added: tables, and columns, which are nullable. The public views are made again.
    """
    preparer = connection.dialect.identifier_preparer
    quoted = preparer.quote_identifier(schema)
    for name in sorted(set(inspect(connection).get_view_names(schema=schema)) & VIEWS.keys()):
        connection.exec_driver_sql(f"DROP VIEW {quoted}.{preparer.quote_identifier(name)}")
    present = set(inspect(connection).get_table_names(schema=schema))
    for table in metadata.sorted_tables:
        known = (
            {c["name"] for c in inspect(connection).get_columns(table.name, schema=schema)}
            if (table.name in present)
            else {c.name for c in table.columns}
        )
        for column in table.columns:
            if column.name not in known:
                kind = column.type.compile(dialect=connection.dialect)
                name = f"{quoted}.{preparer.quote_identifier(table.name)}"
                connection.exec_driver_sql(
                    f"ALTER TABLE {name} ADD COLUMN {preparer.quote_identifier(column.name)} {kind}"
                )
    for statement in create_statements(connection, schema):
        connection.exec_driver_sql(statement)
    bind(connection, schema).execute(update(platform).values(schema_version=SCHEMA_VERSION))


def enroll(connection: Connection, schema: str, identity: PlatformIdentity, now: datetime) -> None:
    """Write whose platform this is, unless it is written already."""
    bound = bind(connection, schema)
    if bound.execute(select(func.count()).select_from(platform)).scalar_one() == 0:
        bound.execute(
            insert(platform).values(
                schema_version=SCHEMA_VERSION,
                ecosystem=identity.ecosystem,
                environment=identity.environment,
                name=identity.name,
                epoch=str(uuid.uuid4()),
                created_at=now,
            )
        )


def verify_identity(connection: Connection, schema: str, identity: PlatformIdentity) -> None:
    """Raise `StoreError` if the schema is another ecosystem's or environment's, or newer than this package."""
    row = bind(connection, schema).execute(select(platform)).one_or_none()
    if row is None:
        return
    if row.schema_version > SCHEMA_VERSION:
        raise StoreError(
            f"schema {schema!r} has version {row.schema_version}, this package knows {SCHEMA_VERSION}",
            hint="install the newer datasurface",
        )
    found = (row.ecosystem, row.environment)
    if found != (identity.ecosystem, identity.environment):
        raise StoreError(
            f"schema {schema!r} belongs to {_shown(*found)}, not to {_shown(identity.ecosystem, identity.environment)}",
            hint="give the platform another name or another database",
        )


def _shown(ecosystem: str, environment: str | None) -> str:
    return f"ecosystem {ecosystem!r}" + (f", environment {environment!r}" if environment else "")
