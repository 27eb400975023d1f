from __future__ import annotations

import subprocess
import sys

import pytest

from datasurface import (
    FP4E2M1,
    Array,
    BigInt,
    Boolean,
    Date,
    Decimal,
    FixedString,
    Float32,
    Float64,
    Geography,
    Integer,
    Interval,
    Json,
    Map,
    PostgresDatabase,
    String,
    Struct,
    Timestamp,
    TinyInt,
    Tls,
    Variant,
    Vector,
)
from datasurface.databases.base import Login
from datasurface.databases.postgres import ADAPTER
from datasurface.databases.postgres.types import (
    Reads,
    canonical,
    comparison,
    dsl_type,
    keyable,
    physical_type,
    reads_as,
)
from datasurface.errors import ConfigurationError
from datasurface.model.types import DataType


@pytest.mark.parametrize(
    "t",
    [
        Decimal(0),
        Decimal(1001),
        Decimal(5, 6),
        Decimal(5, -1),
        String(0),
        String(10_485_761),
        FixedString(0),
        Vector(0),
        Array(Array(Integer)),
        Array(Vector(3)),
        Array(Geography()),
        Geography(),
        Map(Integer, String),
        Map(String, Float64),
        Struct({"at": Date}),
        Struct({"a": Array(Map(String, Timestamp))}),
    ],
)
def test_what_cannot_be_held_without_loss_has_no_physical_type(t: DataType):
    assert physical_type(t) is None
    assert not keyable(t)
    assert reads_as("jsonb", t) is Reads.REFUSED


@pytest.mark.parametrize(
    "t", [Json(), Variant(), Interval(), Array(Integer), Vector(3), Map(String, String), Struct({})]
)
def test_what_cannot_be_compared_by_order_is_no_key(t: DataType):
    assert physical_type(t) is not None
    assert not keyable(t)


@pytest.mark.parametrize(
    "t", [TinyInt(), BigInt(), Float64(), FP4E2M1(), Decimal(10, 2), String(), Boolean(), Timestamp()]
)
def test_scalars_are_keys(t: DataType):
    assert keyable(t)


@pytest.mark.parametrize(
    "physical",
    [
        "numeric",
        "money",
        "bit(3)",
        "xml",
        "inet",
        "int4range",
        "point",
        "time with time zone",
        "time(3) with time zone",
        "mood",
        "sales.mood",
        "hstore",
        "numeric(1000,-5)",
        "numeric[]",
        "vector(3)[]",
        "",
    ],
)
def test_what_has_no_type_of_ours(physical: str):
    assert dsl_type(physical) is None


@pytest.mark.parametrize(
    ("physical", "t"),
    [
        ("vector(3)", Vector(3)),
        ("public.vector(3)", Vector(3)),
        ('"my schema".citext', String()),
        ("sales.mood (enum)", String(63)),
        ("mood[] (enum)", Array(String(63))),
        ("numeric(5,-2)", Decimal(7)),
        ("numeric(2,4)", Decimal(4, 4)),
        ("timestamp(3) with time zone", Timestamp()),
        ("interval(0)", Interval()),
        ("interval year to month", Interval()),
        ("character varying(5)[]", Array(String(5))),
    ],
)
def test_reads_the_catalogs_words(physical: str, t: DataType):
    assert dsl_type(physical) == t


EXACT, CAST, REFUSED = Reads.EXACT, Reads.CAST, Reads.REFUSED


@pytest.mark.parametrize(
    ("physical", "model", "verdict"),
    [
        ("bigint", BigInt(), EXACT),
        ("smallint", BigInt(), CAST),
        ("bigint", Integer(), REFUSED),
        ("integer", Decimal(10), CAST),
        ("integer", Decimal(10, 1), REFUSED),
        ("bigint", Decimal(20, 1), CAST),
        ("integer", Float64(), REFUSED),
        ("numeric(10,2)", Decimal(10, 2), EXACT),
        ("numeric(10,2)", Decimal(12, 4), CAST),
        ("numeric(10,2)", Decimal(12, 5), REFUSED),
        ("numeric(10,2)", Decimal(10, 1), REFUSED),
        ("numeric", Decimal(1000), REFUSED),
        ("numeric(10,0)", BigInt(), REFUSED),
        ("real", Float64(), CAST),
        ("double precision", Float32(), REFUSED),
        ("character varying(5)", String(5), EXACT),
        ("character varying(5)", String(6), CAST),
        ("character varying(5)", String(), CAST),
        ("character varying(5)", String(4), REFUSED),
        ("character varying", String(), CAST),
        ("text", String(10_000_000), REFUSED),
        ("character(5)", FixedString(5), EXACT),
        ("character(5)", FixedString(6), CAST),
        ("character(5)", FixedString(4), REFUSED),
        ("character(5)", String(5), CAST),
        ("character(5)", String(4), REFUSED),
        ("character varying(5)", FixedString(5), REFUSED),
        ("mood (enum)", String(), CAST),
        ("mood (enum)", String(63), CAST),
        ("mood (enum)", String(10), REFUSED),
        ("mood", String(), REFUSED),
        ("json", Json(), CAST),
        ("jsonb", Json(), EXACT),
        ("json", Variant(), CAST),
        ("jsonb", Struct({"a": Integer}), EXACT),
        ("text", Json(), REFUSED),
        ("timestamp without time zone", Timestamp(tz=False), EXACT),
        ("timestamp without time zone", Timestamp(), REFUSED),
        ("timestamp(3) with time zone", Timestamp(), CAST),
        ("timestamp with time zone", Timestamp(tz=False), REFUSED),
        ("date", Timestamp(tz=False), REFUSED),
        ("integer[]", Array(BigInt), CAST),
        ("bigint[]", Array(Integer), REFUSED),
        ("real[]", Vector(3), EXACT),
        ("vector(3)", Vector(3), CAST),
        ("vector(3)", Vector(4), REFUSED),
        ("vector(3)", Array(Float32), CAST),
        ("oid", BigInt(), CAST),
        ("oid", Integer(), REFUSED),
    ],
)
def test_a_narrower_source_is_cast_and_a_wider_or_different_one_refused(physical: str, model: DataType, verdict: Reads):
    assert reads_as(physical, model) is verdict


def test_only_intervals_need_a_canonical_form():
    assert canonical(Interval(), '"a"') == 'interval_send("a")'
    assert canonical(Array(Interval), "a") == "array_send(a)"
    assert canonical(Json(), "a") == "a"
    assert comparison(Array(Json)).exact
    assert not comparison(Interval()).exact


def test_a_url_becomes_a_container_without_its_secrets():
    made = ADAPTER.container_from_url("postgresql://me:very%20secret@db.example:5433/my%2Ddb?sslmode=verify-full")
    assert made == PostgresDatabase("my_db", host="db.example", port=5433, database="my-db", tls=Tls.VERIFY_FULL)
    assert ADAPTER.container_from_url("postgres:///d?host=/run/postgresql") == PostgresDatabase(
        "d", host="/run/postgresql", database="d"
    )
    assert ADAPTER.container_from_url("postgresql://[::1]/1") == PostgresDatabase("db_1", host="::1", database="1")
    assert ADAPTER.container_from_url("sqlite:///x") is None
    assert ADAPTER.container_from_url("x.db") is None
    for wrong in (
        "postgresql://h:secret@",
        "postgresql://u:secret@h:port/d",
        "postgresql://u:secret#1@h/d",
        "postgresql://u:secret@h/d?sslmode=x",
    ):
        with pytest.raises(ConfigurationError) as caught:
            ADAPTER.container_from_url(wrong)
        shown = [caught.value, caught.value.__cause__, caught.value.__context__]
        assert not any("secret" in str(error) for error in shown)


def test_capabilities_are_read_without_the_driver():
    code = (
        "import sys, datasurface.databases.postgres as p, datasurface.databases.sqlite as s; p.ADAPTER, s.ADAPTER\n"
        "assert not {'psycopg', 'sqlalchemy', 'sqlite3'} & set(sys.modules), 'a driver is imported'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert "secret" not in repr(Login(container=PostgresDatabase("d", host="h", database="d"), password="secret"))
