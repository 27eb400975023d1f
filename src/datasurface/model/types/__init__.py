"""The types of columns, independent of any database."""

from datasurface.model.types.base import DataType
from datasurface.model.types.machine import FP4E2M1, FP6E2M3, FP6E3M2, FP8E4M3, FP8E5M2, FP8E8M0, BFloat16, Float16
from datasurface.model.types.nested import Array, Geography, Map, Struct, Vector
from datasurface.model.types.scalar import (
    BigInt,
    Binary,
    Boolean,
    Decimal,
    FixedString,
    Float32,
    Float64,
    Integer,
    Json,
    SmallInt,
    String,
    TinyInt,
    Uuid,
    Variant,
)
from datasurface.model.types.temporal import Date, Interval, Time, Timestamp

__all__ = [
    "FP4E2M1",
    "FP6E2M3",
    "FP6E3M2",
    "FP8E4M3",
    "FP8E5M2",
    "FP8E8M0",
    "Array",
    "BFloat16",
    "BigInt",
    "Binary",
    "Boolean",
    "DataType",
    "Date",
    "Decimal",
    "FixedString",
    "Float16",
    "Float32",
    "Float64",
    "Geography",
    "Integer",
    "Interval",
    "Json",
    "Map",
    "SmallInt",
    "String",
    "Struct",
    "Time",
    "Timestamp",
    "TinyInt",
    "Uuid",
    "Variant",
    "Vector",
]
