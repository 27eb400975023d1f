"""Values between PostgreSQL and transformers' code: what psycopg would round, merge or misread is kept exact here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Context, Inexact, InvalidOperation
from decimal import Decimal as Exact
from typing import Any

import psycopg
from psycopg.types.json import Jsonb, set_json_loads
from psycopg.types.string import TextLoader

from datasurface.databases.documents import dump_document, load_document
from datasurface.model.types import Array, DataType, Decimal, Json, Map, Struct, Timestamp, Variant, Vector
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
    if isinstance(kind, Decimal):
        return _Decimals(column.name, kind)
    if isinstance(kind, Array) and isinstance(kind.element, Decimal):
        return _Decimals(column.name, kind.element).of_list
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


class _Decimals:
    """Refuses what a column of decimals would have to round or cannot hold; zeros at the end are no decimals.

    A binary float stands for the shortest number that is read as it. Messages never have the value.
    """

    def __init__(self, column: str, kind: Decimal) -> None:
        self._column = column
        self._kind = kind
        self._unit = Exact(1).scaleb(-kind.scale)
        self._fit = Context(prec=kind.precision, traps=[Inexact, InvalidOperation]).quantize

    def __call__(self, value: Any) -> Any:
        try:
            return self._fit(value if isinstance(value, Exact) else Exact(str(value)), self._unit)
        except Inexact:
            raise self._refusal(value, f"it has more than {self._kind.scale} decimals") from None
        except InvalidOperation:
            raise self._refusal(value, "it is too large, or no number") from None

    def of_list(self, values: Any) -> list[Any]:
        """Return a list of such values, or of lists of them."""
        return [v if v is None else self.of_list(v) if isinstance(v, list | tuple) else self(v) for v in values]

    def _refusal(self, value: Any, why: str) -> ValueError:
        return ValueError(
            f"column {self._column!r} takes {self._kind.spelled()}, and a value of type {type(value).__name__} "
            f"does not fit: {why}"
        )
