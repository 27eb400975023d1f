"""Datasets out of tables: what SQLAlchemy knows of a table's columns, keys and comments, in the words of a model."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Boolean, DateTime, Float, Integer, String
from sqlalchemy import Column as TableColumn
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeEngine

from datasurface.model import types
from datasurface.model.schema import Column, Dataset

__all__ = ["dataset_of"]

_TYPES: tuple[tuple[type[TypeEngine[Any]], types.DataType], ...] = (
    (Boolean, types.Boolean()),
    (BigInteger, types.BigInt()),
    (Integer, types.Integer()),
    (Float, types.Float64()),
    (DateTime, types.Timestamp()),
    (String, types.String()),
)
"""Special ones before general ones; `Text` is a `String`."""


def dataset_of(mapped: type[DeclarativeBase], name: str) -> Dataset:
    """Return the dataset that holds a table's rows, under a name of its own."""
    table = mapped.metadata.tables[mapped.__tablename__]
    return Dataset(name, columns=[_column(column) for column in table.columns], doc=table.comment or "")


def _column(column: TableColumn[object]) -> Column:
    return Column(
        column.name,
        _type(column),
        key=column.primary_key,
        nullable=bool(column.nullable),
        doc=column.comment or "",
    )


def _type(column: TableColumn[object]) -> types.DataType:
    for known, found in _TYPES:
        if isinstance(column.type, known):
            return found
    raise TypeError(f"column {column} has the type {column.type}, which no dataset has")
