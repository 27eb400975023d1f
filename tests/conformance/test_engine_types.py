"""Every type that PostgreSQL can hold: exact from source to view, every change seen, another spelling no change."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from conformance.engine_shop import Shop, shop_on
from datasurface import (
    FP4E2M1,
    FP6E2M3,
    FP6E3M2,
    FP8E4M3,
    FP8E5M2,
    FP8E8M0,
    Array,
    BFloat16,
    BigInt,
    Binary,
    Boolean,
    Column,
    Consistency,
    Dataset,
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
from datasurface.databases.postgres.types import keyable, physical_type
from datasurface.engine.batch import Outcome
from datasurface.model.types import DataType
from property.stage import (
    ARRAYS,
    BIGS,
    BYTES,
    DATES,
    DOCUMENTS,
    FLOATS,
    INTERVALS,
    LOCALS,
    MOMENTS,
    NUMBERS,
    SPANS,
    TEXTS,
    TIMES,
    TRUTHS,
    UUIDS,
    WORDS,
    Group,
)
from servers import Server

REALS: list[Group] = [("0", "-0"), ("NaN",), ("Infinity",), ("-Infinity",), ("1e-45",), ("3.4028235e38",), ("0.1",)]
SMALL: list[Group] = [("0",), ("0.5", "5e-1"), ("-1",)]
LONG = "7" * 994

VALUES: list[tuple[DataType, list[Group]]] = [
    (Boolean(), TRUTHS),
    (TinyInt(), [("-128",), ("127",), ("0",)]),
    (SmallInt(), [("-32768",), ("32767",), ("0",)]),
    (Integer(), [("-2147483648",), ("2147483647",), ("0",)]),
    (BigInt(), BIGS),
    (Decimal(38, 6), NUMBERS),
    (Decimal(1, 0), [("9",), ("-9",), ("0", "0.4"), ("NaN",)]),
    (Decimal(1000, 6), [(f"{LONG}.000001",), (f"{LONG}.000002",), (f"-{LONG}",)]),
    (Decimal(6, 6), [("0.000001",), ("-0.999999",)]),
    (Float32(), REALS),
    (Float64(), FLOATS),
    *[(t(), SMALL) for t in (Float16, BFloat16, FP8E4M3, FP8E5M2, FP8E8M0, FP6E2M3, FP6E3M2, FP4E2M1)],
    (String(), TEXTS),
    (String(1), [("",), (" ",), ("é",), ("😀",), ("\\",), ("'",)]),
    (String(12000), TEXTS),
    (FixedString(3), [("", "   "), ("a", "a  "), ("é",), ("😀",), ("abc",)]),
    (Binary(), BYTES),
    (Binary(16), [("\\x",), ("\\x00",), ("\\x0000",)]),
    (Uuid(), UUIDS),
    (Json(), DOCUMENTS),
    (Variant(), DOCUMENTS),
    (Map(String, Decimal(10, 2)), [("{}",), ('{"a": 1.0, "b": 2}', '{"b":2,"a":1}'), ('{"a": null}',)]),
    (Struct({"x": Integer, "y": Array(String)}), [('{"x": 1, "y": []}', '{"y":[],"x":1.00}'), ('{"x": 2}',)]),
    (Date(), DATES),
    (Time(), TIMES),
    (Timestamp(), MOMENTS),
    (Timestamp(tz=False), LOCALS),
    (Interval(), INTERVALS),
    (Array(Integer), ARRAYS),
    (Array(String), WORDS),
    (Array(Interval), SPANS),
    (Array(Json), [("{}",), ('{"null"}',), ("{NULL}",), ('{"{\\"a\\":1,\\"b\\":2}"}', '{"{\\"b\\":2,\\"a\\":1.0}"}')]),
    (Array(Decimal(10, 2)), [("{1}", "{1.00}"), ("{NaN}",)]),
    (Array(Timestamp), [('{"2024-03-31 01:00:00+00"}', '{"2024-03-31 03:00:00+02"}'), ("{infinity}",)]),
    (Array(Float64), [("{0}", "{-0}"), ("{NaN}",), ("{NULL}",)]),
    (Vector(3), [("{1,2,3}",), ("{1,2,NaN}",), ("{0,0,0}", "{-0,0,0}")]),
]  # fmt: skip


KEYS = [n for n, (t, _) in enumerate(VALUES) if keyable(t)]
BAGS = [n for n in range(len(VALUES)) if n not in KEYS]
NAMES = [t.spelled()[:40] for t, _ in VALUES]


@contextmanager
def opened(server: Server, folder: Path) -> Iterator[Shop]:
    with server.database() as source, server.database() as target, shop_on((source, target), folder) as made:
        for each in (made.source, made.target):
            each.execute(f"ALTER DATABASE {each.info.dbname} SET synchronous_commit = off".encode())
            each.execute("SET timezone = 'UTC'")
        yield made


@pytest.fixture
def shop(server: Server, tmp_path: Path) -> Iterator[Shop]:
    with opened(server, tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def gallery(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A shop with a stream for each type: as value, and as key or as all that a row of a multiset is."""
    with opened(server, tmp_path_factory.mktemp("gallery")) as made:
        datasets = []
        for number, (t, _) in enumerate(VALUES):
            held = physical_type(t)
            for table in (f"value{number}", f"whole{number}"):
                made.do(f"CREATE TABLE {table} (n int, v {held})")
            id_, value = Column("n", Integer, key=True), Column("v", t)
            datasets.append(Dataset(f"value{number}", columns=[id_, value]))
            keyed = [Column("v", t, key=True), Column("n", Integer)]
            datasets.append(Dataset(f"whole{number}", columns=keyed if keyable(t) else [value]))
        made.open(made.model(*datasets, consistency=Consistency.DATASET))
        yield made


def put(shop: Shop, table: str, t: DataType, values: list[str]) -> None:
    with shop.source.transaction(), shop.source.cursor() as cursor:
        cursor.execute(f"TRUNCATE {table}".encode())
        cursor.executemany(f"INSERT INTO {table} VALUES (%s, %s::{physical_type(t)})".encode(), list(enumerate(values)))


def exact(rows: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
    return sorted(rows, key=repr)


def test_the_values_cover_every_type_that_can_be_held() -> None:
    def family(t: DataType) -> list[type[DataType]]:
        return [cls for cls in DataType.__subclasses__() if isinstance(t, cls)]

    covered = {cls for t, _ in VALUES for cls in family(t)}
    held = {cls for cls in DataType.__subclasses__() if cls.__name__ != "Geography"}
    assert covered == held


def equal(shop: Shop, table: str, shown: str) -> bool:
    return exact(shop.seen(table, shown)) == exact(
        shop.source.execute(f"SELECT {shown} FROM {table}".encode()).fetchall()
    )


@pytest.mark.parametrize("number", range(len(VALUES)), ids=NAMES)
def test_values_arrive_exactly_and_every_change_is_seen(gallery: Shop, number: int) -> None:
    (t, groups), table = VALUES[number], f"value{number}"
    stream, shown = f"shop.{table}", "n, v::text"
    first = [group[0] for group in groups]
    put(gallery, table, t, first)
    assert gallery.merged(stream) == (len(first), 0, 0)
    assert equal(gallery, table, shown)
    # Another spelling of the same value is no change.
    put(gallery, table, t, [group[-1] for group in groups])
    assert gallery.merged(stream) == (0, 0, 0)
    # From every value to others, and to NULL and back.
    for shift in range(1, min(len(first), 7)):
        put(gallery, table, t, first[shift:] + first[:shift])
        assert gallery.merged(stream) == (0, len(first), 0)
        assert equal(gallery, table, shown)
    gallery.do(f"UPDATE {table} SET v = NULL")
    assert gallery.merged(stream) == (0, len(first), 0)
    put(gallery, table, t, first)
    assert gallery.merged(stream) == (0, len(first), 0)
    assert equal(gallery, table, shown)


@pytest.mark.parametrize("number", KEYS, ids=[NAMES[n] for n in KEYS])
def test_values_are_keys(gallery: Shop, number: int) -> None:
    (t, all_groups), table = VALUES[number], f"whole{number}"
    stream = f"shop.{table}"
    groups = [g for g in all_groups if len(g[0]) < 2000]  # an index entry of PostgreSQL ends near 2,700 bytes
    put(gallery, table, t, [group[0] for group in groups])
    assert gallery.merged(stream) == (len(groups), 0, 0)
    put(gallery, table, t, [group[-1] for group in groups])
    assert gallery.merged(stream) == (0, 0, 0)
    put(gallery, table, t, [group[0] for group in reversed(groups)])
    middle = len(groups) % 2
    assert gallery.merged(stream) == (0, len(groups) - middle, 0)
    assert equal(gallery, table, "v::text, n")
    for group in groups[:7]:
        put(gallery, table, t, [groups[0][0], group[0], group[-1]])
        failed = gallery.run(stream)
        assert failed.outcome is Outcome.FAILED
        assert "duplicate keys: v=" in failed.error


@pytest.mark.parametrize("number", BAGS, ids=[NAMES[n] for n in BAGS])
def test_values_of_a_multiset_are_told_apart(gallery: Shop, number: int) -> None:
    (t, groups), table = VALUES[number], f"whole{number}"
    stream = f"shop.{table}"
    firsts, lasts = [g[0] for g in groups], [g[-1] for g in groups]
    put(gallery, table, t, firsts + firsts)
    assert gallery.merged(stream) == (2 * len(groups), 0, 0)
    put(gallery, table, t, lasts + firsts)
    assert gallery.merged(stream) == (0, 0, 0)
    put(gallery, table, t, lasts + firsts[1:])
    assert gallery.merged(stream) == (0, 0, 1)
    gallery.do(f"INSERT INTO {table} VALUES (0, NULL), (0, NULL)")
    assert gallery.merged(stream) == (2, 0, 0)


SETTINGS = {
    "timezone": ("'America/New_York'", "'Asia/Kolkata'"),
    "datestyle": ("'SQL, DMY'", "'German'"),
    "intervalstyle": ("'iso_8601'", "'sql_standard'"),
    "extra_float_digits": ("'-15'", "'0'"),
    "bytea_output": ("'escape'", "'escape'"),
    "standard_conforming_strings": ("off", "off"),
    "quote_all_identifiers": ("on", "on"),
    "default_transaction_isolation": ("'serializable'", "'repeatable read'"),
    "search_path": ("'nowhere'", "'public'"),
    "xmloption": ("'document'", "'content'"),
}


def test_settings_of_servers_and_roles_do_not_matter(shop: Shop) -> None:
    kinds = {"z": Timestamp(), "i": Interval(), "f": Float64(), "b": Binary(), "d": Date(), "j": Json(), "s": String()}
    values = {
        "z": "2024-10-27 00:30:00+00",
        "i": "1 mon -2 days 03:00:00.5",
        "f": "0.1000000000000000055",
        "b": "\\x5c00ff",
        "d": "2024-02-03",
        "j": '{"a": "x"}',
        "s": "a\\b'c",
    }
    columns = ", ".join(f"{name} {physical_type(t)}" for name, t in kinds.items())
    shop.do(f"CREATE TABLE t (id int, {columns}, extra varchar(5))")
    shop.source.execute(
        f"INSERT INTO t VALUES (1, {', '.join(['%s'] * len(kinds))}, 'x')".encode(), [values[name] for name in kinds]
    )
    dataset = Dataset(
        "t",
        columns=[Column("id", Integer, key=True), *[Column(n, t) for n, t in kinds.items()], Column("extra", String)],
    )
    bench = shop.open(shop.model(dataset))
    assert shop.merged() == (1, 0, 0)
    for setting, (there, here) in SETTINGS.items():
        for connection, value in ((shop.source, there), (shop.target, here)):
            connection.execute(f"ALTER DATABASE {connection.info.dbname} SET {setting} = {value}".encode())
    bench.runner.close()
    shop.close()
    bench = shop.open(shop.model(dataset))
    assert bench.plan().empty
    assert shop.merged() == (0, 0, 0)
    shop.source.execute("UPDATE t SET f = 0.1::float8 + 1e-16::float8, s = 'x\\y', b = '\\x00'")
    assert shop.merged() == (0, 1, 0)
    shown = "z::text, i::text, f::text, b::text, d::text, j::text, s"
    assert shop.seen("t", shown) == shop.source.execute(f"SELECT {shown} FROM t".encode()).fetchall()
    wider = Dataset("t", columns=[*dataset.columns[:-1], Column("extra", String), Column("id2", Integer, source="id")])
    assert bench.apply(shop.model(wider)).active
    assert shop.merged() == (0, 1, 0)
    assert bench.plan().empty


def test_a_document_that_cannot_be_held_is_said_to_be(shop: Shop) -> None:
    shop.do("CREATE TABLE t (id int, j json)", """INSERT INTO t VALUES (1, '{"a": "\\u0000"}')""")
    shop.open(shop.model(Dataset("t", columns=[Column("id", Integer, key=True), Column("j", Json)])))
    failed = shop.run()
    assert failed.outcome is Outcome.FAILED
    assert "unsupported Unicode escape sequence" in failed.error
    shop.do("""UPDATE t SET j = '{"b": 1, "a": 2, "a": 3}'""")
    assert shop.merged() == (1, 0, 0)
    shop.do("""UPDATE t SET j = '{ "a" : 3.0, "b":1 }'""")
    assert shop.merged() == (0, 0, 0)


def test_domains_and_enumerations_are_read(shop: Shop) -> None:
    shop.do(
        "CREATE DOMAIN positive AS integer CHECK (value > 0)",
        "CREATE TYPE mood AS ENUM ('sad', 'it''s ok')",
        "CREATE TABLE t (id positive, m mood, ms mood[])",
        "INSERT INTO t VALUES (1, 'sad', '{sad,NULL}'), (2, 'it''s ok', '{}')",
    )
    columns = [Column("id", Integer, key=True), Column("m", String), Column("ms", Array(String))]
    shop.open(shop.model(Dataset("t", columns=columns)))
    assert shop.merged() == (2, 0, 0)
    assert shop.seen("t") == [(1, "sad", ["sad", None]), (2, "it's ok", [])]


def test_a_key_too_long_for_an_index_fails_the_batch_and_says_so(shop: Shop) -> None:
    shop.do("CREATE TABLE t (k text)")
    shop.open(shop.model(Dataset("t", columns=[Column("k", String, key=True)])))
    shop.source.execute("INSERT INTO t SELECT string_agg(md5(g::text), '') FROM generate_series(1, 400) g")
    failed = shop.run()
    assert failed.outcome is Outcome.FAILED
    assert "index row" in failed.error
    shop.do("DELETE FROM t", "INSERT INTO t VALUES ('short')")
    assert shop.merged() == (1, 0, 0)


def test_the_servers_agree_on_what_a_text_is(shop: Shop) -> None:
    with psycopg.connect(shop.source_url) as latin:
        latin.execute("SET client_encoding = 'LATIN1'")
        latin.execute("CREATE TABLE t (k text); INSERT INTO t VALUES ('é'), ('ß')")
    shop.open(shop.model(Dataset("t", columns=[Column("k", String, key=True)])))
    assert shop.merged() == (2, 0, 0)
    assert {k for (k,) in shop.seen("t")} == {"é", "ß"}
