from __future__ import annotations

import os
from collections.abc import Iterator

import psycopg
import pytest

from datasurface import (
    Array,
    BigInt,
    Binary,
    Boolean,
    Date,
    Decimal,
    FixedString,
    Float16,
    Float32,
    Float64,
    Integer,
    Interval,
    Json,
    Map,
    SmallInt,
    String,
    Struct,
    Time,
    Timestamp,
    TinyInt,
    Uuid,
    Variant,
    Vector,
)
from datasurface.databases.postgres.catalog import read_table, read_tables
from datasurface.databases.postgres.types import Reads, canonical, dsl_type, physical_type, reads_as
from datasurface.model.types import DataType
from servers import Server

HELD: list[DataType] = [
    Boolean(),
    TinyInt(),
    SmallInt(),
    Integer(),
    BigInt(),
    Decimal(1),
    Decimal(10, 2),
    Decimal(1000, 1000),
    Float16(),
    Float32(),
    Float64(),
    String(),
    String(1),
    String(10_485_760),
    FixedString(3),
    Binary(),
    Uuid(),
    Json(),
    Variant(),
    Date(),
    Time(),
    Timestamp(),
    Timestamp(tz=False),
    Interval(),
    Array(Integer),
    Array(String(5)),
    Array(FixedString(5)),
    Array(Decimal(10, 2)),
    Array(Timestamp(tz=False)),
    Array(Json),
    Array(Interval),
    Vector(3),
    Map(String, BigInt),
    Struct({"a": Boolean, "b": Array(Decimal(5, 2))}),
]

SOURCE = """
CREATE SCHEMA "Odd ""1"" one";
SET search_path TO "Odd ""1"" one";
CREATE TYPE mood AS ENUM ('sad', 'very happy');
CREATE TYPE pair AS (a int, b int);
CREATE DOMAIN short AS varchar(10) NOT NULL;
CREATE DOMAIN shorter AS short CHECK (length(VALUE) < 5);
CREATE DOMAIN shorts AS shorter[];
CREATE TABLE "Order Details" (
    gone int, "b%s" smallint, a bigint, "Unit Price" numeric(10, -2), tiny numeric(3, 5), free numeric,
    c1 char, c5 char(5), bp bpchar, n name, q "char", o oid, v varchar, v7 varchar(7), t3 time(3), ts timestamp(0),
    tz timestamptz(3), ttz timetz, m money, bits bit(3), x xml, ip inet, r int4range, p point, e mood, es mood[],
    s shorter, ss shorts, co pair, i2 interval day to second(2), iy interval year to month, j json, ja json[],
    arr int[][], nu numeric(4, 1)[], PRIMARY KEY (a, "b%s"));
ALTER TABLE "Order Details" DROP COLUMN gone;
CREATE VIEW a_view AS SELECT a, e FROM "Order Details";
CREATE MATERIALIZED VIEW b_view AS SELECT a + 1 AS a FROM "Order Details";
CREATE TABLE parts (k int PRIMARY KEY, w text) PARTITION BY RANGE (k);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
CREATE TABLE nothing ();
CREATE ROLE reader LOGIN PASSWORD 'r';
GRANT USAGE ON SCHEMA "Odd ""1"" one" TO reader;
GRANT SELECT ON a_view TO reader;
GRANT SELECT (k) ON parts TO reader;
"""

EXPECTED = {
    "b%s": SmallInt(),
    "a": BigInt(),
    "Unit Price": Decimal(12),
    "tiny": Decimal(5, 5),
    "free": None,
    "c1": FixedString(1),
    "c5": FixedString(5),
    "bp": String(),
    "n": String(63),
    "q": String(4),
    "o": BigInt(),
    "v": String(),
    "v7": String(7),
    "t3": Time(),
    "ts": Timestamp(tz=False),
    "tz": Timestamp(),
    "ttz": None,
    "m": None,
    "bits": None,
    "x": None,
    "ip": None,
    "r": None,
    "p": None,
    "e": String(63),
    "es": Array(String(63)),
    "s": String(10),
    "ss": None,
    "co": None,
    "i2": Interval(),
    "iy": Interval(),
    "j": Json(),
    "ja": Array(Json),
    "arr": Array(Integer),
    "nu": Array(Decimal(4, 1)),
}
READER = f"reader_{os.getpid()}"
SCHEMA = 'Odd "1" one'


@pytest.fixture(scope="module")
def connection(server: Server) -> Iterator[psycopg.Connection]:
    with server.database() as url, psycopg.connect(url, autocommit=True) as opened:
        source = SOURCE.replace("reader", READER)
        if server.version < 15:  # no scale below zero or above the precision yet
            source = source.replace("numeric(10, -2)", "numeric(12, 0)").replace("numeric(3, 5)", "numeric(5, 5)")
        opened.execute(source.encode())
        opened.execute("RESET search_path")
        try:
            yield opened
        finally:
            opened.execute(f"DROP OWNED BY {READER}; DROP ROLE {READER}".encode())


def test_a_physical_type_is_what_the_catalog_prints(connection: psycopg.Connection):
    for number, t in enumerate(HELD):
        connection.execute(f"CREATE TEMPORARY TABLE held_{number} (c {physical_type(t)})".encode())
        printed = connection.execute(
            "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = %s::regclass AND attnum = 1",
            [f"held_{number}"],
        ).fetchone()
        assert printed == (physical_type(t),), t


def test_reads_every_kind_of_table_and_column(connection: psycopg.Connection):
    tables = read_tables(connection, SCHEMA)
    assert [t.name for t in tables] == ["Order Details", "a_view", "b_view", "parts"]
    details = tables[0]
    assert {c.name: c.type for c in details.columns} == EXPECTED
    assert [c.name for c in details.columns] == list(EXPECTED)
    assert {c.name: c.key_position for c in details.columns if c.key_position} == {"a": 1, "b%s": 2}
    assert [c.name for c in details.columns if not c.nullable] == ["b%s", "a", "s"]
    assert read_table(connection, SCHEMA, "Order Details") == details
    assert read_table(connection, SCHEMA, "order details") is None
    assert read_table(connection, "public", "Order Details") is None
    partition = read_table(connection, SCHEMA, "parts_1")
    assert partition is not None
    assert partition.columns == tables[3].columns


def test_shows_only_what_may_be_read(connection: psycopg.Connection):
    connection.execute(f"SET ROLE {READER}".encode())
    try:
        seen = {t.name: [c.name for c in t.columns] for t in read_tables(connection, SCHEMA)}
    finally:
        connection.execute("RESET ROLE")
    assert seen == {"a_view": ["a", "e"], "parts": ["k"]}


def test_a_cast_column_arrives_as_the_model_has_it(connection: psycopg.Connection):
    details = read_table(connection, SCHEMA, "Order Details")
    assert details is not None
    for column in details.columns:
        if column.type is None:
            continue
        assert reads_as(column.physical, column.type) in (Reads.EXACT, Reads.CAST), column
        quoted = '"' + column.name + '"'
        query = f'SELECT {quoted}::{physical_type(column.type)} FROM "Odd ""1"" one"."Order Details"'
        connection.execute(query.encode())


def test_intervals_compare_by_months_days_and_microseconds(connection: psycopg.Connection):
    def differ(t: DataType, left: str, right: str) -> bool:
        held = physical_type(t)
        values = f"(SELECT %s::{held} a, %s::{held} b) x"
        query = f"SELECT {canonical(t, 'a')} IS DISTINCT FROM {canonical(t, 'b')} FROM {values}"
        row = connection.execute(query.encode(), [left, right]).fetchone()
        assert row is not None
        return bool(row[0])

    assert differ(Interval(), "1 mon", "30 days")
    assert differ(Interval(), "1 day", "24 hours")
    assert not differ(Interval(), "90 minutes", "01:30")
    assert differ(Array(Interval), "{1 mon}", "{30 days}")
    assert not differ(Array(Interval), "{NULL,1 mon}", "{NULL,1 mon}")
    assert not differ(Json(), '{"a": 1, "b": 1.0}', '{"b":1,"a":1}')
    assert not differ(Float64(), "NaN", "NaN")


def test_what_the_catalog_prints_is_read_back():
    for t in HELD:
        physical = physical_type(t)
        assert physical is not None
        read = dsl_type(physical)
        assert read is not None
        assert physical_type(read) == physical, t
