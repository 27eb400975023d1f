"""What must not grow: staging, kept deltas, closed versions, the ledger, the catalog."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from conformance.engine_shop import Shop, shop_on
from datasurface import BigInt, Column, Dataset, DatasetGroup, Guard, History, String
from datasurface.engine.batch import Outcome
from datasurface.runtime.retention import keep_tidy
from datasurface.store.forgetting import forget_old
from datasurface.store.totals import add_up, batch_totals

ORDERS = Dataset("orders", columns=[Column("id", BigInt, key=True), Column("a", String)])
DELTAS = 'ds_yellow."shop.orders.deltas"'


@pytest.fixture
def shop(two_databases: tuple[str, str], tmp_path: Path) -> Iterator[Shop]:
    with shop_on(two_databases, tmp_path) as opened:
        opened.do("CREATE TABLE orders (id bigint, a text)", "INSERT INTO orders VALUES (1, 'a'), (2, 'b'), (3, NULL)")
        yield opened


def five_changes(shop: Shop) -> None:
    shop.merged()
    for statement in (
        "INSERT INTO orders VALUES (4, 'd')",
        "UPDATE orders SET a = NULL WHERE id = 1",
        "DELETE FROM orders WHERE id = 2",
        "UPDATE orders SET a = 'c' WHERE id = 3",
        "INSERT INTO orders VALUES (2, 'again')",
    ):
        shop.do(statement)
        shop.merged()


CHANGES = [
    (2, "I", 4, "d"),
    (3, "U", 1, None),
    (4, "D", 2, None),
    (5, "U", 3, "c"),
    (6, "I", 2, "again"),
]


@pytest.mark.parametrize("kept", [3, -1])
def test_deltas_are_exactly_the_changes_of_the_batches_kept(shop: Shop, kept: int) -> None:
    shop.open(shop.model(ORDERS, keep_batches=kept))
    five_changes(shop)
    found = shop.rows(f"SELECT ds_batch, ds_op::text, id, a FROM {DELTAS} ORDER BY 1")
    assert found == (CHANGES[-3:] if kept == 3 else CHANGES)


def test_no_deltas_are_kept_unless_asked(shop: Shop) -> None:
    shop.open(shop.model(ORDERS))
    five_changes(shop)
    assert "shop.orders.deltas" not in shop.tables()
    assert shop.bench.apply(shop.model(ORDERS, keep_batches=2)).active
    shop.do("DELETE FROM orders WHERE id = 1")
    shop.merged()
    assert shop.rows(f"SELECT ds_batch, ds_op::text, id FROM {DELTAS}") == [(7, "D", 1)]


def test_deltas_of_quiet_batches_are_forgotten_too(shop: Shop) -> None:
    shop.open(shop.model(ORDERS, keep_batches=2))
    five_changes(shop)
    for _ in range(3):
        assert shop.merged() == (0, 0, 0)
    shop.do("DELETE FROM orders WHERE id = 1")
    shop.merged()
    assert shop.rows(f"SELECT ds_batch, ds_op::text, id FROM {DELTAS}") == [(10, "D", 1)]


def test_closed_versions_go_when_nobody_needs_them(shop: Shop) -> None:
    groups = [
        DatasetGroup("all", sinks=["shop.orders"], history=History.FULL, retention="30 days"),
        DatasetGroup("long", sinks=["shop.orders"], history=History.FULL, retention="60 days"),
    ]
    shop.open(shop.model(ORDERS, groups=groups))
    five_changes(shop)
    closed = 'ds_yellow."shop.orders.history"'
    assert shop.rows(f"SELECT count(*) FROM {closed}") == [(3,)]
    for batch, days in ((3, 61), (4, 59)):
        shop.admin(
            f"UPDATE {closed} SET ds_valid_to = ds_valid_to - interval '{days} days', "
            f"ds_valid_from = ds_valid_from - interval '{days} days' WHERE ds_batch_out = {batch}"
        )
    shop.admin("UPDATE ds_yellow.datasets SET pruned_at = pruned_at - interval '25 hours'")
    shop.merged()
    assert shop.rows(f"SELECT ds_batch_out FROM {closed} ORDER BY 1") == [(4,), (5,)]
    assert len(shop.seen("orders")) == 4


def test_the_ledger_forgets_by_age_but_never_the_newest(shop: Shop) -> None:
    shop.open(shop.model(ORDERS))
    five_changes(shop)
    for _ in range(4):
        shop.merged()
    ages = {1: 401, 2: 399, 3: 8, 7: 8, 8: 6, 9: 8, 10: 500}
    for batch, days in ages.items():
        shop.admin(
            f"UPDATE ds_yellow.ledger SET finished_at = finished_at - interval '{days} days' WHERE batch_id = {batch}"
        )
    counted = ended(shop)
    assert shop.rows("SELECT count(*), sum(rows_read) FROM ds_yellow.ledger") == [(10, 37)]
    assert counted == {"merged": (6, 21), "idle": (4, 16)}
    with shop.bench.running.store.engine.begin() as connection:
        assert forget_old(connection, "ds_yellow", datetime.now(UTC) + timedelta(minutes=1)) == 3
    assert ended(shop) == counted, "what the ledger forgot stays in the totals"
    assert shop.rows("SELECT batch_id FROM ds_yellow.batches ORDER BY 1") == [(b,) for b in (2, 3, 4, 5, 6, 8, 10)]
    assert shop.rows("SELECT count(*) FROM ds_yellow.ledger_datasets") == [(7,)]
    assert shop.merged() == (0, 0, 0)
    assert ended(shop)["idle"] == (5, 20), "what ended since is counted in the ledger"
    with shop.bench.running.store.engine.begin() as connection:
        assert forget_old(connection, "ds_yellow", datetime.now(UTC)) == 1
        add_up(connection, "ds_yellow")
    assert ended(shop) == {"merged": (6, 21), "idle": (5, 20)}


def test_audits_are_forgotten_by_age_but_never_the_newest_of_a_dataset(shop: Shop) -> None:
    bench = shop.open(shop.model(ORDERS))
    shop.admin(
        "INSERT INTO ds_yellow.audits SELECT 'shop', d, now() - a * interval '1 day', 1, true, 1, 0, 0, '' "
        "FROM (VALUES ('orders', 500), ('orders', 401), ('orders', 399), ('gone', 700), ('gone', 600)) AS v (d, a)"
    )
    assert keep_tidy(bench.running).to_json() == {"batches": 0, "audits": 3, "access_changes": 0, "code_logs": 0}
    left = shop.rows("SELECT dataset, (now()::date - ran_at::date) FROM ds_yellow.audits ORDER BY 1")
    assert left == [("gone", 600), ("orders", 399)]


def ended(shop: Shop) -> dict[str, tuple[int, int]]:
    """Return how many batches ended in each way, and how many rows they read."""
    with shop.bench.running.store.engine.connect() as connection:
        return {t.outcome: (t.batches, t.rows_read) for t in batch_totals(connection, "ds_yellow")}


def test_many_batches_leave_catalog_and_staging_as_they_were(shop: Shop) -> None:
    bag = Dataset("bag", columns=[Column("x", BigInt), Column("y", String)])
    shop.do("CREATE TABLE bag (x bigint, y text)")
    shop.open(shop.model(ORDERS, bag, keep_batches=3))
    shop.merged()
    shop.merged()

    def catalog() -> list[tuple[int, ...]]:
        counts = ", ".join(
            f"(SELECT count(*) FROM {table})" for table in ("pg_class", "pg_attribute", "pg_type", "pg_depend")
        )
        # Tables that a batch makes and drops leave dead rows behind and oids spent.
        return shop.rows(f"SELECT {counts}, (SELECT max(oid) FROM pg_class)")

    before = catalog()
    for number in range(200):
        shop.do(f"UPDATE orders SET a = '{number}' WHERE id = 1", f"INSERT INTO bag VALUES ({number % 7}, 'y')")
        assert shop.merged() == (1, 1, 0)
        if number % 20 == 0:
            for table in ("orders", "bag"):
                for part in ("staging", "delta"):
                    assert shop.rows(f'SELECT count(*) FROM ds_yellow."shop.{table}.{part}"') == [(0,)]
    assert catalog() == before
    assert shop.rows(f"SELECT count(*) FROM {DELTAS}") == [(3,)]


@pytest.mark.parametrize("name", ["orders", "o" * 63], ids=["short", "63 characters"])
def test_what_a_failed_or_superseded_batch_staged_is_dropped(shop: Shop, name: str) -> None:
    shop.do("CREATE TABLE big (id bigint, a text)", "INSERT INTO big SELECT g FROM generate_series(1, 12000) g")
    columns = [Column("id", BigInt, key=True), Column("a", String)]
    big = Dataset(name, columns=columns, source="big")
    other = Dataset("other", columns=columns, source="orders")
    shop.open(shop.model(big, other, guard=Guard(above_rows=100, max_deleted=0.1)))
    shop.do("INSERT INTO orders VALUES (1, 'twice')")
    assert shop.run().outcome is Outcome.FAILED
    shop.do("DELETE FROM orders WHERE a = 'twice'")
    shop.merged()
    shop.do("DELETE FROM big WHERE id > 10500")
    assert shop.run().outcome is Outcome.PARKED
    assert shop.run().outcome is Outcome.PARKED
    shop.do("INSERT INTO big SELECT g FROM generate_series(10501, 12000) g")
    shop.merged()
    # Both datasets have current rows and history; the small one keeps its staging and delta for the next batch.
    assert len(shop.tables()) == 6


def test_what_was_staged_for_a_dataset_that_left_the_model_is_dropped(shop: Shop) -> None:
    shop.do("CREATE TABLE big (id bigint, a text)", "INSERT INTO big SELECT g FROM generate_series(1, 12000) g")
    big = Dataset("big", columns=ORDERS.columns)
    shop.open(shop.model(big, ORDERS))
    shop.merged()
    shop.do("DELETE FROM big WHERE id > 100")
    assert shop.run().outcome is Outcome.PARKED
    shop.bench.apply(shop.model(ORDERS))
    shop.bench.apply(prune=True)
    shop.merged()
    assert [t for t in shop.tables() if t.startswith("shop.big")] == []
