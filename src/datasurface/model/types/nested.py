"""Types made of other types, and shapes on the earth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from datasurface.model.base import noun
from datasurface.model.types.base import DataType

__all__ = ["Array", "Geography", "Map", "Struct", "Vector"]


@noun
class Array(DataType):
    """A list of values of one type."""

    element: DataType | type[DataType] = field(kw_only=False)


@noun
class Map(DataType):
    """Values of one type by keys of another."""

    key: DataType | type[DataType] = field(kw_only=False)
    value: DataType | type[DataType] = field(kw_only=False)


@noun
class Struct(DataType):
    """Named fields, each with its type."""

    fields: Mapping[str, DataType | type[DataType]] = field(kw_only=False)


@noun
class Vector(DataType):
    """`dimensions` numbers of 32 bits: an embedding."""

    dimensions: int = field(kw_only=False)


@noun
class Geography(DataType):
    """A shape on the earth in the reference system `srid` (EPSG)."""

    srid: int = field(default=4326, kw_only=False)
