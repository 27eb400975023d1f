"""Data checks: what parks, what warns, what is said of it, and what a user's query may not do."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conformance.engine_shop import Shop, shop_on
from datasurface import (
    PII,
    AcceptedValues,
    BigInt,
    Boolean,
    Column,
    Dataset,
    Date,
    Decimal,
    FixedString,
    Float32,
    Freshness,
    Guard,
    InRange,
    Integer,
    Interval,
    Json,
    NotNull,
    OnFailure,
    OutputMode,
    RowCount,
    SqlCheck,
    String,
    Time,
    Timestamp,
    Unique,
    Uuid,
)
from datasurface.engine.batch import BatchResult, Outcome
from datasurface.engine.capture import snapshot
from datasurface.errors import ApplyBlockedError
from datasurface.model.schema import Check
from datasurface.store.forgetting import forget_old

WARN = OnFailure.WARN
COLUMNS = [
    Column("id", BigInt, key=True),
    Column("a", String),
    Column("n", Integer),
    Column("t", Timestamp),
]


def orders(*checks: Check, columns: list[Column] = COLUMNS) -> Dataset:
    return Dataset("orders", columns=columns, checks=checks)


@pytest.fixture
def shop(two_databases: tuple[str, str], tmp_path: Path) -> Iterator[Shop]:
    with shop_on(two_databases, tmp_path) as opened:
        opened.do(
            "CREATE TABLE orders (id bigint, a text, n int, t timestamptz)",
            "INSERT INTO orders SELECT g, 'a' || g, g, now() - interval '1 hour' FROM generate_series(1, 20) g",
        )
        yield opened


def results(shop: Shop, batch: int | None = None) -> list[tuple[Any, ...]]:
    where = f"WHERE batch_id = {batch}" if batch else ""
    columns = "batch_id, check_name, ok, failing_rows, detail"
    return shop.rows(f"SELECT {columns} FROM ds_yellow.batch_checks {where} ORDER BY batch_id, check_name")


def said(shop: Shop, *checks: Check, columns: list[Column] = COLUMNS) -> list[tuple[Any, ...]]:
    """Apply other checks, run a batch, and return what they say of it."""
    shop.bench.apply(shop.model(orders(*checks, columns=columns)))
    result = shop.run()
    return [row[1:] for row in results(shop, result.batch_id)]


# -- what each finds


def test_each_kind_finds_what_is_wrong_parks_or_warns_and_accept_lets_it_through(shop: Shop) -> None:
    shop.do(
        "UPDATE orders SET a = NULL WHERE id IN (3, 4)",
        "UPDATE orders SET a = 'twice' WHERE id IN (5, 6)",
        "UPDATE orders SET n = -1 WHERE id = 7",
        "UPDATE orders SET t = now() - interval '5 days'",
    )
    checks = [
        NotNull("a"),
        NotNull(["id", "n"], name="all there"),
        Unique("a"),
        Unique(["a", "n"]),
        AcceptedValues("a", [f"a{n}" for n in range(1, 21)]),
        InRange("n", at_least=0, below=20),
        RowCount(at_least=21),
        Freshness("t", within="2 days"),
        SqlCheck("SELECT id FROM {table} WHERE n <> id -- the end", name="same"),
    ]
    shop.open(shop.model(orders(*checks)))
    parked = shop.run()
    assert parked.outcome is Outcome.PARKED
    assert shop.seen("orders") == []
    found = {row[1]: row[2:] for row in results(shop)}
    assert found.pop("freshness(t)")[:2] == (False, None)
    assert found == {
        "not_null(a)": (False, 2, "2 rows with NULL in a: id=3; id=4"),
        "all there": (True, 0, ""),
        "unique(a)": (False, 2, "2 rows not unique in a: id=5; id=6"),
        "unique(a, n)": (True, 0, ""),
        "accepted_values(a)": (False, 2, "2 rows with another value in a: id=5; id=6"),
        "in_range(n)": (False, 2, "2 rows out of range in n: id=7; id=20"),
        "row_count": (False, None, "20 rows, at least 21 wanted"),
        "same": (False, 1, "1 row found by its query: id=7"),
    }
    assert "orders: not_null(a): 2 rows with NULL in a: id=3; id=4; orders: unique(a): 2 rows" in parked.error
    assert "orders: freshness(t): the newest moment, 20" in parked.error
    assert shop.rows("SELECT state, error FROM ds_yellow.batches") == [("parked", parked.error)]
    again = shop.run()
    assert (again.outcome, again.batch_id) == (Outcome.PARKED, 2)
    accepted = shop.run(accept=True)
    assert (accepted.outcome, accepted.batch_id, accepted.counts.inserted) == (Outcome.MERGED, 2, 20)
    assert len(shop.seen("orders")) == 20
    assert len(results(shop, 2)) == 9
    shop.bench.apply(shop.model(orders(InRange("n", at_most=10, on_failure=WARN))))
    shop.do("UPDATE orders SET a = 'new'")
    warned = shop.run()
    assert warned.outcome is Outcome.MERGED
    assert warned.warnings == (
        "orders: in_range(n): 10 rows out of range in n: " + "; ".join(f"id={n}" for n in range(11, 21)),
    )


def test_bounds_and_values_of_every_type_are_exact(shop: Shop) -> None:
    columns = [
        Column("id", BigInt, key=True),
        Column("dec", Decimal(10, 2)),
        Column("f", Float32),
        Column("d", Date),
        Column("ts", Timestamp(tz=False)),
        Column("tm", Time),
        Column("iv", Interval),
        Column("b", Boolean),
        Column("c", FixedString(3)),
        Column("u", Uuid),
        Column("j", Json),
    ]
    shop.do(
        "DROP TABLE orders",
        "CREATE TABLE orders (id bigint, dec numeric(10,2), f real, d date, ts timestamp, tm time, iv interval, "
        "b boolean, c char(3), u uuid, j jsonb)",
        "INSERT INTO orders VALUES (1, 0.10, 0.1, '2026-01-31', '2026-01-31 12:00', '12:00', '1 mon', true, 'x', "
        "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{\"a\": 1}'), (2, 0.11, 'NaN', 'infinity', 'infinity', '24:00', "
        "'30 days', false, 'y', 'b0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{\"a\": 1.0}'), "
        "(3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
    )
    shop.open(shop.model(orders(columns=columns)))
    shop.merged()
    right: list[Check] = [
        InRange("id", at_least=0.5, at_most=3),
        InRange("dec", at_least="0.10", at_most=0.11),
        InRange("dec", above=0.099, below="0.115", name="finer"),
        AcceptedValues("dec", ["0.10", 0.11]),
        AcceptedValues("d", ["2026-01-31"], name="day"),
        InRange("ts", at_most="2026-01-31T13:00:00+01:00", name="zoned"),
        AcceptedValues("f", [0.1], name="float"),
        AcceptedValues("iv", ["1 month"]),
        AcceptedValues("b", [True, False]),
        AcceptedValues("c", ["x", "y  "]),
        AcceptedValues("u", ["A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"]),
        Unique("iv"),
        Unique("j"),
        InRange("tm", below="12:00:01"),
        Freshness("d", within="50000 days"),
    ]
    wrong = {row[0]: row[2] for row in said(shop, *right, columns=columns)}
    assert (
        wrong
        == {
            "in_range(id)": 0,
            "in_range(dec)": 0,
            "finer": 0,
            "accepted_values(dec)": 0,
            "day": 1,
            "zoned": 1,
            "float": 1,
            "accepted_values(iv)": 1,
            "accepted_values(b)": 0,
            "accepted_values(c)": 0,
            "accepted_values(u)": 1,
            "unique(iv)": 0,
            "unique(j)": 2,
            "in_range(tm)": 1,
            "freshness(d)": None,
        }
        or wrong.pop("accepted_values(c)") == 1
    )


def test_keys_that_are_classified_are_not_shown(shop: Shop) -> None:
    columns = [
        Column("id", BigInt, key=True, classification=[PII]),
        *COLUMNS[1:3],
        Column("t", Timestamp, classification=[PII]),
    ]
    shop.do("UPDATE orders SET a = NULL WHERE id = 3", "UPDATE orders SET t = '2020-02-02 02:02:02+00'")
    query = SqlCheck("SELECT id FROM {table} WHERE a IS NULL", name="sql")
    shop.open(shop.model(orders(NotNull("a"), query, Freshness("t", within="1 day"), columns=columns)))
    parked = shop.run()
    assert parked.error == (
        "orders: not_null(a): 1 row with NULL in a (keys are not shown: they are classified); "
        "orders: sql: 1 row found by its query (keys are not shown: they are classified); "
        "orders: freshness(t): its newest moment is older than 1 day"
    )
    assert "2020" not in str(shop.rows("SELECT * FROM ds_yellow.checks"))


def test_many_wrong_rows_show_ten_keys_and_a_multiset_none(shop: Shop) -> None:
    shop.open(shop.model(orders(NotNull("a"))))
    shop.do("UPDATE orders SET a = NULL")
    assert shop.run().error.endswith("NULL in a: " + "; ".join(f"id={n}" for n in range(1, 11)) + "; and 10 more")
    bag = [Column("a", String), Column("n", Integer)]
    shop.bench.apply(shop.model(Dataset("bag", source="orders", columns=bag, checks=[NotNull("a"), Unique("n")])))
    assert shop.run().error == "bag: not_null(a): 20 rows with NULL in a"


# -- what becomes of the batch


def test_parked_is_what_fails_also_where_the_guard_agrees(shop: Shop) -> None:
    shop.open(shop.model(orders(RowCount(at_least=5)), guard=Guard(above_rows=10)))
    shop.merged()
    shop.do("DELETE FROM orders WHERE id > 2")
    parked = shop.run()
    assert parked.error == (
        "orders: it would delete 18 of 20 rows (90 %, the guard allows 50 %); "
        "orders: row_count: 2 rows, at least 5 wanted"
    )
    assert len(shop.seen("orders")) == 20
    shop.do("INSERT INTO orders SELECT g, 'b', g, now() FROM generate_series(100, 120) g")
    assert shop.run(accept=True).counts.deleted == 18
    assert shop.merged() == (21, 0, 0)


def test_one_dataset_that_fails_holds_all_and_is_let_through_also_under_other_checks(shop: Shop) -> None:
    shop.do("CREATE TABLE notes (id int)", "INSERT INTO notes VALUES (1)")
    notes = Dataset("notes", columns=[Column("id", Integer, key=True)])
    shop.open(shop.model(orders(RowCount(at_most=19)), notes))
    assert shop.run().outcome is Outcome.PARKED
    assert shop.seen("notes") == []
    shop.bench.apply(shop.model(orders(RowCount(at_most=18)), notes))
    assert shop.run(accept=True).outcome is Outcome.MERGED
    shop.do("INSERT INTO orders VALUES (1, NULL, 1, now())")
    assert shop.run().outcome is Outcome.FAILED, "wrong keys could never be accepted"


# -- what is read again


def test_nothing_is_read_again_where_nothing_changed_but_moments_and_counts_are_judged(shop: Shop) -> None:
    checks = [NotNull("a"), Unique("a"), SqlCheck("SELECT * FROM {table} WHERE n < 0"), RowCount(at_most=20)]
    shop.open(shop.model(orders(*checks, Freshness("t", within="2 hours"))))
    shop.merged()
    assert shop.merged() == (0, 0, 0)
    assert results(shop, 2) == [], "nothing new to say"
    later = "UPDATE ds_yellow.checks SET newest = newest - interval '2 hours'"
    shop.admin(later)  # as if two hours had passed
    stale = shop.run()
    assert stale.outcome is Outcome.PARKED
    assert "freshness(t): the newest moment" in stale.error
    assert shop.run(accept=True).outcome is Outcome.MERGED
    assert shop.merged() == (0, 0, 0), "what was let through is let through"
    shop.do("INSERT INTO orders VALUES (99, 'fresh', 1, now())")
    result = shop.run()
    assert result.error == "orders: row_count: 21 rows, at most 20 wanted"


def test_a_batch_is_judged_by_what_it_brings_and_what_is_left(shop: Shop) -> None:
    shop.open(
        shop.model(
            orders(
                NotNull("a", on_failure=WARN),
                Unique("a", on_failure=WARN),
                Freshness("t", within="2 days", on_failure=WARN),
            )
        )
    )
    shop.merged()
    shop.do("UPDATE orders SET a = NULL WHERE id = 3", "UPDATE orders SET a = 'a5' WHERE id = 6")
    shop.merged()
    shop.do("UPDATE orders SET a = NULL WHERE id = 4")
    shop.merged()
    shop.do("UPDATE orders SET a = 'three' WHERE id = 3")
    shop.merged()
    shop.do("DELETE FROM orders WHERE id IN (4, 5)")
    shop.merged()
    found = [row[3:] for row in results(shop) if row[1] == "not_null(a)"]
    assert [number for number, _ in found] == [0, 1, 2, 1, 0]
    assert found[2][1] == "2 rows with NULL in a: id=3; id=4"
    assert [row[3] for row in results(shop) if row[1] == "unique(a)"] == [0, 2, 2, 2, 0]
    shop.do("UPDATE orders SET t = now() - interval '3 days'")
    assert "freshness(t): the newest moment" in shop.run().warnings[0]


def test_what_a_check_found_is_forgotten_with_another_check_another_table_and_old_age(shop: Shop) -> None:
    shop.do("UPDATE orders SET n = NULL WHERE id = 1")
    shop.open(shop.model(orders(NotNull("a"))))
    shop.merged()
    assert said(shop, NotNull(["a", "n"], name="not_null(a)")) == [
        ("not_null(a)", False, 1, "1 row with NULL in a, n: id=1")
    ]
    shop.do("UPDATE orders SET n = 1, a = NULL")
    few = [COLUMNS[0], *COLUMNS[2:]]
    assert said(shop, columns=few) == []
    assert said(shop, NotNull("a", on_failure=WARN))[0][:3] == ("not_null(a)", False, 20)
    with shop.bench.running.store.engine.begin() as connection:
        (now,) = shop.rows("SELECT now() + interval '500 days'")[0]
        assert forget_old(connection, shop.bench.running.schema, now) > 0
    assert {row[0] for row in results(shop)} <= {n for (n,) in shop.rows("SELECT batch_id FROM ds_yellow.batches")}


@pytest.mark.parametrize("size", ["small", "large"])
def test_changes_are_judged_as_the_table_will_be(shop: Shop, size: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if size == "large":
        monkeypatch.setattr(snapshot, "SMALL_ROWS", 0)
    shop.do("ALTER TABLE orders ADD ds_op text DEFAULT 'I', ADD ds_seq bigint DEFAULT 1")
    checks = [
        NotNull("a"),
        Unique("a"),
        RowCount(at_least=19),
        SqlCheck(
            "SELECT id FROM {table} GROUP BY id HAVING count(*) > 1 OR (SELECT count(*) FROM {table}) > 20", name="q"
        ),
    ]
    shop.open(shop.model(orders(*checks)))

    def run() -> BatchResult:
        job, digest = shop.bench.running.job("shop")
        return shop.bench.runner.run(dataclasses.replace(job, mode=OutputMode.CHANGES), digest)

    def give(*values: str) -> None:
        shop.do("TRUNCATE orders", *[f"INSERT INTO orders (ds_op, id, a, ds_seq) VALUES {value}" for value in values])

    assert run().outcome is Outcome.MERGED
    give("('U', 1, 'a2', 1)")
    assert run().error == "orders: unique(a): 2 rows not unique in a: id=1; id=2"
    give("('U', 1, 'a2', 1)", "('D', 2, NULL, 1)", "('I', 21, NULL, 1)", "('U', 21, 'n', 2)")
    assert run().outcome is Outcome.MERGED
    give("('D', 3, NULL, 1)", "('D', 4, NULL, 1)", "('U', 5, NULL, 1)")
    assert run().error == (
        "orders: not_null(a): 1 row with NULL in a: id=5; orders: row_count: 18 rows, at least 19 wanted"
    )
    give("('I', 31, 'new', 1)")
    assert (
        run().error
        == "orders: q: 21 rows found by its query: "
        + "; ".join(f"id={n}" for n in [1, *range(3, 12)])
        + "; and 11 more"
    )


# -- a user's query


HOSTILE = [
    ("SELECT * FROM ds_yellow.streams, {table}", "its query reads ds_yellow.streams; it may read nothing but {table}"),
    ("SELECT * FROM {table} WHERE EXISTS (SELECT FROM pg_authid)", "its query reads pg_catalog.pg_authid"),
    ("SELECT * FROM {table} WHERE (SELECT count(*) FROM ds_yellow.batches) > 0", "its query reads ds_yellow.batches"),
    ("SELECT id FROM {table}) x, ds_yellow.jobs j, (SELECT 1 AS y", "its query reads ds_yellow.jobs"),
    ("SELECT query_to_xml('SELECT * FROM ds_yellow.jobs', true, true, '') FROM {table}", "calls query_to_xml"),
    ("SELECT table_to_xml('ds_yellow.jobs', true, true, '') FROM {table}", "calls table_to_xml"),
    ("SELECT set_config('role', 'postgres', true) FROM {table}", "calls set_config"),
    ("SELECT current_setting('data_directory') FROM {table}", "calls current_setting"),
    ("SELECT pg_read_file('/etc/passwd') FROM {table}", "its query calls pg_read_file; only PostgreSQL's own"),
    ("SELECT pg_sleep(100) FROM {table}", "calls pg_sleep"),
    ("SELECT public.peep() FROM {table}", "calls peep"),
    ("SELECT id::public.sly FROM {table}", "uses the type sly"),
    ("SELECT id OPERATOR(public.##) id FROM {table}", "calls peep2"),
    (
        "WITH x AS (DELETE FROM ds_yellow.streams RETURNING 1) SELECT * FROM {table}",
        "WITH clause containing a data-mod",
    ),
    ("SELECT nothing FROM {table}", 'PostgreSQL cannot read its query: column "nothing" does not exist'),
    ("SELECT count(* FROM {table}", "PostgreSQL cannot read its query: syntax error"),
    ("SELECT 1) x; DROP TABLE ds_yellow.streams; SELECT (1", "cannot insert multiple commands into a prepared"),
    ("SELECT $1 FROM {table}", "PostgreSQL cannot read its query: there is no parameter $1"),
]


def test_a_query_that_reads_or_calls_what_it_may_not_is_found_out_without_running_it(shop: Shop) -> None:
    bench = shop.open(shop.model(orders()))
    shop.admin("CREATE FUNCTION public.peep() RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT ''x''::text'")
    shop.admin(
        "CREATE FUNCTION public.peep2(bigint, bigint) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT ''x''::text'"
    )
    shop.admin("CREATE OPERATOR public.## (FUNCTION = public.peep2, LEFTARG = bigint, RIGHTARG = bigint)")
    shop.admin("CREATE DOMAIN public.sly AS bigint CHECK (public.peep() = 'x')")
    store, dataset = bench.running.store, bench.running.job("shop")[0].datasets[0]
    with store.engine.connect() as connection:
        for query, reason in HOSTILE:
            fault = store.query_fault(connection, bench.running.schema, dataset, SqlCheck(query))
            assert reason in fault, (query, fault)
    assert shop.rows("SELECT relname FROM pg_class WHERE relname LIKE 'ds_proof%'") == []


def test_apply_refuses_a_query_that_may_not_run(shop: Shop) -> None:
    wrong = shop.model(orders(SqlCheck("SELECT * FROM {table}, ds_yellow.streams", name="q")))
    with pytest.raises(ApplyBlockedError, match=r"check shop.orders: q: .* \"ds_yellow.streams\" does not exist"):
        shop.open(wrong)  # the platform's schema is not there yet
    shop.open(shop.model(orders()))
    plan = shop.bench.plan(wrong)
    assert [o.sentence() for o in plan.operations if o.refused] == [
        "refuse check shop.orders: q REFUSED: its query reads ds_yellow.streams; it may read nothing but {table}"
    ]
    with pytest.raises(ApplyBlockedError, match="its query reads ds_yellow"):
        shop.bench.apply()
    assert shop.merged() == (20, 0, 0)


def test_a_query_that_was_never_proved_is_not_run_either(shop: Shop) -> None:
    bench = shop.open(shop.model(orders(SqlCheck("SELECT * FROM {table} WHERE n < 0", name="q"))))
    job, digest = bench.running.job("shop")
    query = SqlCheck("SELECT * FROM {table}, ds_yellow.streams", name="q")
    tampered = dataclasses.replace(job, checks=[dataclasses.replace(job.checks[0], checks=[query])])
    failed = bench.runner.run(tampered, digest)
    assert failed.outcome is Outcome.FAILED
    assert failed.error == (
        "check 'q' of dataset 'orders': its query reads ds_yellow.streams; it may read nothing but {table}"
    )


FAR = "SELECT id FROM {table} WHERE (n || repeat('9', 20))::int > 0"
ENDLESS = (
    "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT (x + 1) % 1000 FROM r) "
    "SELECT id FROM {table} WHERE id + (SELECT count(*) FROM r) > 0"
)


def test_a_query_that_fails_fails_the_batch_and_says_why_without_values(shop: Shop) -> None:
    for check, reason in (
        (SqlCheck("SELECT id FROM {table} WHERE 1 / (n - 7) > 0", name="q"), "division by zero"),
        (SqlCheck("SELECT id FROM {table} WHERE a::int > 0", name="q"), "invalid input syntax for type integer: …"),
        (
            SqlCheck(FAR, name="q"),
            "value … is out of range for type integer",
        ),
        (SqlCheck(ENDLESS, name="q", timeout="1 second"), "it took longer than 1 second"),
    ):
        wanted = shop.model(orders(check))
        if shop._bench is None:
            shop.open(wanted)
        shop.bench.apply(wanted)
        failed = shop.run()
        assert failed.outcome is Outcome.FAILED
        assert failed.error == f"check 'q' of dataset 'orders' cannot be run: {reason}"
        assert shop.seen("orders") == []
    shop.bench.apply(shop.model(orders()))
    assert shop.merged() == (20, 0, 0)


def test_a_query_may_say_anything_about_its_dataset(shop: Shop) -> None:
    shop.do("UPDATE orders SET a = '{table} 100%', n = 100 WHERE id = 4")
    queries = [
        SqlCheck("SELECT id, id * 2 AS twice FROM {table} WHERE a LIKE '%100\\%'", name="like"),
        SqlCheck(
            "WITH m AS (SELECT avg(n) AS v FROM {table}) SELECT t.* FROM {table} t, m WHERE n > 5 * m.v", name="avg"
        ),
        SqlCheck("SELECT n AS id FROM {table} WHERE n = 100", name="other key"),
        SqlCheck("SELECT a.id FROM {table} a JOIN {table} b ON a.id = b.id + 1 WHERE b.n > a.n", name="join"),
        SqlCheck("SELECT 1 FROM {table} HAVING max(t) < now() - interval '1 day'", name="clock"),
        SqlCheck(
            "SELECT o.id FROM orders o JOIN {table} USING (id) WHERE date_trunc('day', o.t) > o.t", name="by name"
        ),
    ]
    shop.open(shop.model(orders(*[dataclasses.replace(q, on_failure=WARN) for q in queries])))
    shop.merged()
    assert {row[1]: row[3:] for row in results(shop)} == {
        "like": (1, "1 row found by its query: id=4"),
        "avg": (1, "1 row found by its query: id=4"),
        "other key": (1, "1 row found by its query"),
        "join": (1, "1 row found by its query: id=5"),
        "clock": (0, ""),
        "by name": (0, ""),
    }
