"""Names as they come: reserved, mixed, as long as may be, with everything that a quoted identifier may hold."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import LiteralString

import pytest
from psycopg import sql

from conformance.engine_shop import Shop, shop_on
from datasurface import BigInt, Column, Dataset, DatasetGroup, Ecosystem, History, String, Team, Workspace
from datasurface.names import shorten
from datasurface.release.bind import replaced

LONG = "n" * 63
ODD = [
    "Order Details",
    'a "quoted" name',
    "it's",
    "100 %",
    "%s",
    "%(x)s",
    "a.b.c",
    "Straße 😀",
    "e\u0301",
    "select",
    "{}",
    "a\\b",
    "a;--b",
    " leading and trailing ",
    "tab\there",
    "new\nline",
    "é" * 31,
    ":colon",
    "$1",
]
RESERVED = [
    "select",
    "value",
    "order",
    "_id",
    "Table",
    "user",
    "ctid_",
    "c",
    "s",
    "d",
    "found",
    "gone",
    "numbered",
    "h",
]


@pytest.fixture
def shop(two_databases: tuple[str, str], tmp_path: Path) -> Iterator[Shop]:
    with shop_on(two_databases, tmp_path) as opened:
        yield opened


def lived_through(shop: Shop, table: sql.Identifier, key: sql.Identifier, value: sql.Identifier, name: str) -> None:
    """Load, change, delete and compare one dataset whose logical key is its first column."""

    def do(text: LiteralString) -> None:
        shop.source.execute(sql.SQL(text).format(t=table, k=key, v=value))

    do("INSERT INTO {t} ({k}, {v}) VALUES (1, 'a'), (2, 'b'), (3, NULL)")
    assert shop.merged() == (3, 0, 0)
    do("UPDATE {t} SET {v} = 'changed' WHERE {k} = 1")
    do("DELETE FROM {t} WHERE {k} = 2")
    assert shop.merged() == (0, 1, 1)
    assert shop.rows(f'SELECT * FROM reports_all."shop_{name}" ORDER BY 1') == [(1, "changed"), (3, None)]
    history = shop.rows(f'SELECT count(*) FROM reports_all."{shorten(f"shop_{name}_history", 63)}"')
    assert history == [(4,)]
    do("INSERT INTO {t} ({k}, {v}) VALUES (3, 'twice')")
    failed = shop.run()
    assert not failed.ok
    assert "duplicate keys" in failed.error
    assert shop.bench.plan().empty


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_any_name_at_the_source_can_be_read(shop: Shop, odd: str) -> None:
    schema = f"{odd} schema"[:20]
    table, key, value = sql.Identifier(schema, odd), sql.Identifier(odd), sql.Identifier(f"{odd}2"[-30:])
    shop.source.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
    shop.source.execute(sql.SQL("CREATE TABLE {} ({} bigint, {} text)").format(table, key, value))
    columns = [Column("id", BigInt, key=True, source=odd), Column("v", String, source=f"{odd}2"[-30:])]
    shop.open(shop.model(Dataset("orders", source=(schema, odd), columns=columns)))
    lived_through(shop, table, key, value, "orders")


@pytest.mark.parametrize("word", [*RESERVED, LONG, "MixedCase"])
def test_any_identifier_is_a_name_of_a_dataset_and_its_columns(shop: Shop, word: str) -> None:
    other = f"v{word}"[:63]
    shop.source.execute(
        sql.SQL("CREATE TABLE {} ({} bigint, {} text)").format(*map(sql.Identifier, (word, word, other)))
    )
    dataset = Dataset(word, columns=[Column(word, BigInt, key=True), Column(other, String)])
    shop.open(shop.model(dataset))
    view = shorten(f"shop_{word}", 63).removeprefix("shop_")
    if len(f"shop_{word}") > 63:
        # The history's view is shortened from its own full name.
        assert shop.rows(f'SELECT count(*) FROM reports_all."{shorten(f"shop_{word}_history", 63)}"') == [(0,)]
        assert shop.merged() == (0, 0, 0)
        shop.source.execute(sql.SQL("INSERT INTO {} VALUES (1, 'a')").format(sql.Identifier(word)))
        assert shop.merged() == (1, 0, 0)
        assert shop.rows(f'SELECT * FROM reports_all."shop_{view}"') == [(1, "a")]
        assert shop.bench.plan().empty
        return
    lived_through(shop, sql.Identifier(word), sql.Identifier(word), sql.Identifier(other), word)


def test_reserved_names_in_one_multiset(shop: Shop) -> None:
    columns = ", ".join(f'"{word}" text' for word in RESERVED)
    shop.source.execute(f"CREATE TABLE bag ({columns})".encode())
    shop.source.execute(f"INSERT INTO bag VALUES ({', '.join(['%s'] * len(RESERVED))})".encode(), RESERVED)
    shop.open(shop.model(Dataset("bag", columns=[Column(word, String) for word in RESERVED])))
    assert shop.merged() == (1, 0, 0)
    shop.do("INSERT INTO bag SELECT * FROM bag")
    assert shop.merged() == (1, 0, 0)
    assert shop.rows("SELECT * FROM reports_all.shop_bag") == [tuple(RESERVED)] * 2


def test_names_like_our_own_suffixes_do_not_meet(shop: Shop) -> None:
    names = ["a", "a_history2", "deltas", "staging", "a_staging", "history", "delta", "ledger", "streams", "views"]
    for name in names:
        shop.do(f"CREATE TABLE {name} (id bigint, v text)", f"INSERT INTO {name} VALUES (1, '{name}')")
    columns = [Column("id", BigInt, key=True), Column("v", String)]
    shop.open(shop.model(*[Dataset(name, columns=columns) for name in names], keep_batches=1))
    assert shop.merged() == (len(names), 0, 0)
    for name in names:
        shop.do(f"UPDATE {name} SET v = v || '!'")
    assert shop.merged() == (0, len(names), 0)
    for name in names:
        assert shop.rows(f"SELECT id, v FROM reports_all.shop_{name}") == [(1, f"{name}!")]
        assert shop.rows(f"SELECT count(*) FROM reports_all.shop_{name}_history") == [(2,)]


def test_columns_that_differ_in_case_alone(shop: Shop) -> None:
    shop.do('CREATE TABLE t ("Id" bigint, id text)', "INSERT INTO t VALUES (1, 'x')")
    columns = [Column("number", BigInt, key=True, source="Id"), Column("text", String, source="id")]
    shop.open(shop.model(Dataset("t", columns=columns)))
    assert shop.merged() == (1, 0, 0)
    assert shop.seen("t") == [(1, "x")]


def renamed(ecosystem: Ecosystem, workspace: str, group: DatasetGroup) -> Ecosystem:
    zone = ecosystem.zones[0]
    team: Team = zone.teams[0]
    team = replaced(team, workspaces=[Workspace(workspace, groups=[group])])
    return replaced(ecosystem, zones=[replaced(zone, teams=[team])])


def test_long_names_of_workspaces_and_groups_are_shortened(shop: Shop) -> None:
    workspace, group = "w" * 60, "g" * 60
    shop.do("CREATE TABLE orders (id bigint, v text)", "INSERT INTO orders VALUES (1, 'a')")
    dataset = Dataset("orders", columns=[Column("id", BigInt, key=True), Column("v", String)])
    sinks = DatasetGroup(group, sinks=["shop.orders"], history=History.FULL)
    shop.open(renamed(shop.model(dataset), workspace, sinks))
    assert shop.merged() == (1, 0, 0)
    schema = shorten(f"{workspace}_{group}", 63)
    assert len(schema) == 63
    assert shop.rows(f'SELECT * FROM "{schema}".shop_orders') == [(1, "a")]
    assert shop.bench.plan().empty
