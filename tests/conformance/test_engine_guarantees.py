"""What the engine promises of a batch: keys, guard, one point in time, one writer, and bad days at the source."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from conformance.engine_shop import Shop, shop_on
from datasurface import (
    PII,
    BigInt,
    Column,
    Consistency,
    Dataset,
    Guard,
    Integer,
    SmallInt,
    String,
    Timestamp,
)
from datasurface.engine.batch import Outcome, Step
from datasurface.errors import ConfigurationError
from datasurface.runtime.job import JobRunner

ORDERS = Dataset("orders", columns=[Column("id", BigInt, key=True), Column("a", String)])
PAIRS = Dataset("pairs", columns=[Column("a", String, key=True), Column("b", Integer, key=True), Column("v", String)])


@pytest.fixture
def shop(two_databases: tuple[str, str], tmp_path: Path) -> Iterator[Shop]:
    with shop_on(two_databases, tmp_path) as opened:
        opened.do("CREATE TABLE orders (id bigint, a text)", "CREATE TABLE pairs (a text, b int, v text)")
        yield opened


def filled(shop: Shop, rows: int) -> None:
    shop.do(
        "TRUNCATE orders, pairs",
        f"INSERT INTO orders SELECT g, 'a' || g FROM generate_series(1, {rows}) g",
        f"INSERT INTO pairs SELECT 'p', g, 'v' FROM generate_series(1, {rows}) g",
    )


# -- keys


@pytest.mark.parametrize("later", [False, True], ids=["first load", "later batch"])
@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ("INSERT INTO orders VALUES (1, 'x')", r"dataset 'orders' has duplicate keys: id=1 \(2 times\)$"),
        ("INSERT INTO orders VALUES (1, 'a1')", r"dataset 'orders' has duplicate keys: id=1 \(2 times\)$"),
        ("INSERT INTO orders VALUES (90, 'x'), (90, 'y')", r"'orders' has duplicate keys: id=90 \(2 times\)$"),
        ("INSERT INTO orders VALUES (NULL, 'x')", r"dataset 'orders' has NULL in keys: id=NULL$"),
        ("INSERT INTO pairs VALUES ('q', NULL, 'x')", r"dataset 'pairs' has NULL in keys: a=q, b=NULL$"),
        ("INSERT INTO pairs VALUES ('p', 1, NULL)", r"dataset 'pairs' has duplicate keys: a=p, b=1 \(2 times\)$"),
        (
            "INSERT INTO orders SELECT id, 'again' FROM orders",
            r"duplicate keys: (id=\d+ \(2 times\); ){9}id=10 \(2 times\)$",
        ),
    ],
    ids=["changed", "same", "both new", "NULL", "NULL in part", "composite", "up to ten"],
)
def test_wrong_keys_fail_the_batch_by_name(shop: Shop, later: bool, broken: str, message: str) -> None:
    filled(shop, 20)
    shop.open(shop.model(ORDERS, PAIRS))
    if later:
        shop.merged()
    shop.do("UPDATE orders SET a = 'changed' WHERE id = 2", broken)
    before = shop.seen("orders"), shop.seen("pairs", order="1, 2"), shop.versions("orders", "id, a")
    failed = shop.run()
    assert failed.outcome is Outcome.FAILED
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(failed.error)
    assert (shop.seen("orders"), shop.seen("pairs", order="1, 2"), shop.versions("orders", "id, a")) == before
    assert [t for t in shop.tables() if ".load." in t or ".staging." in t] == []
    ledger = shop.rows("SELECT state, inserted, updated, deleted, error FROM ds_yellow.batches ORDER BY batch_id")
    assert ledger[-1] == ("failed", 0, 0, 0, failed.error)
    filled(shop, 20)
    shop.do("UPDATE orders SET a = 'changed' WHERE id = 2")
    assert shop.merged() == ((0, 1, 0) if later else (40, 0, 0))
    assert shop.seen("orders")[1] == (2, "changed")


@pytest.mark.parametrize("later", [False, True], ids=["first load", "later batch"])
def test_wrong_keys_that_are_classified_are_counted_and_not_shown(shop: Shop, later: bool) -> None:
    filled(shop, 20)
    key = Column("a", String, key=True, classification=[PII])
    shop.open(shop.model(Dataset("pairs", columns=[key, *PAIRS.columns[1:]])))
    if later:
        shop.merged()
    wrong = "INSERT INTO pairs VALUES ('p', 1, 'v'), ('p', 2, 'v'), ('ssn-123', NULL, 'v')"
    shop.do("UPDATE pairs SET a = 'ssn-123' WHERE b = 3", wrong, "INSERT INTO pairs VALUES ('ssn-123', 3, 'x')")
    error = shop.run().error
    assert error == (
        "dataset 'pairs' has duplicate keys: 3 and NULL in keys: 1 (keys are not shown: they are classified)"
    )
    assert "ssn" not in str(shop.rows("SELECT * FROM ds_yellow.batches"))
    shop.do("INSERT INTO pairs SELECT * FROM pairs")
    assert "duplicate keys: 10 or more and" in shop.run().error


def test_wrong_keys_fail_rather_than_park(shop: Shop) -> None:
    filled(shop, 40)
    shop.open(shop.model(ORDERS, guard=Guard(above_rows=10)))
    shop.merged()
    shop.do("DELETE FROM orders WHERE id > 5", "INSERT INTO orders VALUES (NULL, 'x')")
    assert shop.run().outcome is Outcome.FAILED


def test_a_multiset_counts_copies_and_closes_the_newest_first(shop: Shop) -> None:
    bag = Dataset("orders", columns=[Column("id", BigInt), Column("a", String)])
    shop.open(shop.model(bag))
    shop.do("INSERT INTO orders VALUES (1, NULL), (1, NULL), (NULL, ''), (2, 'x')")
    shop.merged()
    shop.do("INSERT INTO orders VALUES (1, NULL)")
    assert shop.merged() == (1, 0, 0)
    shop.do("INSERT INTO orders VALUES (1, NULL)", "UPDATE orders SET a = NULL WHERE id IS NULL")
    assert shop.merged() == (2, 0, 1)
    shop.do("DELETE FROM orders WHERE ctid IN (SELECT ctid FROM orders WHERE id = 1 LIMIT 3)")
    assert shop.merged() == (0, 0, 3)
    ones = [version for version in shop.versions("orders", "id, a") if version[0] == 1]
    assert ones == [(1, None, 1, 4), (1, None, 1, None), (1, None, 2, 4), (1, None, 3, 4)]


# -- the guard


@pytest.mark.parametrize(
    ("rows", "left", "guard", "reason"),
    [
        (1000, 1, Guard(), None),
        (1001, 500, Guard(), r"orders: it would delete 501 of 1001 rows \(50 %, the guard allows 50 %\)"),
        (1001, 501, Guard(), None),
        (10, 0, Guard(), None),
        (11, 0, Guard(), "orders: the source is empty; it would delete all 11 rows"),
        (11, 1, Guard(), None),
        (11, 0, Guard(allow_empty=True), None),
        (30, 20, Guard(above_rows=20, max_deleted=0.1), "orders: it would delete 10 of 30 rows"),
        (30, 0, Guard(above_rows=20, max_deleted=1.0), "orders: the source is empty"),
        (30, 0, Guard(above_rows=20, max_deleted=1.0, allow_empty=True), None),
        (30, 29, Guard(above_rows=0, max_deleted=0.0), "orders: it would delete 1 of 30 rows"),
    ],
)
def test_the_guard_parks_what_deletes_too_much(
    shop: Shop, rows: int, left: int, guard: Guard, reason: str | None
) -> None:
    filled(shop, rows)
    shop.open(shop.model(ORDERS, guard=guard))
    shop.merged()
    shop.do(f"DELETE FROM orders WHERE id > {left}", "UPDATE orders SET a = 'b'")
    result = shop.run()
    if reason is None:
        assert result.outcome is Outcome.MERGED
        assert shop.rows("SELECT count(*) FROM reports_all.shop_orders") == [(left,)]
        return
    assert result.outcome is Outcome.PARKED
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(result.error)
    assert shop.rows("SELECT count(*), count(*) FILTER (WHERE a = 'b') FROM reports_all.shop_orders") == [(rows, 0)]
    ledger = "SELECT state, rows_read, inserted, updated, deleted FROM ds_yellow.batches WHERE batch_id = 2"
    assert shop.rows(ledger) == [("parked", left, 0, 0, 0)]


def test_one_dataset_that_deletes_too_much_holds_all(shop: Shop) -> None:
    filled(shop, 20)
    shop.open(shop.model(ORDERS, PAIRS))
    shop.merged()
    shop.do("DELETE FROM pairs", "INSERT INTO orders VALUES (99, 'x')")
    assert shop.run().outcome is Outcome.PARKED
    assert len(shop.seen("orders")) == 20
    assert shop.run(accept=True).outcome is Outcome.MERGED
    assert (len(shop.seen("orders")), len(shop.seen("pairs"))) == (21, 0)


def test_accept_merges_exactly_what_was_parked(shop: Shop) -> None:
    filled(shop, 20)
    shop.open(shop.model(ORDERS))
    shop.merged()
    shop.do("DELETE FROM orders")
    assert shop.run().outcome is Outcome.PARKED
    filled(shop, 30)
    accepted = shop.run(accept=True)
    assert (accepted.outcome, accepted.batch_id, accepted.counts.deleted) == (Outcome.MERGED, 2, 20)
    assert shop.seen("orders") == []
    assert shop.merged() == (30, 0, 0)
    parked_at = shop.rows("SELECT read_at FROM ds_yellow.ledger WHERE batch_id = 2")
    assert shop.rows("SELECT DISTINCT ds_valid_to FROM reports_all.shop_orders_history WHERE ds_batch_out = 2") == (
        parked_at
    )


def test_a_parked_batch_is_superseded_by_the_next_read(shop: Shop) -> None:
    filled(shop, 20)
    shop.open(shop.model(ORDERS))
    shop.merged()
    shop.do("DELETE FROM orders")
    assert shop.run().outcome is Outcome.PARKED
    again = shop.run()
    assert (again.outcome, again.batch_id) == (Outcome.PARKED, 3)
    filled(shop, 21)
    assert shop.merged() == (1, 0, 0)
    states = shop.rows("SELECT batch_id, state FROM ds_yellow.batches ORDER BY 1")
    assert states == [(1, "merged"), (2, "abandoned"), (3, "abandoned"), (4, "merged")]
    with pytest.raises(ConfigurationError, match="no parked batch"):
        shop.run(accept=True)


def test_a_parked_batch_of_another_model_is_not_accepted(shop: Shop) -> None:
    filled(shop, 20)
    shop.open(shop.model(ORDERS))
    shop.merged()
    shop.do("DELETE FROM orders")
    assert shop.run().outcome is Outcome.PARKED
    shop.bench.apply(shop.model(Dataset("orders", columns=[*ORDERS.columns, Column("b", String)])))
    with pytest.raises(ConfigurationError, match="the model has changed since it was read"):
        shop.run(accept=True)


# -- one point in time, one writer


@pytest.mark.parametrize("rows", [100, 12_000], ids=["small", "large"])
def test_transfers_between_tables_never_show_half_done(shop: Shop, rows: int) -> None:
    tables = [f"account{n}" for n in range(4)]
    for table in tables:
        shop.do(
            f"CREATE TABLE {table} (id int PRIMARY KEY, amount bigint)",
            f"INSERT INTO {table} SELECT g, 100 FROM generate_series(1, {rows}) g",
        )
    columns = [Column("id", Integer, key=True), Column("amount", BigInt)]
    shop.open(shop.model(*[Dataset(table, columns=columns) for table in tables]))
    stop, moved = threading.Event(), [0]

    def transfer() -> None:
        chance = random.Random(7)
        with psycopg.connect(shop.source_url) as writer:
            while not stop.is_set():
                giver, taker = chance.sample(tables, 2)
                one, other, amount = chance.randint(1, rows), chance.randint(1, rows), chance.randint(1, 50)
                writer.execute(f"UPDATE {giver} SET amount = amount - {amount} WHERE id = {one}".encode())
                writer.execute(f"UPDATE {taker} SET amount = amount + {amount} WHERE id = {other}".encode())
                writer.commit()
                moved[0] += 1

    thread = threading.Thread(target=transfer)
    thread.start()
    sums = " + ".join(f"(SELECT sum(amount) FROM reports_all.shop_{table})" for table in tables)
    try:
        changed = 0
        for _ in range(5):
            changed += shop.merged()[1]
            assert shop.rows(f"SELECT {sums}") == [(400 * rows,)]
    finally:
        stop.set()
        thread.join()
    assert moved[0] > 0
    assert changed > 0


def test_each_dataset_may_have_a_stream_and_failures_of_its_own(shop: Shop) -> None:
    filled(shop, 5)
    shop.open(shop.model(ORDERS, PAIRS, consistency=Consistency.DATASET))
    shop.do("INSERT INTO pairs VALUES ('p', 1, 'again')")
    assert shop.merged("shop.orders") == (5, 0, 0)
    assert shop.run("shop.pairs").outcome is Outcome.FAILED
    assert shop.rows("SELECT stream, batch_id, state FROM ds_yellow.batches ORDER BY 1") == [
        ("shop.orders", 1, "merged"),
        ("shop.pairs", 1, "failed"),
    ]


def test_a_second_run_of_a_stream_is_busy(shop: Shop) -> None:
    filled(shop, 5)
    bench = shop.open(shop.model(ORDERS))
    reached, go_on = threading.Event(), threading.Event()

    def pause(step: Step) -> None:
        if step is Step.MERGE:
            reached.set()
            assert go_on.wait(20)

    slow = JobRunner(bench.running, observe=pause)
    job, digest = bench.running.job("shop")
    results = []
    thread = threading.Thread(target=lambda: results.append(slow.run(job, digest)))
    thread.start()
    try:
        assert reached.wait(20)
        busy = shop.run()
        assert busy.outcome is Outcome.BUSY
        assert "stream 'shop' is busy" in busy.error
    finally:
        go_on.set()
        thread.join()
        slow.close()
    assert [r.outcome for r in results] == [Outcome.MERGED]
    assert shop.rows("SELECT count(*) FROM ds_yellow.batches") == [(1,)]


# -- bad days at the source


@pytest.mark.parametrize("later", [False, True], ids=["first load", "later batch"])
@pytest.mark.parametrize(
    ("broken", "repaired", "message"),
    [
        ("DROP TABLE orders", "CREATE TABLE orders (id bigint, a text)", "has no table public.orders that may be read"),
        ("ALTER TABLE orders RENAME TO o", "ALTER TABLE o RENAME TO orders", "has no table public.orders"),
        (
            "ALTER TABLE orders RENAME a TO z",
            "ALTER TABLE orders RENAME z TO a",
            "table public.orders does not fit dataset 'orders': no column 'a'",
        ),
        (
            "ALTER TABLE orders ALTER id TYPE numeric(30,0)",
            "ALTER TABLE orders ALTER id TYPE bigint",
            r"column 'id' is numeric\(30,0\), the model says BigInt",
        ),
        (
            "ALTER TABLE orders ALTER a TYPE bytea USING a::bytea",
            "ALTER TABLE orders ALTER a TYPE text USING encode(a, 'escape')",
            "column 'a' is bytea, the model says String",
        ),
    ],
    ids=["dropped", "renamed", "column renamed", "wider", "another type"],
)
def test_a_source_that_does_not_fit_is_named_and_nothing_changes(
    shop: Shop, later: bool, broken: str, repaired: str, message: str
) -> None:
    filled(shop, 5)
    shop.open(shop.model(ORDERS, PAIRS))
    if later:
        shop.merged()
        shop.do("UPDATE pairs SET v = 'changed'")
    before = shop.seen("orders"), shop.seen("pairs", order="1, 2")
    shop.do(broken)
    failed = shop.run()
    assert failed.outcome is Outcome.FAILED
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(failed.error)
    assert (shop.seen("orders"), shop.seen("pairs", order="1, 2")) == before
    shop.do(repaired, "TRUNCATE orders", "INSERT INTO orders SELECT g, 'a' || g FROM generate_series(1, 5) g")
    assert shop.merged() == ((0, 5, 0) if later else (10, 0, 0))


def test_a_narrower_column_is_cast_and_a_moment_without_zone_is_not_guessed(shop: Shop) -> None:
    shop.do(
        "CREATE TABLE small (id smallint, n smallint, c char(3), t timestamp)",
        "INSERT INTO small VALUES (1, -32768, 'a', '2024-03-31 02:30:00')",
    )
    wide = [Column("id", BigInt, key=True), Column("n", Integer), Column("c", String(5))]
    local = Dataset("small", columns=[*wide, Column("t", Timestamp(tz=False))])
    zoned = Dataset("small", columns=[*wide, Column("t", Timestamp)])
    shop.open(shop.model(zoned))
    failed = shop.run()
    assert failed.outcome is Outcome.FAILED
    assert "column 't' is timestamp without time zone, the model says Timestamp" in failed.error
    shop.bench.apply(shop.model(local))
    assert shop.merged() == (1, 0, 0)
    assert shop.seen("small", "id, n, c, t::text") == [(1, -32768, "a", "2024-03-31 02:30:00")]


@pytest.mark.parametrize("later", [False, True], ids=["first load", "later batch"])
def test_a_null_where_none_may_be_fails_the_batch(shop: Shop, later: bool) -> None:
    filled(shop, 5)
    strict = Dataset("orders", columns=[Column("id", BigInt, key=True), Column("a", String, nullable=False)])
    shop.open(shop.model(strict))
    if later:
        shop.merged()
    shop.do("UPDATE orders SET a = NULL WHERE id = 3")
    failed = shop.run()
    assert failed.outcome is Outcome.FAILED
    assert "column 'a' holds NULL, but the model says that it may not be" in failed.error
    assert len(shop.seen("orders")) == (5 if later else 0)
    shop.do("UPDATE orders SET a = 'back' WHERE id = 3")
    assert shop.merged() == ((0, 1, 0) if later else (5, 0, 0))


def test_a_source_that_grows_past_the_small_size_and_shrinks_again(shop: Shop) -> None:
    filled(shop, 9_990)
    shop.open(shop.model(ORDERS, guard=Guard(max_deleted=1.0, allow_empty=True)))
    shop.merged()
    for rows in (10_010, 10_020, 9_000, 8_000, 0, 12_000, 12_000):
        before = len(shop.seen("orders"))
        filled(shop, rows)
        assert shop.merged() == (max(rows - before, 0), 0, max(before - rows, 0))
        assert shop.seen("orders", "count(*), sum(id)::bigint")[0][0] == rows
    assert [t for t in shop.tables() if ".load." in t or ".staging." in t] == []


def test_a_dataset_added_later_begins_with_its_first_batch(shop: Shop) -> None:
    filled(shop, 5)
    shop.open(shop.model(ORDERS))
    shop.merged()
    shop.bench.apply(shop.model(ORDERS, PAIRS))
    shop.do("DELETE FROM orders WHERE id = 1")
    assert shop.merged() == (5, 0, 1)
    assert {row[-2:] for row in shop.versions("pairs", "a, b")} == {(2, None)}
    split = "SELECT dataset, rows_read, inserted, deleted FROM ds_yellow.batch_datasets WHERE batch_id = 2 ORDER BY 1"
    assert shop.rows(split) == [("orders", 4, 0, 1), ("pairs", 5, 5, 0)]


def test_a_tiny_integer_feeds_every_wider_one(shop: Shop) -> None:
    shop.do("CREATE TABLE tiny (id smallint)", "INSERT INTO tiny VALUES (32767)")
    shop.open(shop.model(Dataset("tiny", columns=[Column("id", SmallInt, key=True)])))
    assert shop.merged() == (1, 0, 0)
    assert shop.bench.apply(shop.model(Dataset("tiny", columns=[Column("id", BigInt, key=True)]))).active
    assert shop.merged() == (0, 0, 0)
