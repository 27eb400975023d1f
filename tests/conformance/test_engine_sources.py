"""What every source database must do for the engine, whichever it is: a new one adds a `Kind` and nothing else."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from datasurface import (
    BigInt,
    Boolean,
    Column,
    Dataset,
    Date,
    Decimal,
    Float64,
    Integer,
    Json,
    SqliteDatabase,
    String,
    Time,
    Timestamp,
    Uuid,
)
from datasurface.engine.batch import Outcome
from datasurface.model.infrastructure import Container
from datasurface.model.types import DataType
from workbench import Workbench, container, environ, model, workbench

UUID = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
EDGES: Mapping[str, tuple[DataType, str, str, Sequence[tuple[str, str]]]] = {
    "whole": (BigInt(), "bigint", "BIGINT", [("9223372036854775807", "9223372036854775807"), ("-1", "-1")]),
    "money": (Decimal(12, 2), "numeric(12,2)", "DECIMAL(12,2)", [("'0.1'", "0.10"), ("'-1.05'", "-1.05")]),
    "real": (Float64(), "double precision", "DOUBLE", [("0.1", "0.1"), ("5e-324", "5e-324"), ("1e308", "1e+308")]),
    "text": (String(), "text", "TEXT", [("''", ""), ("'NULL'", "NULL"), ("'\\N'", "\\N"), ("'\t\n'", "\t\n")]),
    "truth": (Boolean(), "boolean", "BOOLEAN", [("true", "true"), ("false", "false")]),
    "day": (Date(), "date", "DATE", [("'2000-02-29'", "2000-02-29"), ("'0001-01-01'", "0001-01-01")]),
    "hour": (Time(), "time", "TIME", [("'23:59:59.999999'", "23:59:59.999999"), ("'00:00:00'", "00:00:00")]),
    "local": (Timestamp(tz=False), "timestamp", "DATETIME", [("'2024-10-27 02:30:00'", "2024-10-27 02:30:00")]),
    "moment": (Timestamp(), "timestamptz", "TIMESTAMPTZ", [("'2024-10-27 02:30:00+02:00'", "2024-10-27 00:30:00+00")]),
    "uuid": (Uuid(), "uuid", "UUID", [(f"'{UUID}'", UUID), (f"'{UUID.upper()}'", UUID)]),
    "json": (Json(), "jsonb", "JSON", [("'{\"a\": [1, null]}'", '{"a": [1, null]}'), ("'null'", "null")]),
}  # fmt: skip
"""By column: its type, how each kind declares it, and values as literals with the text that consumers see."""


@dataclass
class Kind:
    """A source of one kind: its container, how to change it, and which of `EDGES`' declarations is its own."""

    container: Container
    do: Callable[[str], object]
    declaration: int
    secrets: Mapping[str, str]
    folder: Path
    target_url: str

    def opened(self, *datasets: Dataset) -> Iterator[Workbench]:
        ecosystem = model(self.container, container("dst", self.target_url), datasets)
        with workbench(ecosystem, self.target_url, self.folder, dict(self.secrets)) as bench:
            yield bench


def postgres(urls: tuple[str, str], folder: Path) -> Iterator[Kind]:
    source, target = urls
    with psycopg.connect(source, autocommit=True) as connection:
        secrets = environ(src=source, dst=target)
        yield Kind(container("src", source), lambda text: connection.execute(text.encode()), 1, secrets, folder, target)


def sqlite(urls: tuple[str, str], folder: Path) -> Iterator[Kind]:
    connection = sqlite3.connect(folder / "source.db", isolation_level=None)
    try:
        secrets = environ(dst=urls[1])
        yield Kind(SqliteDatabase("src", path="source.db"), connection.execute, 2, secrets, folder, urls[1])
    finally:
        connection.close()


@pytest.fixture(params=[postgres, sqlite], ids=lambda make: make.__name__)
def kind(request: pytest.FixtureRequest, two_databases: tuple[str, str], tmp_path: Path) -> Iterator[Kind]:
    yield from request.param(two_databases, tmp_path)


ORDERS = Dataset("orders", columns=[Column("id", BigInt, key=True), Column("name", String(20))])
NOTES = Dataset("notes", columns=[Column("a", Integer), Column("b", String)])


@pytest.fixture
def bench(kind: Kind) -> Iterator[Workbench]:
    kind.do("CREATE TABLE orders (id bigint, name varchar(20))")
    kind.do("CREATE TABLE notes (a integer, b text)")
    kind.do("INSERT INTO orders VALUES (1, 'one'), (2, ''), (3, NULL)")
    kind.do("INSERT INTO notes VALUES (1, 'x'), (1, 'x'), (NULL, NULL)")
    yield from kind.opened(ORDERS, NOTES)


def counts(bench: Workbench) -> tuple[int, int, int, int]:
    result = bench.run()
    assert result.ok, result
    done = result.counts
    return done.rows_read, done.inserted, done.updated, done.deleted


def test_first_load_changes_and_deletes_arrive(kind: Kind, bench: Workbench) -> None:
    assert counts(bench) == (6, 6, 0, 0)
    assert counts(bench) == (6, 0, 0, 0)
    kind.do("UPDATE orders SET name = NULL WHERE id = 2")
    kind.do("DELETE FROM orders WHERE id = 1")
    kind.do("INSERT INTO orders VALUES (4, 'four')")
    kind.do("INSERT INTO notes VALUES (1, 'x')")
    kind.do("DELETE FROM notes WHERE a IS NULL")
    assert counts(bench) == (6, 2, 1, 2)
    assert bench.rows("SELECT * FROM reports_all.shop_orders ORDER BY 1") == [(2, None), (3, None), (4, "four")]
    assert bench.rows("SELECT * FROM reports_all.shop_notes") == [(1, "x")] * 3
    history = "SELECT id, name, ds_batch_in, ds_batch_out FROM reports_all.shop_orders_history ORDER BY 1, 3"
    assert bench.rows(history) == [
        (1, "one", 1, 3),
        (2, "", 1, 3),
        (2, None, 3, None),
        (3, None, 1, None),
        (4, "four", 3, None),
    ]


def test_wrong_keys_are_named_and_nothing_is_published(kind: Kind, bench: Workbench) -> None:
    kind.do("INSERT INTO orders VALUES (1, 'again'), (NULL, 'none')")
    failed = bench.run()
    assert failed.outcome is Outcome.FAILED
    assert "duplicate keys: id=1 (2 times)" in failed.error
    assert "NULL in keys: id=NULL" in failed.error
    kind.do("DELETE FROM orders WHERE name IN ('again', 'none')")
    assert counts(bench) == (6, 6, 0, 0)
    kind.do("INSERT INTO orders VALUES (2, 'again')")
    failed = bench.run()
    assert failed.outcome is Outcome.FAILED
    assert "duplicate keys: id=2 (2 times)" in failed.error
    assert bench.rows("SELECT count(*) FROM reports_all.shop_orders") == [(3,)]


def test_an_emptied_source_is_parked(kind: Kind, bench: Workbench) -> None:
    for number in range(10, 21):
        kind.do(f"INSERT INTO orders VALUES ({number}, 'n')")
    counts(bench)
    kind.do("DELETE FROM orders")
    assert bench.run().outcome is Outcome.PARKED
    assert bench.run(accept=True).counts.deleted == 14


@pytest.mark.parametrize(
    ("broken", "repaired"),
    [
        ("ALTER TABLE orders RENAME TO elsewhere", "ALTER TABLE elsewhere RENAME TO orders"),
        ("ALTER TABLE orders RENAME COLUMN name TO title", "ALTER TABLE orders RENAME COLUMN title TO name"),
    ],
    ids=["table", "column"],
)
def test_what_is_missing_is_named_and_works_again(kind: Kind, bench: Workbench, broken: str, repaired: str) -> None:
    counts(bench)
    kind.do("INSERT INTO notes VALUES (7, 'seven')")
    kind.do(broken)
    failed = bench.run()
    assert failed.outcome is Outcome.FAILED
    assert ("name" if "COLUMN" in broken else "orders") in failed.error
    assert bench.rows("SELECT count(*) FROM reports_all.shop_notes") == [(3,)]
    kind.do(repaired)
    assert counts(bench) == (7, 1, 0, 0)


def test_a_text_longer_than_the_model_says_never_arrives_cut(kind: Kind) -> None:
    kind.do("CREATE TABLE wide (id integer, name varchar(30))")
    kind.do("INSERT INTO wide VALUES (1, 'abcdefghijklmnopqrstuvwxyz')")
    wide = Dataset("wide", columns=[Column("id", Integer, key=True), Column("name", String(20))])
    for bench in kind.opened(wide):
        failed = bench.run()
        assert failed.outcome is Outcome.FAILED
        assert "name" in failed.error
        assert "String(20)" in failed.error
        assert bench.rows("SELECT count(*) FROM reports_all.shop_wide") == [(0,)]


@pytest.mark.parametrize("column", sorted(EDGES))
def test_values_of_each_type_arrive_and_their_changes_are_seen(kind: Kind, column: str) -> None:
    t, values = EDGES[column][0], EDGES[column][3]
    kind.do(f"CREATE TABLE t (id integer, v {EDGES[column][kind.declaration]})")
    for number, (literal, _) in enumerate(values):
        kind.do(f"INSERT INTO t VALUES ({number}, {literal})")
    kind.do("INSERT INTO t VALUES (-1, NULL)")
    read = Dataset("t", columns=[Column("id", Integer, key=True), Column("v", t)])
    for bench in kind.opened(read):
        assert counts(bench) == (len(values) + 1, len(values) + 1, 0, 0)
        assert counts(bench) == (len(values) + 1, 0, 0, 0)
        shown = "SELECT v::text FROM reports_all.shop_t ORDER BY id"
        expected = [(None,), *[(text,) for _, text in values]]
        if column in ("day", "local", "moment"):
            bench_zone = "SELECT (v AT TIME ZONE 'UTC')::text || '+00' FROM reports_all.shop_t ORDER BY id"
            shown = bench_zone if column == "moment" else shown
        assert bench.rows(shown) == expected
        kind.do(f"UPDATE t SET v = {values[0][0]} WHERE id = -1")
        kind.do("UPDATE t SET v = NULL WHERE id = 0")
        assert counts(bench) == (len(values) + 1, 0, 2, 0)
