"""Ask a release's tables in SQL, reading only, and say which tables there are."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, StatementError

from datasurface.errors import ConfigurationError
from datasurface.release.tables import TABLES

__all__ = ["Answer", "describe_tables", "query"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a query returned."""

    columns: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]


def query(engine: Engine, sql: str) -> Answer:
    """Run one statement that reads.

    Raises:
        ConfigurationError: the statement is wrong, writes, or returns no rows; the hint lists the tables.
    """
    try:
        with engine.connect() as connection, _this_file_only(connection):
            result = connection.exec_driver_sql(sql)
            if not result.returns_rows:
                raise ConfigurationError("the statement returns no rows", hint=_tables())
            return Answer(columns=tuple(result.keys()), rows=tuple([tuple(row) for row in result]))
    except DBAPIError as error:
        raise ConfigurationError(f"the query failed: {error.orig}", hint=_tables()) from error
    except (StatementError, sqlite3.Warning) as error:
        raise ConfigurationError(f"the query failed: {error}", hint=_tables()) from error


@contextmanager
def _this_file_only(connection: Connection) -> Iterator[None]:
    """Refuse what SQLite would open or make other files for, before it does: ATTACH, and VACUUM, which attaches too."""
    raw = cast("sqlite3.Connection", connection.connection.driver_connection)
    raw.set_authorizer(_judged)
    try:
        yield
    finally:
        raw.set_authorizer(None)


def _judged(action: int, *_what: str | None) -> int:
    """Judge an action that SQLite has found in a statement."""
    return sqlite3.SQLITE_DENY if action in (sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH) else sqlite3.SQLITE_OK


def describe_tables() -> list[dict[str, object]]:
    """Return every table as JSON data: `name`, `comment`, `columns` (`name`, `type`, `key`, `nullable`, `comment`)."""
    return [
        {
            "name": table.name,
            "comment": table.comment,
            "columns": [
                {
                    "name": column.name,
                    "type": str(column.type).lower(),
                    "key": column.primary_key,
                    "nullable": bool(column.nullable),
                    "comment": column.comment,
                }
                for column in table.columns
            ],
        }
        for table in (mapped.metadata.tables[mapped.__tablename__] for mapped in TABLES)
    ]


def _tables() -> str:
    return f"tables: {', '.join(table.__tablename__ for table in TABLES)}; `--tables` lists their columns"
