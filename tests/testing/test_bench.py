"""The bench for transformers, as a user of DataSurface meets it."""

from __future__ import annotations

from pathlib import Path

import pytest

from datasurface import (
    BigInt,
    Column,
    Dataset,
    DatasetGroup,
    Datastore,
    DataTransformer,
    PythonModule,
    String,
    Workspace,
)
from datasurface.errors import ConfigurationError
from datasurface.testing import BenchFactory, Counts, open_bench

SHOP = Datastore(
    "shop",
    datasets=[
        Dataset(
            "orders", columns=[Column("id", BigInt, key=True), Column("customer", String(20)), Column("amount", BigInt)]
        )
    ],
)
TOTALS = Dataset("totals", columns=[Column("customer", String(20), key=True), Column("amount", BigInt)])
ADDING = Workspace(
    "adding",
    groups=[DatasetGroup("orders", sinks=["shop.orders"])],
    transformer=DataTransformer("add", code=PythonModule("add_up:run"), output=Datastore("sums", datasets=[TOTALS])),
)
ADD_UP = """
from collections import Counter

def run(context):
    found = Counter()
    for row in context.input("shop.orders").dicts():
        found[row["customer"]] += row["amount"]
    print("adding up", len(found))
    context.output("totals").write(found.items())
"""


@pytest.fixture
def code(tmp_path: Path) -> Path:
    (tmp_path / "add_up.py").write_text(ADD_UP)
    return tmp_path


def test_cycles_of_the_real_engine(transformer_bench: BenchFactory, code: Path):
    bench = transformer_bench(ADDING, datastores=[SHOP], folder=code)
    bench.given("orders", [(1, "ann", 10), (2, "bob", 5), (3, "ann", 7)])
    cycle = bench.run()
    assert cycle.printed == ("adding up 2",)
    assert cycle.counted == {"shop.orders": Counts(3, 0, 0), "sums.totals": Counts(2, 0, 0)}
    bench.assert_current("totals", [{"customer": "ann", "amount": 17}, {"customer": "bob", "amount": 5}])
    bench.update("orders", [{"id": 1, "amount": 1}])
    bench.delete("orders", [{"id": 2}])
    bench.run()
    bench.assert_current("sums.totals", [("ann", 8)])
    bench.assert_changes("totals", [("ann", 8, "U"), ("bob", 5, "D")])
    bench.assert_history("totals", [("ann", 17, 1, 2), ("ann", 8, 2, None), ("bob", 5, 1, 2)])
    assert not bench.run().ran("sums")
    assert bench.changes("totals") == []
    bench.assert_rebuild_agrees()


def test_a_difference_is_shown_row_by_row(transformer_bench: BenchFactory, code: Path):
    bench = transformer_bench(ADDING, datastores=[SHOP], folder=code)
    (code / "orders.csv").write_text("customer,id,amount\nann,1,10\nbob,2,5\n,3,\n")
    bench.given("orders", code / "orders.csv")
    failed = bench.fails()
    assert "TypeError" in failed.error
    with pytest.raises(
        AssertionError, match=r"cycle 2: stream sums failed: .*TypeError(.|\n)*it printed:\n +Traceback"
    ):
        bench.run()
    bench.delete("orders", [{"id": 3}])
    bench.run()
    with pytest.raises(AssertionError) as wrong:
        bench.assert_current("totals", [{"customer": "ann", "amount": "9"}, {"customer": "cat", "amount": 1}])
    assert str(wrong.value).splitlines() == [
        "totals is not as expected after cycle 3:",
        "  missing       customer='cat', amount=1",
        "  not expected  customer='bob', amount=5",
        "  different     customer='ann': amount is 10, expected 9",
    ]
    with pytest.raises(AssertionError, match="expected to fail, and all went well"):
        bench.fails()
    with pytest.raises(AssertionError, match="has 0 of these 1 rows"):
        bench.delete("orders", [{"id": 9}])


def test_what_is_not_known_is_named_with_what_is(code: Path):
    with pytest.raises(ConfigurationError, match="reads datastore 'shop', which is not known here"), open_bench(ADDING):
        pass
    with pytest.raises(ConfigurationError, match="no workspace 'other'"), open_bench("other"):
        pass
    with (
        pytest.raises(ConfigurationError, match="no transformer declares the credential 'key'"),
        open_bench(ADDING, datastores=[SHOP], secrets={"key": "x"}),
    ):
        pass
    with open_bench(ADDING, datastores=[SHOP], folder=code) as bench:
        with pytest.raises(ConfigurationError, match=r"no input 'other' \(inputs: shop.orders\)"):
            bench.given("other", [])
        with pytest.raises(ValueError, match="the rows lack id"):
            bench.given("orders", [{"customer": "ann"}])
        with pytest.raises(ConfigurationError, match=r"no output 'orders' \(outputs: sums.totals\)"):
            bench.current("orders")


MODEL = """
from datasurface import *

shop_db = PostgresDatabase("shop_db", host="db.acme.example", database="shop", credential="reader")
orders = Dataset("orders", source=("sales", "Order Lines"), columns=[
    Column("id", BigInt, key=True, source="Id"), Column("customer", String(20)), Column("amount", BigInt)])
totals = Dataset("totals", columns=[Column("customer", String(20), key=True), Column("amount", BigInt)])
large = Dataset("large", columns=[Column("customer", String(20), key=True)])
ecosystem = Ecosystem("acme", owner=GitHubRepository("acme/model"),
    platforms=[YellowPlatform("yellow", container=PostgresDatabase("dwh", host="dwh.acme.example", database="dwh"))],
    zones=[GovernanceZone("usa", teams=[Team("sales",
        datastores=[Datastore("shop", capture=Snapshot(shop_db), access=Access.APPROVAL, approvals=["adding.orders"],
            datasets=[orders])],
        workspaces=[
            Workspace("adding", groups=[DatasetGroup("orders", sinks=["shop.orders"], platform="yellow")],
                transformer=DataTransformer("add", output=Datastore("sums", datasets=[totals]), code=SqlQueries(
                    {"totals": "SELECT customer, sum(amount)::bigint AS amount FROM shop_orders GROUP BY customer"}))),
            Workspace("choosing", groups=[DatasetGroup("sums", sinks=["sums.totals"])],
                transformer=DataTransformer("choose", output=Datastore("best", datasets=[large]), code=SqlQueries(
                    {"large": "SELECT customer FROM sums_totals WHERE amount > 10"}))),
            Workspace("reports", groups=[DatasetGroup("all", sinks=["best.large"])])])])])
"""


def test_all_transformers_of_a_model_or_one(transformer_bench: BenchFactory, tmp_path: Path):
    (tmp_path / "eco.py").write_text(MODEL)
    bench = transformer_bench(model=tmp_path)
    bench.given("orders", [(1, "ann", 10), (2, "bob", 5), (3, "ann", 7)])
    bench.run()
    bench.assert_current("large", [("ann",)])
    one = transformer_bench("choosing", model=tmp_path)
    one.given("sums.totals", [("eve", 11), ("dan", 10)])
    one.run()
    one.assert_current("large", [("eve",)])
