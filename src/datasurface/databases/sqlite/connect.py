"""Open a SQLite file to read only, tell its faults apart, and say how it was when it was read."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from datasurface.errors import SourceError, TransientError

__all__ = ["fingerprint", "opened", "quoted", "told"]

_WAIT_SECONDS = 5.0
_TRANSIENT = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PROTOCOL})
_HINTS = {
    sqlite3.SQLITE_BUSY: "somebody else writes to it; it is read again later",
    sqlite3.SQLITE_LOCKED: "somebody else writes to it; it is read again later",
    sqlite3.SQLITE_NOTADB: "name a SQLite 3 database file; an encrypted one cannot be read",
    sqlite3.SQLITE_CORRUPT: "run `PRAGMA integrity_check` on it",
    sqlite3.SQLITE_CANTOPEN: "let this user read the file, and for a database in WAL mode also write to its folder",
    sqlite3.SQLITE_READONLY: "a writer has crashed: open the file once with its own application, which recovers it",
    sqlite3.SQLITE_PERM: "let this user read the file",
}
_SETTLED_NS = 2_000_000_000
"""A file whose time is younger than this may change again without showing it: file systems' clocks tick slowly."""


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Open `path` to read only, without ever creating it; no transaction is begun.

    Raises:
        SourceError: there is no such file, it is no database, or it may not be read.
        TransientError: it is locked.
    """
    if not _is_file(path):
        raise SourceError(f"no SQLite file {path}", hint="correct `path=`; relative ones start at the model folder")
    with told(path):
        connection = sqlite3.connect(
            f"file:{quote(str(path))}?mode=ro",
            uri=True,
            timeout=_WAIT_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )
    try:
        yield connection
    finally:
        connection.close()


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError as error:
        raise SourceError(f"SQLite file {path} is out of reach: {error.strerror}") from error


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ours."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        kind = TransientError if code in _TRANSIENT else SourceError
        raise kind(f"reading SQLite file {path}: {error}", hint=_HINTS.get(code, "")) from error


def quoted(name: str) -> str:
    """Return `name` as an identifier of SQL."""
    return '"' + name.replace('"', '""') + '"'


def fingerprint(path: Path) -> Mapping[str, Any]:
    """Return a token that differs from an earlier one whenever the content may have changed; take it before reading.

    It holds what the file system says of the file and its write-ahead log. Their headers, which hold SQLite's own
    counters, are not read: closing a second handle of the file would drop the POSIX locks of every SQLite connection
    of this process. A file that changed a moment ago gets a token of its own.
    """
    now = time.time_ns()
    path = path.resolve()  # the log lies beside the real file
    parts = {"file": _state(path), "wal": _state(path.with_name(path.name + "-wal"), empty_counts=False)}
    settled = all(state is None or state[-1] < now - _SETTLED_NS for state in parts.values())
    return parts if settled else {**parts, "read_ns": now}


def _state(path: Path, *, empty_counts: bool = True) -> list[int] | None:
    """Return what changes with a file; None if it is absent, or empty where that says nothing (a fresh log)."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    if found.st_size == 0 and not empty_counts:
        return None
    return [found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns]
