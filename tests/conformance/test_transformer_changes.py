"""Outputs of changes whose inputs have forgotten what the transformer did not see are made anew: nothing stays."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.engine_shop import Shop, shop_on
from datasurface import (
    PII,
    BigInt,
    Column,
    Dataset,
    DatasetGroup,
    Ecosystem,
    Generalise,
    Redact,
    String,
    Tokenise,
    deidentified,
)
from datasurface.engine.batch import Outcome
from datasurface.govern.report import Report
from datasurface.model.deidentification import DeIdentification

ORDERS = Dataset(
    "orders",
    columns=[
        Column("id", BigInt, key=True),
        Column("customer", String(20), classification=[PII]),
        Column("amount", BigInt),
    ],
)


@pytest.fixture
def shop(two_databases: tuple[str, str], tmp_path: Path) -> Iterator[Shop]:
    with shop_on(two_databases, tmp_path) as opened:
        opened.do(
            "CREATE TABLE orders (id bigint PRIMARY KEY, customer varchar(20), amount bigint)",
            "INSERT INTO orders VALUES (1, 'ann', 10), (2, 'bob', 5), (3, 'ann', 7)",
        )
        yield opened


def hiding(shop: Shop, *more: Dataset, **columns: DeIdentification) -> Ecosystem:
    """Return the shop's model with a de-identified copy of it, of which `reports` consumes the orders."""
    made = shop.model(ORDERS, *more, groups=[DatasetGroup("all", sinks=["hidden.orders"])])
    team = made.zones[0].teams[0]
    chosen = {f"orders.{name}": method for name, method in columns.items()}
    copy = deidentified(team.datastores[0], name="hidden", columns=chosen, retention="1 day")
    zone = dataclasses.replace(made.zones[0], teams=[dataclasses.replace(team, workspaces=[*team.workspaces, copy])])
    return dataclasses.replace(made, zones=[zone])


def copied(shop: Shop) -> list[int]:
    return [int(str(n)) for (n,) in shop.rows("SELECT amount FROM reports_all.hidden_orders ORDER BY 1")]


def values(shop: Shop) -> list[str]:
    return [str(v) for (v,) in shop.rows("SELECT value FROM hidden_own.hidden_token_mapping ORDER BY value")]


def test_what_retention_took_away_is_not_missed(shop: Shop):
    shop.open(hiding(shop, id=Tokenise()))
    shop.merged()
    assert shop.merged("hidden") == (8, 0, 0), "three rows and five tokens"
    shop.do("DELETE FROM orders WHERE id = 2")
    shop.merged()
    (history,) = [name for name in shop.tables() if name.startswith("shop.orders") and "history" in name]
    shop.admin(
        f"UPDATE ds_yellow.\"{history}\" SET ds_valid_from = ds_valid_from - interval '3 days', "
        "ds_valid_to = ds_valid_to - interval '2 days'"
    )
    shop.admin("UPDATE ds_yellow.datasets SET pruned_at = NULL")
    shop.do("UPDATE orders SET amount = 8 WHERE id = 3")
    shop.merged()
    assert shop.rows(f'SELECT count(*) FROM ds_yellow."{history}" WHERE id = 2') == [(0,)], "the deletion is forgotten"
    assert shop.merged("hidden") == (0, 1, 3)
    assert copied(shop) == [8, 10]
    assert values(shop) == ["1", "3", "ann"]
    shop.do("UPDATE orders SET amount = 9 WHERE id = 3")
    shop.merged()
    assert shop.merged("hidden") == (0, 1, 0), "followed by changes again"


def test_other_methods_make_the_copy_anew_and_values_keep_their_tokens(shop: Shop):
    bench = shop.open(hiding(shop))
    shop.merged()
    assert shop.merged("hidden") == (5, 0, 0)
    before = shop.rows("SELECT id, customer FROM reports_all.hidden_orders ORDER BY 1")
    bench.apply(hiding(shop, amount=Redact()))
    assert shop.merged("hidden") == (0, 3, 0)
    assert shop.rows("SELECT id, customer FROM reports_all.hidden_orders ORDER BY 1") == before
    assert shop.rows("SELECT DISTINCT amount FROM reports_all.hidden_orders") == [(None,)]


def test_what_nobody_consumes_is_not_copied_nor_are_its_values_kept(shop: Shop):
    shop.do("CREATE TABLE people (id bigint PRIMARY KEY, name text)", "INSERT INTO people VALUES (1, 'eve')")
    columns = [Column("id", BigInt, key=True), Column("name", String(), classification=[PII])]
    shop.open(hiding(shop, Dataset("people", columns=columns)))
    shop.merged()
    assert shop.merged("hidden") == (5, 0, 0)
    assert values(shop) == ["ann", "bob"]


def test_rows_that_would_have_one_key_are_refused_also_at_the_last_moment(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("workbench.check", lambda *_args, **_more: Report())
    shop.open(hiding(shop, id=Generalise(width=10)))
    shop.merged()
    result = shop.run("hidden")
    assert result.outcome is Outcome.FAILED
    assert "1 keys of orders stand for several rows once they are disguised" in result.error
    assert copied(shop) == []
