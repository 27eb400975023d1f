"""The main path on a real server: a source's rows and changes arrive in consumers' views, with history and ledger."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from datasurface import BigInt, Column, Dataset, Guard, History, Integer, String
from datasurface.engine.batch import Outcome
from workbench import container, environ, model, workbench

ORDERS = Dataset("orders", columns=[Column("id", BigInt, key=True), Column("name", String(20))])
NOTES = Dataset("notes", columns=[Column("a", Integer), Column("b", String)])


@pytest.mark.parametrize("history", [History.LIVE, History.FULL])
def test_rows_and_changes_arrive(two_databases: tuple[str, str], tmp_path: Path, history: History) -> None:
    source_url, target_url = two_databases
    with psycopg.connect(source_url, autocommit=True) as source:
        source.execute(
            "CREATE TABLE orders (id bigint PRIMARY KEY, name varchar(20)); CREATE TABLE notes (a int, b text)"
        )
        source.execute("INSERT INTO orders SELECT g, 'n' || g FROM generate_series(1, 20) g")
        source.execute("INSERT INTO notes VALUES (1, 'x'), (1, 'x'), (NULL, NULL)")
        secrets = environ(src=source_url, dst=target_url)
        ecosystem = model(container("src", source_url), container("dst", target_url), [ORDERS, NOTES], history=history)
        with workbench(ecosystem, target_url, tmp_path, secrets) as bench:
            assert bench.plan().empty
            first = bench.run()
            assert (first.outcome, first.counts.inserted, first.counts.rows_read) == (Outcome.MERGED, 23, 23)
            idle = bench.run()
            assert (idle.counts.inserted, idle.counts.updated, idle.counts.deleted) == (0, 0, 0)
            source.execute("UPDATE orders SET name = NULL WHERE id = 1")
            source.execute("DELETE FROM orders WHERE id = 2")
            source.execute("INSERT INTO orders VALUES (99, '')")
            source.execute("INSERT INTO notes VALUES (NULL, NULL)")
            third = bench.run()
            assert (third.counts.inserted, third.counts.updated, third.counts.deleted) == (2, 1, 1)
            assert (
                bench.rows("SELECT * FROM reports_all.shop_orders ORDER BY id")
                == source.execute("SELECT * FROM orders ORDER BY id").fetchall()
            )
            assert bench.rows("SELECT count(*) FROM reports_all.shop_notes") == [(4,)]
            ledger = "SELECT batch_id, state, rows_read, inserted, updated, deleted FROM ds_yellow.batches ORDER BY 1"
            assert bench.rows(ledger) == [
                (1, "merged", 23, 23, 0, 0),
                (2, "merged", 23, 0, 0, 0),
                (3, "merged", 24, 2, 1, 1),
            ]
            if history is History.FULL:
                versions = bench.rows(
                    "SELECT id, name, ds_batch_in, ds_batch_out FROM reports_all.shop_orders_history "
                    "WHERE id IN (1, 2, 3, 99) ORDER BY 1, 3"
                )
                assert versions == [
                    (1, "n1", 1, 3),
                    (1, None, 3, None),
                    (2, "n2", 1, 3),
                    (3, "n3", 1, None),
                    (99, "", 3, None),
                ]


def test_an_emptied_source_is_parked_and_accepted(two_databases: tuple[str, str], tmp_path: Path) -> None:
    source_url, target_url = two_databases
    with psycopg.connect(source_url, autocommit=True) as source:
        source.execute("CREATE TABLE orders (id bigint PRIMARY KEY, name varchar(20))")
        source.execute("INSERT INTO orders SELECT g, 'n' FROM generate_series(1, 20) g")
        ecosystem = model(
            container("src", source_url), container("dst", target_url), [ORDERS], guard=Guard(max_deleted=0.5)
        )
        with workbench(ecosystem, target_url, tmp_path, environ(src=source_url, dst=target_url)) as bench:
            bench.run()
            source.execute("DELETE FROM orders")
            parked = bench.run()
            assert parked.outcome is Outcome.PARKED
            assert "orders: the source is empty; it would delete all 20 rows" in parked.error
            assert bench.rows("SELECT count(*) FROM reports_all.shop_orders") == [(20,)]
            accepted = bench.run(accept=True)
            assert (accepted.outcome, accepted.batch_id, accepted.counts.deleted) == (Outcome.MERGED, 2, 20)
            assert bench.rows("SELECT count(*) FROM reports_all.shop_orders") == [(0,)]
