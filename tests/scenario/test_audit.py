"""The audit finds what is wrong in consumers' rows, and does not blame them for what the source changed since."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import psycopg
import pytest

from datasurface import (
    BigInt,
    Column,
    Dataset,
    Decimal,
    Ecosystem,
    Float64,
    Integer,
    Json,
    SqliteDatabase,
    String,
    Timestamp,
)
from datasurface.engine.audit import DatasetAudit, audit_stream
from workbench import Workbench, container, environ, model, workbench

ORDERS = Dataset(
    "orders",
    columns=[
        Column("id", BigInt, key=True),
        Column("name", String(20)),
        Column("price", Decimal(10, 2)),
        Column("weight", Float64),
        Column("at", Timestamp),
        Column("extra", Json),
    ],
)
NOTES = Dataset("notes", columns=[Column("a", Integer), Column("b", String)])


def audited(bench: Workbench) -> dict[str, DatasetAudit]:
    return {a.dataset: a for a in audit_stream(bench.runner.context(*bench.running.job("shop")))}


def fill(source: psycopg.Connection[tuple[object, ...]]) -> None:
    source.execute(
        "CREATE TABLE orders (id bigint PRIMARY KEY, name varchar(20), price numeric(10, 2), weight float8, "
        "at timestamptz, extra jsonb); CREATE TABLE notes (a int, b text)"
    )
    source.execute(
        "INSERT INTO orders SELECT g, 'n' || g, g / 3.0, CASE WHEN g % 7 = 0 THEN -0.0 ELSE g / 7.0 END, "
        "now() - g * interval '1 hour', jsonb_build_object('g', g) FROM generate_series(1, 5000) g"
    )
    source.execute("INSERT INTO notes VALUES (1, 'x'), (1, 'x'), (NULL, NULL), (NULL, '')")


@pytest.fixture
def ecosystem(two_databases: tuple[str, str]) -> Ecosystem:
    source, target = two_databases
    return model(container("src", source), container("dst", target), [ORDERS, NOTES])


def test_equal_rows_are_proved_and_changed_ones_are_not_wrong(
    two_databases: tuple[str, str], ecosystem: Ecosystem, tmp_path: Path
) -> None:
    source_url, target_url = two_databases
    with psycopg.connect(source_url, autocommit=True) as source:
        fill(source)
        with workbench(ecosystem, target_url, tmp_path, environ(src=source_url, dst=target_url)) as bench:
            bench.run()
            first = audited(bench)
            assert all(a.ok and a.changed_since == 0 and a.verified_through == 1 for a in first.values())
            assert first["orders"].rows == first["orders"].source_rows == 5000
            source.execute("UPDATE orders SET name = 'later' WHERE id <= 7; DELETE FROM orders WHERE id = 100")
            source.execute("INSERT INTO orders (id) VALUES (9000); INSERT INTO notes VALUES (5, 'new')")
            later = audited(bench)
            assert (later["orders"].wrong, later["orders"].changed_since) == (0, 9)
            assert (later["notes"].wrong, later["notes"].changed_since) == (0, 1)
            assert bench.rows("SELECT count(*) FROM ds_yellow.audits WHERE ok") == [(4,)]


@pytest.mark.parametrize(
    ("damage", "wrong", "example"),
    [
        ("UPDATE ds_yellow.\"shop.orders\" SET name = 'bad' WHERE id IN (3, 4)", 2, "(3): different"),
        ('UPDATE ds_yellow."shop.orders" SET name = NULL WHERE id = 5', 1, "(5): different"),
        ('DELETE FROM ds_yellow."shop.orders" WHERE id = 6', 1, "(6): absent"),
        (
            'INSERT INTO ds_yellow."shop.orders" (id, ds_batch_in, ds_valid_from) VALUES (77777, 1, now())',
            1,
            "(77777): not at the source",
        ),
    ],
)
def test_damaged_rows_are_found_by_key(
    two_databases: tuple[str, str], ecosystem: Ecosystem, tmp_path: Path, damage: str, wrong: int, example: str
) -> None:
    source_url, target_url = two_databases
    with psycopg.connect(source_url, autocommit=True) as source:
        fill(source)
        with workbench(ecosystem, target_url, tmp_path, environ(src=source_url, dst=target_url)) as bench:
            bench.run()
            source.execute("UPDATE orders SET name = 'later' WHERE id = 4000")
            with psycopg.connect(target_url, autocommit=True) as target:
                target.execute(damage)  # type: ignore[arg-type]
            found = audited(bench)["orders"]
            assert (found.ok, found.wrong, found.changed_since) == (False, wrong, 1)
            assert any(example in e for e in found.examples), found.examples


def test_a_damaged_copy_of_sqlite_is_found(two_databases: tuple[str, str], tmp_path: Path) -> None:
    _, target_url = two_databases
    with sqlite3.connect(tmp_path / "shop.db") as source:
        source.execute("CREATE TABLE notes (a INTEGER, b TEXT)")
        source.executemany("INSERT INTO notes VALUES (?, ?)", [(i, f"t{i}") for i in range(50)])
    source.close()
    os.utime(tmp_path / "shop.db", (1_700_000_000, 1_700_000_000))
    ecosystem = model(SqliteDatabase("shop_file", path="shop.db"), container("dst", target_url), [NOTES])
    with workbench(ecosystem, target_url, tmp_path, environ(dst=target_url)) as bench:
        bench.run()
        assert audited(bench)["notes"].ok
        with psycopg.connect(target_url, autocommit=True) as target:
            target.execute("UPDATE ds_yellow.\"shop.notes\" SET b = 'bad' WHERE a = 7")
        found = audited(bench)["notes"]
        assert (found.ok, found.wrong) == (False, 1)
        os.utime(tmp_path / "shop.db")
        unsure = audited(bench)["notes"]
        assert (unsure.wrong, unsure.undecided, unsure.to_json()["verified_through"]) == (0, 2, None)
        assert bench.rows("SELECT count(*) FROM pg_tables WHERE tablename LIKE 'audit.%'") == [(0,)]
