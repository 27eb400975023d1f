"""Checks of a transformer's output: what it derives is judged before anybody sees it, tables and changes alike."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.engine_shop import Shop, shop_on
from conformance.test_transformers import CHANGES, TOTALS, adding, deriving, totals
from datasurface import Datastore, History, InRange, OnFailure, OutputMode, PythonModule, SqlCheck, SqlQueries
from datasurface.engine.batch import Outcome

CHECKED = dataclasses.replace(
    TOTALS,
    checks=[
        InRange("amount", at_least=0),
        SqlCheck(
            "SELECT * FROM {table} WHERE customer <> lower(customer)", name="lower case", on_failure=OnFailure.WARN
        ),
    ],
)
SUMS = "SELECT customer, sum(amount)::bigint AS amount FROM shop_orders GROUP BY customer"


@pytest.fixture
def shop(two_databases: tuple[str, str], tmp_path: Path) -> Iterator[Shop]:
    with shop_on(two_databases, tmp_path) as opened:
        opened.do(
            "CREATE TABLE orders (id bigint PRIMARY KEY, customer varchar(20), amount bigint)",
            "INSERT INTO orders VALUES (1, 'ann', 10), (2, 'bob', 5), (3, 'ann', 7)",
        )
        yield opened


def test_what_code_derives_is_checked_before_it_is_published(shop: Shop) -> None:
    transformer = adding(SqlQueries({"totals": SUMS}))
    checked = dataclasses.replace(transformer, output=Datastore("sums", datasets=[CHECKED]))
    shop.open(deriving(shop, checked))
    shop.merged()
    assert shop.merged("sums") == (2, 0, 0)
    shop.do("UPDATE orders SET amount = -6 WHERE id = 2", "INSERT INTO orders VALUES (4, 'Cat', 1)")
    shop.merged()
    parked = shop.run("sums")
    assert (parked.outcome, parked.error) == (
        Outcome.PARKED,
        "totals: in_range(amount): 1 row out of range in amount: customer=bob",
    )
    assert totals(shop) == [("ann", 17), ("bob", 5)]
    shop.do("UPDATE orders SET amount = 6 WHERE id = 2")
    shop.merged()
    published = shop.run("sums")
    assert published.outcome is Outcome.MERGED
    assert published.warnings == ("totals: lower case: 1 row found by its query: customer=Cat",)
    assert totals(shop) == [("Cat", 1), ("ann", 17), ("bob", 6)]


def test_the_changes_that_code_gives_are_judged_as_the_table_they_make(shop: Shop) -> None:
    (shop.folder / "add_up.py").write_text(CHANGES)
    whole = SqlCheck("SELECT * FROM {table} WHERE (SELECT sum(amount) FROM {table}) > 100", name="sum")
    output = Datastore("sums", datasets=[dataclasses.replace(TOTALS, checks=[*CHECKED.checks, whole])])
    transformer = adding(PythonModule("add_up:run"), mode=OutputMode.CHANGES)
    shop.open(deriving(shop, dataclasses.replace(transformer, output=output), history=History.FULL))
    shop.merged()
    assert shop.merged("sums") == (3, 0, 0)
    shop.do("UPDATE orders SET amount = -1 WHERE id = 2")
    shop.merged()
    assert shop.run("sums").error == "totals: in_range(amount): 1 row out of range in amount: customer=2"
    shop.do("UPDATE orders SET amount = 84 WHERE id = 2")
    shop.merged()
    parked = shop.run("sums")
    assert parked.error == "totals: sum: 3 rows found by its query: customer=1; customer=2; customer=3"
    assert totals(shop) == [("1", 10), ("2", 5), ("3", 7)]
    assert shop.run("sums", accept=True).counts.updated == 1
    assert totals(shop) == [("1", 10), ("2", 84), ("3", 7)]
