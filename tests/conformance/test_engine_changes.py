"""Batches that stage changes instead of whole tables: what each leaves behind, counted, guarded, kept, redone."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conformance.engine_shop import Shop, shop_on
from datasurface import BigInt, Column, Dataset, Guard, History, OutputMode, String
from datasurface.databases.postgres.changes import find_delta
from datasurface.engine.batch import BatchResult, Outcome, Step
from datasurface.engine.capture import snapshot
from datasurface.runtime.job import JobRunner

ORDERS = Dataset(
    "orders", columns=[Column("id", BigInt, key=True), Column("a", String, nullable=False), Column("b", String)]
)
Change = tuple[str | None, int | None, int | None, str | None]


@pytest.fixture
def shop(two_databases: tuple[str, str], tmp_path: Path) -> Iterator[Shop]:
    with shop_on(two_databases, tmp_path) as opened:
        opened.do("CREATE TABLE orders (id bigint, a text, b text, ds_op text, ds_seq bigint)")
        yield opened


@pytest.fixture(params=["small", "large"])
def sized(request: pytest.FixtureRequest, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Shop:
    if request.param == "large":
        monkeypatch.setattr(snapshot, "SMALL_ROWS", 0)
    return shop


def give(shop: Shop, *changes: Change) -> None:
    """Let the source hold these changes and no others; each is operation, sequence, key, value."""
    shop.do("TRUNCATE orders")
    for op, seq, key, value in changes:
        shop.source.execute("INSERT INTO orders (ds_op, ds_seq, id, a) VALUES (%s, %s, %s, %s)", [op, seq, key, value])


def run(shop: Shop, *, accept: bool = False, runner: JobRunner | None = None, **changed: Any) -> BatchResult:
    job, digest = shop.bench.running.job("shop")
    changing = dataclasses.replace(job, mode=OutputMode.CHANGES, **changed)
    return (runner or shop.bench.runner).run(changing, digest, accept=accept)


def counts(shop: Shop) -> tuple[int, int, int]:
    result = run(shop)
    assert result.outcome is Outcome.MERGED, result
    return result.counts.inserted, result.counts.updated, result.counts.deleted


def test_the_last_change_of_each_key_is_judged_against_what_is_current(sized: Shop) -> None:
    shop = sized
    shop.open(shop.model(ORDERS, keep_batches=-1))
    give(shop, ("I", 1, 1, "a"), ("I", 2, 2, "b"), ("D", 3, 2, None), ("U", 4, 3, "c"), ("D", 5, 9, None))
    assert counts(shop) == (2, 0, 0)
    assert shop.seen("orders", "id, a") == [(1, "a"), (3, "c")]
    give(shop, ("D", 1, 1, None), ("I", 2, 1, "z"), ("I", 3, 3, "c"), ("I", 8, 4, "d"), ("U", 7, 4, "x"))
    assert counts(shop) == (1, 1, 0)
    give(shop, ("I", 2, 5, "e"), ("D", 3, 5, None), ("D", 1, 1, "noise"), ("U", 2, 3, "c"))
    assert counts(shop) == (0, 0, 1)
    give(shop)
    assert counts(shop) == (0, 0, 0)
    assert shop.seen("orders", "id, a") == [(3, "c"), (4, "d")]
    assert shop.versions("orders", "id, a") == [
        (1, "a", 1, 2),
        (1, "z", 2, 3),
        (3, "c", 1, None),
        (4, "d", 2, None),
    ]
    kept = 'SELECT ds_batch, ds_op::text, id, a FROM ds_yellow."shop.orders.deltas" ORDER BY 1, 3'
    assert shop.rows(kept) == [
        (1, "I", 1, "a"),
        (1, "I", 3, "c"),
        (2, "U", 1, "z"),
        (2, "I", 4, "d"),
        (3, "D", 1, None),
    ]
    books = "SELECT rows_read, inserted, updated, deleted FROM ds_yellow.batches ORDER BY batch_id"
    assert shop.rows(books) == [(5, 2, 0, 0), (5, 1, 1, 0), (4, 0, 0, 1), (0, 0, 0, 0)]
    assert shop.rows("SELECT rows FROM ds_yellow.datasets") == [(2,)]
    assert [t for t in shop.tables() if ".load." in t or ".staging." in t] == []


NONSENSE: list[tuple[list[Change], str]] = [
    ([("X", 1, 1, "a")], "dataset 'orders' has changes that mean nothing: ds_op is 'X', not I, U or D: id=1"),
    ([(None, 1, 1, "a")], "dataset 'orders' has changes that mean nothing: ds_op is NULL, not I, U or D: id=1"),
    ([("I", None, 1, "a")], "dataset 'orders' has changes that mean nothing: ds_seq is NULL: id=1"),
    ([("I", 1, None, "a")], "dataset 'orders' has changes that mean nothing: NULL in key: id=NULL"),
    (
        [("I", 1, 7, "a"), ("D", 1, 7, None)],
        "dataset 'orders' has changes that mean nothing: ds_seq 1 twice for one key: id=7",
    ),
    ([("I", 1, 7, None)], "merge database: column 'a' holds NULL, but the model says that it may not be"),
]


def test_changes_that_mean_nothing_fail_the_batch(shop: Shop) -> None:
    shop.open(shop.model(ORDERS))
    for seen in ([], [(6,)]):
        for changes, reason in NONSENSE:
            give(shop, ("I", 100, 100, "ok"), *changes)
            failed = run(shop)
            assert (failed.outcome, failed.error) == (Outcome.FAILED, reason)
            assert shop.seen("orders", "id") == seen
        give(shop, ("U", 1, 6, "f"))
        assert counts(shop) == ((0, 0, 0) if seen else (1, 0, 0))


def test_changes_that_mean_nothing_are_told_without_keys_that_are_classified(shop: Shop) -> None:
    shop.open(shop.model(ORDERS))
    for changes, reason in NONSENSE[:-1]:
        give(shop, *changes)
        error = run(shop, secret_keys=("orders",)).error
        assert error == reason.rpartition(": ")[0]
        assert "id=" not in error


def test_a_source_without_the_two_columns_is_refused(shop: Shop) -> None:
    shop.open(shop.model(ORDERS))
    shop.do("ALTER TABLE orders DROP ds_seq")
    failed = run(shop)
    assert failed.outcome is Outcome.FAILED
    assert "table public.orders does not fit dataset 'orders': no column 'ds_seq'" in failed.error


def test_the_guard_sees_what_changes_would_delete_and_accept_merges_them(shop: Shop) -> None:
    shop.open(shop.model(ORDERS, guard=Guard(above_rows=10)))
    give(shop, *[("I", n, n, "a") for n in range(1, 21)])
    assert counts(shop) == (20, 0, 0)
    give(shop, *[("D", n, n, None) for n in range(1, 21)])
    parked = run(shop)
    assert (parked.outcome, parked.error) == (Outcome.PARKED, "orders: it would delete all 20 rows")
    give(shop, *[("D", n, n, None) for n in range(1, 12)])
    parked = run(shop)
    assert parked.outcome is Outcome.PARKED
    assert parked.error == "orders: it would delete 11 of 20 rows (55 %, the guard allows 50 %)"
    accepted = run(shop, accept=True)
    assert (accepted.outcome, accepted.batch_id, accepted.counts.deleted) == (Outcome.MERGED, 3, 11)
    assert len(shop.seen("orders")) == 9


@pytest.mark.parametrize("stop", [Step.STAGE, Step.MERGE], ids=["before staging", "staged"])
def test_a_batch_that_was_interrupted_is_redone_once(sized: Shop, stop: Step) -> None:
    shop = sized
    bench = shop.open(shop.model(ORDERS))
    give(shop, ("I", 1, 1, "a"))
    run(shop)
    give(shop, ("U", 1, 1, "z"), ("I", 2, 2, "b"), ("D", 3, 2, None), ("I", 4, 3, "c"))

    def die(step: Step) -> None:
        if step is stop:
            raise KeyboardInterrupt

    dying = JobRunner(bench.running, observe=die)
    with pytest.raises(KeyboardInterrupt):
        run(shop, runner=dying)
    dying.close()
    redone = run(shop)
    assert (redone.batch_id, redone.counts.inserted, redone.counts.updated) == (2, 1, 1)
    assert shop.versions("orders", "id, a") == [(1, "a", 1, 2), (1, "z", 2, None), (3, "c", 2, None)]


def test_a_stream_may_turn_from_whole_tables_to_changes_and_back(shop: Shop) -> None:
    shop.open(shop.model(ORDERS, history=History.LIVE))
    give(shop, ("I", 1, 1, "a"), ("I", 2, 2, "b"))
    assert shop.merged() == (2, 0, 0)
    give(shop, ("D", 1, 1, None), ("I", 2, 3, "c"))
    assert counts(shop) == (1, 0, 1)
    assert shop.seen("orders", "id, a") == [(2, "b"), (3, "c")]
    give(shop, ("I", 1, 2, "B"))
    assert shop.merged() == (0, 1, 1)
    shop.bench.apply(shop.model(Dataset("orders", columns=[*ORDERS.columns, Column("c", String)])))
    shop.do("ALTER TABLE orders ADD c text", "UPDATE orders SET c = 'new', ds_op = 'U'")
    assert counts(shop) == (0, 1, 0)
    assert shop.seen("orders", "id, a, c") == [(2, "B", "new")]


def test_a_few_changes_of_a_large_table_are_found_by_key(shop: Shop) -> None:
    bench = shop.open(shop.model(ORDERS, history=History.LIVE))
    shop.do("INSERT INTO orders (ds_op, ds_seq, id, a) SELECT 'I', g, g, 'a' FROM generate_series(1, 150000) g")
    assert counts(shop) == (150_000, 0, 0)
    tables = bench.running.store.tables_of("ds_yellow", "shop.orders")
    plans: list[str] = []

    def explain(step: Step) -> None:
        if step is Step.MERGE:
            job = bench.running.job("shop")[0]
            query = find_delta(tables, job.datasets[0], tables.changes)
            plans.append("\n".join(str(line) for (line,) in shop.rows(f"EXPLAIN {query}")))

    watching = JobRunner(bench.running, observe=explain)
    give(shop, ("U", 1, 5, "z"), ("D", 2, 6, None))
    assert counts(shop) == (0, 1, 1)  # staged as a large batch, for the one before was
    assert run(shop, runner=watching).ok
    watching.close()
    assert '"shop.orders_pkey"' in plans[0]
    assert 'Seq Scan on ds_yellow."shop.orders"' not in plans[0]
    assert shop.rows("SELECT rows FROM ds_yellow.datasets") == [(149_999,)]
