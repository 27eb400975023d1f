from __future__ import annotations

import pytest

from datasurface import (
    BigInt,
    Binary,
    Boolean,
    Date,
    Decimal,
    Float64,
    Json,
    SqliteDatabase,
    String,
    Time,
    Timestamp,
    Uuid,
)
from datasurface.databases.sqlite import ADAPTER
from datasurface.databases.sqlite.types import dsl_type
from datasurface.errors import ConfigurationError
from datasurface.model.types import DataType


@pytest.mark.parametrize(
    ("declared", "t"),
    [
        ("INTEGER", BigInt()),
        ("int(11)", BigInt()),
        ("UNSIGNED BIG INT", BigInt()),
        ("int unsigned", BigInt()),
        ("int8", BigInt()),
        ("VARCHAR(80)", String(80)),
        ("character varying (80)", String(80)),
        ("NATIVE CHARACTER(70)", String(70)),
        ("nvarchar", String()),
        ("TEXT", String()),
        ("CLOB", String()),
        ("String", String()),
        ("DECIMAL(10, 2)", Decimal(10, 2)),
        ("numeric(5)", Decimal(5)),
        ("REAL", Float64()),
        ("DOUBLE PRECISION", Float64()),
        ("float", Float64()),
        ("BLOB", Binary()),
        ("VARBINARY(16)", Binary(16)),
        ("bool", Boolean()),
        ("date", Date()),
        ("time", Time()),
        ("datetime", Timestamp(tz=False)),
        ("timestamp with time zone", Timestamp()),
        ("uuid", Uuid()),
        ("JSON", Json()),
        *(
            (nothing, None)
            for nothing in ("", "ANY", "NUMERIC", "MONEY", "POINT", "INTERVAL", "DECIMAL(2,5)", "a(b", "x y")
        ),
    ],
)
def test_a_declaration_means_a_type_or_none(declared: str, t: DataType | None):
    assert dsl_type(declared) == t


def test_a_url_or_a_path_becomes_a_container():
    assert ADAPTER.container_from_url("sqlite:////var/a%20b.db") == SqliteDatabase("a_b", path="/var/a b.db")
    assert ADAPTER.container_from_url("sqlite:///x/1.db") == SqliteDatabase("db_1", path="x/1.db")
    assert ADAPTER.container_from_url("some 100%.sqlite3") == SqliteDatabase("some_100", path="some 100%.sqlite3")
    assert ADAPTER.container_from_url("postgresql://h/d") is None
    for wrong in ("sqlite://", "sqlite://host/x", "sqlite:///", "sqlite:///:memory:", ":memory:"):
        with pytest.raises(ConfigurationError):
            ADAPTER.container_from_url(wrong)
