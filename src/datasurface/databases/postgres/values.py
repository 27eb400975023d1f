"""Values between PostgreSQL and transformers' code: what psycopg would round, merge or misread is kept exact here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import psycopg
from psycopg.types.json import Jsonb, set_json_loads
from psycopg.types.string import TextLoader

from datasurface.databases.documents import dump_document, load_document
from datasurface.model.types import Array, DataType, Json, Map, Struct, Timestamp, Variant, Vector
from datasurface.release.job import JobColumn

__all__ = ["load_exactly", "writers"]

_DOCUMENTS = (Json, Map, Struct, Variant)


def load_exactly(connection: psycopg.Connection[Any]) -> None:
    """Have a connection return documents with exact numbers, and intervals as texts: no `timedelta` has months."""
    set_json_loads(load_document, connection)
    connection.adapters.register_loader("interval", TextLoader)


def writers(columns: Sequence[JobColumn]) -> Mapping[int, Callable[[Any], Any]]:
    """Return what to make of values before they are written, by the place of their column; most need nothing."""
    found = {position: _writer(column) for position, column in enumerate(columns)}
    return {position: writer for position, writer in found.items() if writer is not None}


def _writer(column: JobColumn) -> Callable[[Any], Any] | None:
    kind = column.type
    if isinstance(kind, Array | Vector):
        return _list_of(kind.element) if isinstance(kind, Array) else list
    if isinstance(kind, _DOCUMENTS):
        return _document
    if isinstance(kind, Timestamp) and not kind.tz:
        return _Local(column.name)
    return None


def _document(value: Any) -> Jsonb:
    return Jsonb(value, dumps=dump_document)


def _list_of(element: DataType | type[DataType]) -> Callable[[Any], list[Any]]:
    if isinstance(element, _DOCUMENTS):
        return lambda values: [None if value is None else _document(value) for value in values]
    return list


class _Local:
    """Refuses moments for a column of times without zone: the server would drop their zone."""

    def __init__(self, column: str) -> None:
        self._column = column

    def __call__(self, value: Any) -> Any:
        if isinstance(value, datetime) and value.tzinfo is not None:
            raise ValueError(
                f"column {self._column!r} is a Timestamp(tz=False), but {value.isoformat()} has a time zone"
            )
        return value
