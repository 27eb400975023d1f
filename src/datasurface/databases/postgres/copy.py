"""Rows into PostgreSQL by COPY: bytes relayed from another PostgreSQL, or rows from Python."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg import sql

from datasurface.databases.base import CopyFeed, Feed
from datasurface.databases.merge import Progress

__all__ = ["BUFFER", "copy_in"]

BUFFER = 256 * 1024
"""Bytes gathered before they are written on: larger gains nothing, smaller costs a system call a row."""


def copy_in(
    target: psycopg.Connection[Any], into: sql.Composable, feed: Feed, progress: Progress, stream: str, *, frozen: bool
) -> int:
    """Run a COPY from `feed` into the columns that `into` names and return the number of rows.

    Args:
        target: The merge database's connection; its transaction stays open.
        into: `"schema"."table" (columns)`.
        feed: What to read.
        progress: Hears of rows as they pass.
        stream: The name under which it hears of them.
        frozen: Whether the table was made in this transaction and the rows may count as old from the start.
    """
    binary = isinstance(feed, CopyFeed)
    options = f"FORMAT {'BINARY' if binary else 'TEXT'}{', FREEZE' if frozen else ''}"
    statement = sql.SQL("COPY {} FROM STDIN ({})").format(into, sql.SQL(options))
    with target.cursor() as cursor:
        with cursor.copy(statement) as copy:
            if isinstance(feed, CopyFeed):
                for block in _blocks(feed.connection, feed.statement, progress, stream):
                    copy.write(block)
            else:
                for batch in feed.batches:
                    for row in batch:
                        copy.write_row(row)
                    progress.advance(stream, len(batch))
        return cursor.rowcount


def _blocks(source: psycopg.Connection[Any], statement: Any, progress: Progress, stream: str) -> Iterator[bytes]:
    """Yield what COPY TO sends, gathered into large blocks; the server sends a message a row."""
    with source.cursor() as cursor, cursor.copy(statement) as copy:
        gathered: list[bytes | bytearray | memoryview] = []
        size = 0
        for data in copy:
            gathered.append(data)
            size += len(data)
            if size >= BUFFER:
                yield b"".join(gathered)
                progress.advance(stream, len(gathered))
                gathered.clear()
                size = 0
        if gathered:
            yield b"".join(gathered)
            progress.advance(stream, len(gathered))
