"""What SQLite can do, and the door to reading it."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import TYPE_CHECKING
from urllib.parse import unquote

from datasurface.errors import ConfigurationError
from datasurface.govern.capabilities import Capabilities
from datasurface.model.infrastructure import SqliteDatabase

if TYPE_CHECKING:
    from datasurface.databases.base import Login, Source

__all__ = ["ADAPTER", "SqliteAdapter"]

_SCHEME = "sqlite://"


class SqliteAdapter:
    """SQLite 3, read only."""

    capabilities = Capabilities(
        database="SQLite",
        containers=("SqliteDatabase",),
        credentials=frozenset(),
        captures=frozenset({"Snapshot"}),
        name_limit=1_000_000,
    )

    def source(self, login: Login) -> Source:
        """Open the file to read; it is never created."""
        from datasurface.databases.sqlite.source import SqliteSource  # noqa: PLC0415 - sqlite3 takes its time

        return SqliteSource(login)

    def container_from_url(self, url: str) -> SqliteDatabase | None:
        """Return the file that `sqlite:///relative`, `sqlite:////absolute` or a plain path means.

        None for another scheme.

        Raises:
            ConfigurationError: the URL names a host or no file.
        """
        if "://" in url and not url.startswith(_SCHEME):
            return None
        if url.startswith(_SCHEME):
            host, slash, path = url.removeprefix(_SCHEME).partition("/")
            if host or not slash:
                raise ConfigurationError("a SQLite URL names no host", hint="sqlite:///PATH, or the path alone")
            path = unquote(path)
        else:
            path = url
        if not path or path == ":memory:":
            raise ConfigurationError("a SQLite URL names a file", hint="sqlite:///PATH, or the path alone")
        return SqliteDatabase(_identifier(PurePath(path).stem), path=path)


def _identifier(name: str) -> str:
    cleaned = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_")
    return cleaned if cleaned[:1].isalpha() else f"db_{cleaned}".rstrip("_")


ADAPTER = SqliteAdapter()
