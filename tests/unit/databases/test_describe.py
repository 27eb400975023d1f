from __future__ import annotations

import pytest

from datasurface import BigInt, Column, Dataset, Datastore, Interval, Snapshot, SqliteDatabase, String
from datasurface.databases.base import SourceColumn, SourceTable
from datasurface.databases.describe import describe, logical_names
from datasurface.databases.postgres.types import keyable
from datasurface.model.types import DataType
from datasurface.names import is_identifier

CAPTURE = Snapshot(SqliteDatabase("s", path="s.db"))


def column(name: str, t: DataType | None, *, key: int | None = None, nullable: bool = True) -> SourceColumn:
    physical = "money" if t is None else t.spelled()
    return SourceColumn(name=name, physical=physical, type=t, nullable=nullable and not key, key_position=key)


def described(*columns: SourceColumn, name: str = "t") -> tuple[Datastore, str]:
    found = describe("s", CAPTURE, [SourceTable(schema=None, name=name, columns=columns)], keyable=keyable)
    return found.datastore, "\n".join(found.notes)


@pytest.mark.parametrize(
    ("physical", "logical"),
    [
        (["Order Details", "order"], ["Order_Details", "order"]),
        (["a b", "a_b", "a-b", "a_b_2"], ["a_b_3", "a_b", "a_b_4", "a_b_2"]),
        (["2020", "größe", "!?", "名前"], ["_2020", "groe", "column_3", "column_4"]),
        (["ds_x", "DS_x", "_ds_x", "$ds_y"], ["_ds_x_2", "DS_x", "_ds_x", "_ds_y"]),
        (["x" * 200, "x" * 201], ["x" * 118, "x" * 118 + "_2"]),
    ],
)
def test_logical_names_are_identifiers_and_all_different(physical: list[str], logical: list[str]):
    assert logical_names(physical, "column", reserved="ds_") == logical
    assert all(is_identifier(name) for name in logical)


def test_what_has_no_type_is_left_out_and_told():
    store, notes = described(column("id", BigInt(), key=1), column("cost", None), column("the name", String(5)))
    columns = [Column("id", BigInt, key=True), Column("the_name", String(5), source="the name")]
    assert store == Datastore("s", capture=CAPTURE, datasets=[Dataset("t", columns=columns)])
    assert notes == "table 't': column 'cost' is left out: money has no type of ours"


def test_a_key_that_cannot_be_one_here_is_none():
    for unfit in (column("k", None, key=2), column("k", Interval(), key=2)):
        store, notes = described(column("id", BigInt(), key=1), unfit)
        assert not any(c.key for c in store.datasets[0].columns)
        assert [c.nullable for c in store.datasets[0].columns] == [False] * len(store.datasets[0].columns)
        assert "table 't' has no key here: 'k' " in notes


def test_a_table_without_key_is_told():
    store, notes = described(column("a", BigInt(), nullable=False))
    assert store.datasets[0].columns == (Column("a", BigInt, nullable=False),)
    assert notes == "table 't' has no primary key: without key=True its rows are a multiset"


def test_a_table_of_which_nothing_is_left_is_told():
    store, notes = described(column("a", None), column("b", None), name="odd one")
    assert store.datasets == ()
    assert notes == "table 'odd one' is left out: no column has a type of ours (money)"
