"""Queries are read: what they use, what their columns are made of, and when that cannot be told."""

from __future__ import annotations

from pathlib import Path

import pytest

from datasurface.govern.code import QueryLineage, Relation
from datasurface.release.sql import read_query
from datasurface.release.tables import EdgeRow
from datasurface.runtime.compile_model import compile_model

RELATIONS = [
    Relation(schema="adding_a", name="shop_orders", dataset="shop.orders", columns=("id", "customer", "amount")),
    Relation(schema="adding_b", name="shop_orders", dataset="shop.orders", columns=("id",)),
    Relation(schema="adding_a", name="Shop_Items", dataset="Shop.Items", columns=("id", "Price")),
]
ID, CUSTOMER, AMOUNT = "shop.orders.id", "shop.orders.customer", "shop.orders.amount"
MADE_OF: dict[str, dict[str, tuple[str, ...]]] = {
    "SELECT customer, sum(amount)::bigint AS total FROM shop_orders GROUP BY 1": {
        "customer": (CUSTOMER,),
        "total": (AMOUNT,),
    },
    "WITH big AS (SELECT o.id, o.amount AS a FROM shop_orders o) SELECT b.id, a + 1 AS n, count(*) OVER () AS c, "
    "(SELECT max(customer) FROM shop_orders) AS m FROM big b JOIN adding_b.shop_orders x ON true": {
        "id": (ID,),
        "n": (AMOUNT,),
        "c": (),
        "m": (CUSTOMER,),
    },
    "select * from shop_orders": {"id": (ID,), "customer": (CUSTOMER,), "amount": (AMOUNT,)},
    'select i.*, "Price" * 2 AS p from "Shop_Items" i': {
        "id": ("Shop.Items.id",),
        "Price": ("Shop.Items.Price",),
        "p": ("Shop.Items.Price",),
    },
    "select case when amount > 1 then customer else 'x' end c from shop_orders": {"c": (AMOUNT, CUSTOMER)},
    "select first_value(amount) over (partition by customer order by id) a from shop_orders": {
        "a": (AMOUNT, CUSTOMER, ID)
    },
    "select id from shop_orders union all select amount from shop_orders": {"id": (AMOUNT, ID)},
    "with recursive t(n) as (select 1 union all select n + 1 from t where n < 5) select n from t": {"n": ()},
    "select g from generate_series(1, 3) g": {"g": ()},
    "with shop_orders as (select id from shop_orders) select id from shop_orders": {"id": (ID,)},
}


@pytest.mark.parametrize("query", MADE_OF)
def test_columns_come_from_columns(query: str) -> None:
    assert read_query(query, RELATIONS) == QueryLineage(columns=MADE_OF[query])


def test_columns_without_a_name_are_named_by_the_database() -> None:
    found = read_query("SELECT customer, count(*) FROM shop_orders GROUP BY 1", RELATIONS)
    assert found == QueryLineage(columns={"customer": (CUSTOMER,)}, complete=False)


@pytest.mark.parametrize(
    ("query", "unknown"),
    [
        ("select * from crm_orders join pg_catalog.pg_authid on true", ("crm_orders", "pg_catalog.pg_authid")),
        ("select id from shop_orders where id in (select id from other_b.shop_orders)", ("other_b.shop_orders",)),
        ("select id from Shop_Items", ("shop_items",)),
        ("with t as (select 1) select * from (with u as (select 1) select * from t) x, u", ("u",)),
    ],
)
def test_what_is_no_input_is_named(query: str, unknown: tuple[str, ...]) -> None:
    assert read_query(query, RELATIONS).unknown == unknown


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("select id from", "Expected table name but got the end in line 1"),
        ("delete from shop_orders", "it is not one query"),
        ("select 1; select 2", "it is not one query"),
        ("select row_to_json(o) as doc from shop_orders o", "it uses whole rows of o as values"),
    ],
)
def test_what_cannot_be_told_is_said(query: str, problem: str) -> None:
    found = read_query(query, RELATIONS)
    assert found.problem == problem
    assert not found.columns


MODEL = """
from datasurface import *

orders = Dataset("orders", columns=[Column("id", BigInt, key=True), Column("amount", BigInt)])
totals = Dataset("totals", columns=[Column("id", BigInt, key=True), Column("twice", BigInt)])
ecosystem = Ecosystem("acme", owner=LocalRepository("."), platforms=[YellowPlatform("yellow")],
    zones=[GovernanceZone("usa", teams=[Team("sales",
        datastores=[Datastore("shop", capture=Snapshot(SqliteDatabase("shop", path="shop.db")), datasets=[orders])],
        workspaces=[
            Workspace("adding", groups=[DatasetGroup("a", sinks=["shop.orders"])],
                transformer=DataTransformer("add", code=SqlQueries("queries"),
                    output=Datastore("sums", datasets=[totals]))),
            Workspace("reports", groups=[DatasetGroup("all", sinks=["sums.totals"])])])])])
"""


def test_a_release_has_the_edges_between_columns_of_queries_in_a_folder(tmp_path: Path) -> None:
    (tmp_path / "eco.py").write_text(MODEL)
    file = tmp_path / "queries" / "totals.sql"
    file.parent.mkdir()
    file.write_text("SELECT id, amount * 2 AS twice FROM shop_orders;\n")
    release, report = compile_model(tmp_path)
    assert not report.errors
    edges = {(v["source"], v["target"]) for t, v in release.records() if t is EdgeRow and v["kind"] == "column"}
    assert edges == {
        ("column:shop.orders.id", "column:sums.totals.id"),
        ("column:shop.orders.amount", "column:sums.totals.twice"),
    }
    file.write_text("SELECT o.id FROM shop_order o")
    other, report = compile_model(tmp_path)
    assert [(f.code, f.message) for f in report.errors] == [
        ("DS-X007", "the query totals reads shop_order, which is no input of the workspace")
    ]
    file.write_text("SELECT id FROM shop_orders")
    _, report = compile_model(tmp_path)
    assert [f.message for f in report.errors] == ["the query totals gives no column twice"]
    assert other.digest == release.digest, "what is known besides the model is no part of it"
