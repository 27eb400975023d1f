"""Tables that change under their readers: the model evolves, consumers' views and their history go on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from conformance.engine_shop import Shop, shop_on
from datasurface import (
    BigInt,
    Column,
    Dataset,
    DatasetGroup,
    Decimal,
    FixedString,
    History,
    Integer,
    SmallInt,
    String,
)
from datasurface.errors import ApplyBlockedError
from datasurface.model.types import DataType

KEY = Column("id", BigInt, key=True)


@pytest.fixture
def shop(two_databases: tuple[str, str], tmp_path: Path) -> Iterator[Shop]:
    with shop_on(two_databases, tmp_path) as opened:
        opened.do(
            "CREATE TABLE orders (id bigint PRIMARY KEY, a text, b text, c text)",
            "INSERT INTO orders SELECT g, 'a' || g, 'b' || g, NULL FROM generate_series(1, 3) g",
        )
        yield opened


def orders(*columns: str, **types: DataType) -> Dataset:
    return Dataset("orders", columns=[KEY, *(Column(c, types.get(c, String())) for c in columns)])


def test_reordered_columns_are_followed(shop: Shop) -> None:
    shop.open(shop.model(orders("a", "b")))
    shop.merged()
    assert shop.merged() == (0, 0, 0)
    assert shop.bench.apply(shop.model(orders("b", "a"))).active
    shop.do("UPDATE orders SET a = 'A' WHERE id = 1", "INSERT INTO orders VALUES (4, 'a4', 'b4')")
    assert shop.merged() == (1, 1, 0)
    assert shop.seen("orders") == [(1, "b1", "A"), (2, "b2", "a2"), (3, "b3", "a3"), (4, "b4", "a4")]
    assert shop.versions("orders", "id, a, b")[:2] == [(1, "A", "b1", 3, None), (1, "a1", "b1", 1, 3)]
    assert shop.bench.plan().empty


def test_a_removed_column_leaves_the_others_in_place(shop: Shop) -> None:
    shop.open(shop.model(orders("a", "b", "c")))
    shop.merged()
    shop.merged()
    shop.do("UPDATE orders SET c = 'c1' WHERE id = 1")
    assert shop.merged() == (0, 1, 0)
    assert shop.bench.apply(shop.model(orders("a", "c"))).active
    shop.do("UPDATE orders SET a = 'A', c = 'c2' WHERE id = 2")
    assert shop.merged() == (0, 1, 0)
    assert shop.seen("orders") == [(1, "a1", "c1"), (2, "A", "c2"), (3, "a3", None)]
    assert shop.bench.plan().empty


def test_a_column_that_comes_back_begins_empty(shop: Shop) -> None:
    """What it held meanwhile nobody knows, and what it held before may be wrong by now."""
    shop.open(shop.model(orders("a", "b")))
    shop.merged()
    assert shop.bench.apply(shop.model(orders("a"))).active
    shop.do("UPDATE orders SET b = 'meanwhile' WHERE id = 1", "UPDATE orders SET b = NULL WHERE id = 3")
    assert shop.merged() == (0, 0, 0)
    assert shop.bench.apply(shop.model(orders("a", "b"))).active
    assert shop.seen("orders") == [(1, "a1", None), (2, "a2", None), (3, "a3", None)]
    assert shop.merged() == (0, 2, 0)
    assert shop.seen("orders") == [(1, "a1", "meanwhile"), (2, "a2", "b2"), (3, "a3", None)]
    assert shop.versions("orders", "id, a, b")[-1] == (3, "a3", None, 1, None)
    assert shop.bench.plan().empty
    assert [o.target for o in shop.bench.plan().retired] == ["columns of shop.orders"]
    assert shop.bench.apply(prune=True).active
    assert not shop.bench.plan().retired
    assert shop.seen("orders") == [(1, "a1", "meanwhile"), (2, "a2", "b2"), (3, "a3", None)]


def test_an_added_column_is_null_in_older_versions(shop: Shop) -> None:
    shop.open(shop.model(orders("a")))
    shop.merged()
    shop.do("UPDATE orders SET a = 'A' WHERE id = 1", "UPDATE orders SET c = 'c2' WHERE id = 2")
    shop.merged()
    assert shop.bench.apply(shop.model(orders("a", "c"))).active
    assert shop.seen("orders") == [(1, "A", None), (2, "a2", None), (3, "a3", None)]
    assert shop.merged() == (0, 1, 0)
    assert shop.versions("orders", "id, a, c") == [
        (1, "A", None, 2, None),
        (1, "a1", None, 1, 2),
        (2, "a2", "c2", 3, None),
        (2, "a2", None, 1, 3),
        (3, "a3", None, 1, None),
    ]
    assert shop.bench.plan().empty


@pytest.mark.parametrize(
    ("before", "after", "value"),
    [
        (SmallInt(), Integer(), "70000"),
        (Integer(), BigInt(), "5000000000"),
        (String(3), String(5), "abcde"),
        (String(3), String(), "abcdefgh"),
        (FixedString(3), FixedString(6), "abcdef"),
        (Decimal(5, 2), Decimal(9, 4), "12345.6789"),
        (Decimal(5, 2), Decimal(9, 2), "1234567.89"),
        (Integer(), Decimal(12, 2), "5000000000.25"),
    ],
    ids=str,
)
def test_a_widened_column_keeps_history_views_and_grants(
    shop: Shop, before: DataType, after: DataType, value: str
) -> None:
    held = {SmallInt: "smallint", Integer: "integer", BigInt: "bigint"}

    def physical(t: DataType) -> str:
        match t:
            case Decimal():
                return f"numeric({t.precision},{t.scale})"
            case FixedString():
                return f"char({t.length})"
            case String():
                return f"varchar({t.length})" if t.length else "text"
        return held[type(t)]

    shop.do(f"ALTER TABLE orders ADD COLUMN v {physical(before)} DEFAULT '1'")
    shop.open(shop.model(orders("v", v=before)))
    shop.merged()
    shop.do("UPDATE orders SET v = '2' WHERE id = 1")
    shop.merged()
    role = f"reader_{shop.target.info.dbname}"
    shop.admin(f"CREATE ROLE {role}")
    try:
        for view in ("shop_orders", "shop_orders_history"):
            shop.admin(f"GRANT SELECT ON reports_all.{view} TO {role}")
        assert shop.bench.apply(shop.model(orders("v", v=after))).active
        assert shop.merged() == (0, 0, 0)
        shop.do(
            f"ALTER TABLE orders ALTER COLUMN v TYPE {physical(after)}", f"UPDATE orders SET v = '{value}' WHERE id = 1"
        )
        assert shop.merged() == (0, 1, 0)
        shown = shop.rows("SELECT v::text FROM reports_all.shop_orders_history WHERE id = 1 ORDER BY ds_batch_in")
        assert [t.strip().removesuffix(".0000").removesuffix(".00") for (t,) in shown] == ["1", "2", value]
        for view in ("shop_orders", "shop_orders_history"):
            query = f"SELECT has_table_privilege('{role}', 'reports_all.{view}', 'SELECT')"
            assert shop.rows(query) == [(True,)]
        assert shop.bench.plan().empty
    finally:
        shop.admin(f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_grants_survive_a_view_that_is_made_again(shop: Shop) -> None:
    shop.open(shop.model(orders("a", "b")))
    role = f"reader_{shop.target.info.dbname}"
    shop.admin(f"CREATE ROLE {role}")

    def allowed(view: str, column: str) -> bool:
        found = shop.rows(f"SELECT has_column_privilege('{role}', 'reports_all.{view}', '{column}', 'SELECT')")
        return bool(found[0][0])

    try:
        shop.admin(f"GRANT SELECT ON reports_all.shop_orders TO {role} WITH GRANT OPTION")
        shop.admin(f"GRANT SELECT (id, a) ON reports_all.shop_orders_history TO {role}")
        # Before the first load the tables are made again, afterwards they are altered.
        assert shop.bench.apply(shop.model(orders("a", "c"))).active
        assert allowed("shop_orders", "a")
        assert allowed("shop_orders_history", "a")
        shop.merged()
        assert shop.bench.apply(shop.model(orders("c", "a", "b"))).active
        assert allowed("shop_orders", "b")
        assert allowed("shop_orders_history", "a")
        assert not allowed("shop_orders_history", "b")
        option = f"has_table_privilege('{role}', 'reports_all.shop_orders', 'SELECT WITH GRANT OPTION')"
        assert shop.rows(f"SELECT {option}") == [(True,)]
    finally:
        shop.admin(f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_nullability_is_relaxed(shop: Shop) -> None:
    strict = Dataset("orders", columns=[KEY, Column("a", String, nullable=False)])
    shop.open(shop.model(strict))
    shop.merged()
    shop.do("UPDATE orders SET a = NULL WHERE id = 2")
    failed = shop.run()
    assert not failed.ok
    assert "column 'a' holds NULL, but the model says that it may not be" in failed.error
    assert shop.seen("orders") == [(1, "a1"), (2, "a2"), (3, "a3")]
    assert shop.bench.apply(shop.model(orders("a"))).active
    assert shop.merged() == (0, 1, 0)
    assert shop.versions("orders", "id, a")[1:3] == [(2, "a2", 1, 3), (2, None, 3, None)]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (Dataset("orders", columns=[KEY, Column("a", String, key=True)]), r"the key changes from \(id\) to \(a, id\)"),
        (
            Dataset("orders", columns=[Column("id", BigInt), Column("a", String)]),
            r"the key changes from \(id\) to \(\)",
        ),
        (orders("a", a=Integer()), "column 'a' changes from text to integer"),
        (orders("a", a=String(9)), r"column 'a' changes from text to character varying\(9\)"),
    ],
    ids=["key", "no key", "family", "narrower"],
)
def test_what_would_lose_something_is_refused_with_the_way_out(shop: Shop, changed: Dataset, reason: str) -> None:
    shop.open(shop.model(orders("a")))
    shop.merged()
    with pytest.raises(ApplyBlockedError, match=rf"table shop\.orders: {reason}.*apply --prune") as refused:
        shop.bench.apply(shop.model(changed))
    assert refused.value.hint == "nothing was changed"
    assert shop.merged() == (0, 0, 0)
    assert shop.seen("orders", "id, a") == [(1, "a1"), (2, "a2"), (3, "a3")]


def test_somebodys_own_view_blocks_and_is_never_dropped(shop: Shop) -> None:
    shop.do("ALTER TABLE orders ADD COLUMN v integer DEFAULT 1")
    shop.open(shop.model(orders("v", v=Integer())))
    shop.merged()
    shop.admin("CREATE VIEW public.mine AS SELECT id, v FROM reports_all.shop_orders_history")
    shop.admin("CREATE VIEW public.over_mine AS SELECT count(*) AS n FROM public.mine")
    wider = shop.model(orders("a", "v", v=BigInt()))
    assert [o.blocked for o in shop.bench.plan(wider).stopped] != []
    applied = shop.bench.apply(wider)
    assert not applied.active
    assert any("public.mine" in reason for _, reason in applied.waiting)
    assert shop.rows("SELECT n FROM public.over_mine") == [(3,)]
    shop.do("UPDATE orders SET v = 2 WHERE id = 1")
    assert shop.merged() == (0, 1, 0)
    assert shop.seen("orders") == [(1, 2), (2, 1), (3, 1)]
    shop.admin("DROP VIEW public.over_mine; DROP VIEW public.mine")
    assert shop.bench.apply(wider).active
    assert shop.merged() == (0, 3, 0)
    assert shop.seen("orders") == [(1, "a1", 2), (2, "a2", 1), (3, "a3", 1)]


def test_somebodys_view_does_not_stop_batches(shop: Shop) -> None:
    shop.open(shop.model(orders("a")))
    shop.admin("CREATE VIEW public.mine AS SELECT a FROM reports_all.shop_orders")
    shop.merged()
    assert shop.rows("SELECT count(*) FROM public.mine") == [(3,)]


def test_history_begins_with_the_batch_and_claims_nothing_earlier(shop: Shop) -> None:
    dataset = orders("a")
    shop.open(shop.model(dataset, history=History.LIVE))
    shop.merged()
    shop.do("UPDATE orders SET a = 'x' WHERE id = 1")
    shop.merged()
    shop.bench.apply(shop.model(dataset))
    assert shop.versions("orders", "id, a") == []
    shop.do("UPDATE orders SET a = 'y' WHERE id = 1")
    shop.merged()
    assert shop.versions("orders", "id, a") == [(1, "y", 3, None), (2, "a2", 3, None), (3, "a3", 3, None)]
    shop.do("UPDATE orders SET a = 'z' WHERE id = 1", "DELETE FROM orders WHERE id = 2")
    shop.merged()
    assert shop.versions("orders", "id, a") == [
        (1, "y", 3, 4),
        (1, "z", 4, None),
        (2, "a2", 3, 4),
        (3, "a3", 3, None),
    ]
    began = shop.rows("SELECT read_at FROM ds_yellow.ledger WHERE batch_id = 3")
    earliest = shop.rows("SELECT min(ds_valid_from) FROM reports_all.shop_orders_history")
    assert began == earliest
    shop.bench.apply(shop.model(dataset, history=History.LIVE))
    shop.do("UPDATE orders SET a = 'w' WHERE id = 1")
    shop.merged()
    shop.bench.apply(shop.model(dataset))
    assert shop.versions("orders", "id, a") == []
    shop.merged()
    assert shop.versions("orders", "id, a") == [(1, "w", 6, None), (3, "a3", 6, None)]
    shop.do("DELETE FROM orders WHERE id = 3")
    shop.merged()
    assert shop.versions("orders", "id, a") == [(1, "w", 6, None), (3, "a3", 6, 7)]


def test_history_goes_on_if_no_batch_was_live_in_between(shop: Shop) -> None:
    dataset = orders("a")
    shop.open(shop.model(dataset))
    shop.merged()
    shop.do("UPDATE orders SET a = 'x' WHERE id = 1")
    shop.merged()
    before = shop.versions("orders", "id, a")
    shop.bench.apply(shop.model(dataset, history=History.LIVE))
    shop.bench.apply(shop.model(dataset))
    assert shop.versions("orders", "id, a") == before


def test_pruned_history_is_claimed_no_longer(shop: Shop) -> None:
    dataset = orders("a")
    shop.open(shop.model(dataset))
    shop.merged()
    shop.do("UPDATE orders SET a = 'x' WHERE id = 1")
    shop.merged()
    shop.bench.apply(shop.model(dataset, history=History.LIVE))
    assert [o.target for o in shop.bench.plan().retired] == ["history of shop.orders"]
    shop.bench.apply(prune=True)
    shop.bench.apply(shop.model(dataset))
    shop.merged()
    assert shop.versions("orders", "id, a") == [(1, "x", 3, None), (2, "a2", 3, None), (3, "a3", 3, None)]


def test_a_dataset_that_left_is_retired_and_only_pruned_on_demand(shop: Shop) -> None:
    shop.do("CREATE TABLE items (id bigint PRIMARY KEY, a text)", "INSERT INTO items VALUES (1, 'i')")
    items = Dataset("items", columns=[KEY, Column("a", String)])
    shop.open(shop.model(orders("a"), items))
    shop.merged()
    shop.bench.apply(shop.model(orders("a")))
    with pytest.raises(psycopg.errors.UndefinedTable):
        shop.seen("items")
    shop.merged()
    assert [o.target for o in shop.bench.plan().retired] == ["table shop.items (1 rows)"]
    assert "shop.items" in shop.tables()
    shop.bench.apply(shop.model(orders("a"), items))
    assert shop.seen("items") == [(1, "i")]
    shop.bench.apply(shop.model(orders("a")))
    shop.bench.apply(prune=True)
    assert [t for t in shop.tables() if t.startswith("shop.items")] == []
    assert shop.bench.plan().retired == ()
    shop.bench.apply(shop.model(orders("a"), items))
    assert shop.seen("items") == []
    assert shop.merged() == (1, 0, 0)
    assert shop.versions("items", "id, a") == [(1, "i", 3, None)]


def test_a_group_that_needs_no_history_sees_none(shop: Shop) -> None:
    groups = [
        DatasetGroup("all", sinks=["shop.orders"], history=History.FULL),
        DatasetGroup("live", sinks=["shop.orders"]),
    ]
    shop.open(shop.model(orders("a"), groups=groups))
    shop.merged()
    assert shop.rows("SELECT table_name FROM information_schema.views WHERE table_schema = 'reports_live'") == [
        ("shop_orders",)
    ]
    shop.bench.apply(shop.model(orders("a"), groups=groups[:1]))
    assert shop.rows("SELECT FROM pg_namespace WHERE nspname = 'reports_live'") == []
