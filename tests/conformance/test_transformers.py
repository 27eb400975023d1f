"""Transformers on a real server: they read what they declared, and their output is a stream like any other."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.engine_shop import Shop, shop_on
from datasurface import (
    BigInt,
    Column,
    ContainerImage,
    Dataset,
    DatasetGroup,
    Datastore,
    DataTransformer,
    Ecosystem,
    Hint,
    History,
    OutputMode,
    PythonModule,
    SqlQueries,
    String,
    Workspace,
)
from datasurface.engine.batch import Outcome
from datasurface.engine.run import run_batch

ORDERS = Dataset(
    "orders", columns=[Column("id", BigInt, key=True), Column("customer", String(20)), Column("amount", BigInt)]
)
TOTALS = Dataset("totals", columns=[Column("customer", String(20), key=True), Column("amount", BigInt)])

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
def shop(two_databases: tuple[str, str], tmp_path: Path) -> Iterator[Shop]:
    with shop_on(two_databases, tmp_path) as opened:
        opened.do(
            "CREATE TABLE orders (id bigint PRIMARY KEY, customer varchar(20), amount bigint)",
            "INSERT INTO orders VALUES (1, 'ann', 10), (2, 'bob', 5), (3, 'ann', 7)",
        )
        yield opened


def deriving(shop: Shop, transformer: DataTransformer, *, history: History = History.LIVE) -> Ecosystem:
    """Return the shop's model with a transformer of its orders, whose output `reports` consumes."""
    made = shop.model(ORDERS, groups=[DatasetGroup("all", sinks=["shop.orders", "sums.totals"])])
    team = made.zones[0].teams[0]
    adding = Workspace(
        "adding", groups=[DatasetGroup("orders", sinks=["shop.orders"], history=history)], transformer=transformer
    )
    zone = dataclasses.replace(made.zones[0], teams=[dataclasses.replace(team, workspaces=[*team.workspaces, adding])])
    return dataclasses.replace(made, zones=[zone])


def adding(code: object = PythonModule("add_up:run"), **more: object) -> DataTransformer:
    return DataTransformer("add", code=code, output=Datastore("sums", datasets=[TOTALS]), **more)  # type: ignore[arg-type]


def totals(shop: Shop) -> list[tuple[object, ...]]:
    return shop.rows("SELECT customer, amount FROM reports_all.sums_totals ORDER BY 1")


def test_a_function_derives_a_stream_from_what_it_declared(shop: Shop):
    (shop.folder / "add_up.py").write_text(ADD_UP)
    shop.open(deriving(shop, adding()))
    assert shop.run("sums").outcome is Outcome.WAITING
    shop.merged()
    assert shop.merged("sums") == (2, 0, 0)
    assert totals(shop) == [("ann", 17), ("bob", 5)]


def test_queries_derive_a_stream_too(shop: Shop):
    query = "SELECT customer, sum(amount)::bigint AS amount FROM shop_orders GROUP BY customer"
    shop.open(deriving(shop, adding(SqlQueries({"totals": query}))))
    shop.merged()
    assert shop.merged("sums") == (2, 0, 0)
    shop.do("DELETE FROM orders WHERE id = 2", "UPDATE orders SET amount = 1 WHERE id = 1")
    shop.merged()
    assert shop.merged("sums") == (0, 1, 1)
    assert totals(shop) == [("ann", 8)]


def test_it_runs_once_for_a_combination_of_input_batches(shop: Shop):
    (shop.folder / "add_up.py").write_text(ADD_UP)
    shop.open(deriving(shop, adding()))
    shop.merged()
    shop.merged("sums")
    again = shop.run("sums")
    assert again.ok
    assert again.batch_id is None
    shop.merged()
    assert shop.run("sums").batch_id is None, "an idle batch of an input changes nothing"
    shop.do("INSERT INTO orders VALUES (4, 'cat', 1)")
    shop.merged()
    assert shop.merged("sums") == (1, 0, 0)
    (shop.folder / "add_up.py").write_text(ADD_UP.replace("items()", "items() if False else [('all', 1)]"))
    assert shop.merged("sums") == (1, 0, 3), "other code runs again"


def test_code_that_fails_leaves_what_was_there_and_says_why_and_where(shop: Shop):
    (shop.folder / "add_up.py").write_text(ADD_UP)
    shop.open(deriving(shop, adding()))
    shop.merged()
    shop.merged("sums")
    failing = ADD_UP + "    raise ValueError('no good')\n"
    (shop.folder / "add_up.py").write_text(failing)
    result = shop.run("sums")
    assert result.outcome is Outcome.FAILED
    line = failing.splitlines().index("    raise ValueError('no good')") + 1
    assert "transformer 'add' of workspace 'adding' failed: ValueError: no good at " in result.error
    assert f"add_up.py:{line}" in result.error
    assert totals(shop) == [("ann", 17), ("bob", 5)]


def test_its_time_is_limited(shop: Shop):
    (shop.folder / "add_up.py").write_text("import time\n\ndef run(context):\n    time.sleep(60)\n")
    shop.open(deriving(shop, adding(resources=Hint(timeout="1 second"))))
    shop.merged()
    result = shop.run("sums")
    assert result.outcome is Outcome.FAILED
    assert "was ended after its time limit of 1 second" in result.error


CHANGES = """
def run(context):
    changes = context.input("shop.orders").changes
    output = context.output("totals")
    rows = list(changes.dicts())
    print("complete", changes.complete, "rebuild", context.rebuild, sorted((r["id"], r["ds_op"]) for r in rows))
    keep = [r for r in rows if r["ds_op"] != "D"]
    output.insert({"customer": str(r["id"]), "amount": r["amount"]} for r in keep if r["ds_op"] == "I")
    output.update({"customer": str(r["id"]), "amount": r["amount"]} for r in keep if r["ds_op"] == "U")
    output.delete({"customer": str(r["id"])} for r in rows if r["ds_op"] == "D")
"""


def test_only_what_changed_goes_in_and_only_changes_come_out(shop: Shop, caplog: pytest.LogCaptureFixture):
    caplog.set_level("INFO", logger="datasurface.transform")
    (shop.folder / "add_up.py").write_text(CHANGES)
    shop.open(deriving(shop, adding(mode=OutputMode.CHANGES), history=History.FULL))
    shop.merged()
    assert shop.merged("sums") == (3, 0, 0)
    assert "complete True rebuild True [(1, 'I'), (2, 'I'), (3, 'I')]" in caplog.text
    shop.do("DELETE FROM orders WHERE id = 2", "UPDATE orders SET amount = 1 WHERE id = 1")
    shop.merged()
    shop.do("INSERT INTO orders VALUES (9, 'cat', 4)", "UPDATE orders SET amount = 2 WHERE id = 1")
    shop.merged()
    assert shop.merged("sums") == (1, 1, 1)
    assert "complete False rebuild False [(1, 'U'), (2, 'D'), (9, 'I')]" in caplog.text
    assert totals(shop) == [("1", 2), ("3", 7), ("9", 4)]
    (shop.folder / "add_up.py").write_text(CHANGES.replace('if r["ds_op"] != "D"', 'if r["id"] != 3'))
    assert shop.merged("sums") == (0, 0, 1), "made anew by other code: what is not in it is gone"


def test_what_was_not_declared_is_refused_with_what_was(shop: Shop):
    asks = {
        'context.input("shop.other")': "no input 'shop.other' is declared; declared are shop.orders",
        'context.output("other")': "no output 'other' is declared; declared are totals",
        'context.secrets["other"]': "no secret 'other' is declared; declared are none",
        'context.inputs["other"]': "no group of inputs 'other' is declared; declared are orders",
        'context.input("shop.orders").history': "give the group history=History.FULL",
        'context.output("totals").write([{"customer": "x"}])': "the rows lack amount; its columns are customer, amount",
        'context.output("totals").insert([])': "takes whole tables: use write",
    }
    shop.open(deriving(shop, adding()))
    shop.merged()
    for ask, answer in asks.items():
        (shop.folder / "add_up.py").write_text(f"def run(context):\n    {ask}\n")
        result = shop.run("sums")
        assert result.outcome is Outcome.FAILED
        assert answer in result.error, ask


def test_a_query_whose_rows_do_not_fit_names_its_output(shop: Shop):
    shop.open(deriving(shop, adding(SqlQueries({"totals": "SELECT repeat('x', 30) AS customer, 1 AS amount"}))))
    shop.merged()
    error = shop.run("sums").error
    assert "failed: output 'totals': value too long for type character varying(20)" in error


def test_it_reads_its_own_previous_output(shop: Shop):
    code = """
def run(context):
    before = {row["customer"]: row["amount"] for row in context.input("sums.totals").dicts()}
    rows = {str(row["id"]): before.get(str(row["id"]), 0) + 1 for row in context.input("shop.orders").dicts()}
    context.output("totals").write(rows.items())
"""
    (shop.folder / "add_up.py").write_text(code)
    made = deriving(shop, adding())
    team = made.zones[0].teams[0]
    reports, own = team.workspaces
    own = dataclasses.replace(own, groups=[*own.groups, DatasetGroup("self", sinks=["sums.totals"])])
    zone = dataclasses.replace(made.zones[0], teams=[dataclasses.replace(team, workspaces=[reports, own])])
    shop.open(dataclasses.replace(made, zones=[zone]))
    shop.merged()
    assert shop.merged("sums") == (3, 0, 0)
    assert shop.run("sums").batch_id is None, "its own change is no reason to run"
    shop.do("INSERT INTO orders VALUES (4, 'dan', 1)")
    shop.merged()
    shop.merged("sums")
    assert totals(shop) == [("1", 2), ("2", 2), ("3", 2), ("4", 1)]


def test_a_run_that_another_overtook_between_looking_and_beginning_makes_nothing(shop: Shop):
    (shop.folder / "add_up.py").write_text(ADD_UP)
    shop.open(deriving(shop, adding()))
    shop.merged()
    context = shop.bench.runner.context(*shop.bench.running.job("sums"))
    shop.merged("sums")
    late = run_batch(context)
    assert (late.outcome, late.batch_id) == (Outcome.MERGED, 2)
    assert "is merged already" in late.error
    assert shop.rows("SELECT batch_id, state FROM ds_yellow.batches WHERE stream = 'sums' ORDER BY 1") == [
        (1, "merged"),
        (2, "abandoned"),
    ]
    assert shop.run("sums").batch_id is None


def test_all_outputs_or_none(shop: Shop):
    (shop.folder / "add_up.py").write_text(ADD_UP + "    import os; os._exit(3)\n")
    shop.open(deriving(shop, adding()))
    shop.merged()
    result = shop.run("sums")
    assert result.outcome is Outcome.FAILED
    assert "ended with exit code 3 without a result; its last words: adding up 2" in result.error
    assert totals(shop) == []
    assert shop.rows('SELECT count(*) FROM "ds_yellow.adding".totals') == [(0,)]


def test_rows_are_written_while_others_are_read(shop: Shop):
    code = """
def run(context):
    context.output("totals").write((str(i), a) for i, a in context.sql(
        "SELECT id, amount FROM shop_orders ORDER BY id"))
"""
    (shop.folder / "add_up.py").write_text(code)
    shop.open(deriving(shop, adding()))
    shop.merged()
    assert shop.merged("sums") == (3, 0, 0)


def test_resnapshot_makes_the_whole_output_again(shop: Shop):
    (shop.folder / "add_up.py").write_text(ADD_UP)
    shop.open(deriving(shop, adding()))
    shop.merged()
    shop.merged("sums")
    job, digest = shop.bench.running.job("sums")
    result = shop.bench.runner.run(job, digest, anew=True)
    assert (result.outcome, result.batch_id) == (Outcome.MERGED, 2)


def test_the_output_schema_of_a_transformer_that_left_is_dropped_on_demand(shop: Shop):
    (shop.folder / "add_up.py").write_text(ADD_UP)
    shop.open(deriving(shop, adding()))
    shop.merged()
    shop.merged("sums")
    gone = shop.model(ORDERS, groups=[DatasetGroup("all", sinks=["shop.orders"])])
    assert [o.target for o in shop.bench.plan(gone).retired] == [
        "table sums.totals (2 rows)",
        "output schema ds_yellow.adding",
    ]
    shop.bench.apply(gone, prune=True)
    assert shop.rows("SELECT nspname FROM pg_namespace WHERE nspname = 'ds_yellow.adding'") == []
    assert shop.bench.plan(gone).retired == ()


def test_code_that_is_not_there_is_a_failed_batch(shop: Shop):
    shop.open(deriving(shop, adding(PythonModule("nowhere:run"))))
    shop.merged()
    result = shop.run("sums")
    assert result.outcome is Outcome.FAILED
    assert "there is no module 'nowhere'" in result.error
    shop.bench.apply(deriving(shop, adding(ContainerImage("sums:1"))))
    result = shop.run("sums")
    assert result.outcome is Outcome.FAILED
    assert "nothing runs the image sums:1 yet" in result.error
    states = "SELECT DISTINCT state FROM ds_yellow.batches WHERE stream = 'sums'"
    assert shop.rows(states) == [("failed",)]


def test_a_changed_module_that_the_code_imports_is_other_code(shop: Shop):
    (shop.folder / "add_up.py").write_text(
        "from sums_of import rows\n\ndef run(c):\n    c.output('totals').write(rows())\n"
    )
    (shop.folder / "sums_of.py").write_text("def rows():\n    return [('one', 1)]\n")
    shop.open(deriving(shop, adding()))
    shop.merged()
    assert shop.merged("sums") == (1, 0, 0)
    (shop.folder / "sums_of.py").write_text("def rows():\n    return [('one', 2)]\n")
    assert shop.merged("sums") == (0, 1, 0)


def test_where_history_begins_anew_everything_is_given_as_new(shop: Shop):
    (shop.folder / "add_up.py").write_text(CHANGES)
    shop.open(deriving(shop, adding(PythonModule("other:run"))))
    shop.merged()
    shop.bench.apply(deriving(shop, adding(mode=OutputMode.CHANGES), history=History.FULL))
    assert shop.merged("sums") == (3, 0, 0), "the history of the orders begins with their next batch"
    shop.do("DELETE FROM orders WHERE id = 2")
    shop.merged()
    assert shop.merged("sums") == (0, 0, 1)
    assert totals(shop) == [("1", 10), ("3", 7)]


def test_a_new_cycle_with_a_source_starts_and_goes_around_once(shop: Shop):
    code = """
def first(c):
    back = sum(1 for _ in c.input("back.totals").rows())
    c.output("totals").write((str(i), back) for i, _, _ in c.input("shop.orders").rows())

def second(c):
    c.output("totals").write(c.input("sums.totals").rows())
"""
    (shop.folder / "ring.py").write_text(code)
    made = deriving(shop, adding(PythonModule("ring:first")))
    team = made.zones[0].teams[0]
    reports, own = team.workspaces
    own = dataclasses.replace(own, groups=[*own.groups, DatasetGroup("back", sinks=["back.totals"])])
    output = Datastore("back", datasets=[TOTALS])
    second = Workspace(
        "returning",
        groups=[DatasetGroup("in", sinks=["sums.totals"])],
        transformer=DataTransformer("second", code=PythonModule("ring:second"), output=output),
    )
    zone = dataclasses.replace(made.zones[0], teams=[dataclasses.replace(team, workspaces=[reports, own, second])])
    shop.open(dataclasses.replace(made, zones=[zone]))
    assert shop.run("back").outcome is Outcome.WAITING
    shop.merged()
    assert shop.merged("sums") == (3, 0, 0)
    assert shop.merged("back") == (3, 0, 0)
    assert shop.run("sums").batch_id is None, "what comes back alone is no reason to run"
    shop.do("DELETE FROM orders WHERE id = 2")
    shop.merged()
    shop.merged("sums")
    assert totals(shop) == [("1", 3), ("3", 3)]


def failing(shop: Shop, code: str) -> str:
    """Return how a run of code fails."""
    (shop.folder / "add_up.py").write_text(code)
    result = shop.run("sums")
    assert result.outcome is Outcome.FAILED
    return result.error


def test_the_place_of_an_error_is_the_last_line_of_the_users_own_code(shop: Shop):
    shop.open(deriving(shop, adding()))
    shop.merged()
    for body in (
        'context.output("totals").write([("a\\0", 1)])',
        "json.dumps(object())",
        "raise Mute",
    ):
        mute = "class Mute(Exception):\n    def __str__(self): raise TypeError\n"
        error = failing(shop, f"import json\n{mute}def run(context):\n    {body}\n")
        assert error.endswith("add_up.py:5"), error
    assert "failed: Mute, which does not say more: its __str__ fails at " in error


def test_modules_of_the_folder_never_stand_in_for_what_the_platform_needs(shop: Shop):
    for name in ("json", "csv", "psycopg", "datasurface", "sqlalchemy", "traceback"):
        (shop.folder / f"{name}.py").write_text("raise RuntimeError('not this one')\n")
    for name in ("pandas", "own"):
        (shop.folder / name).mkdir()
        (shop.folder / name / "__init__.py").write_text("MINE = True\n")
    code = """
import csv, json, os, subprocess, sys
import own

def run(context):
    frame = context.input("shop.orders").pandas()
    context.output("totals").write([("all", len(frame))])
    import polars
    asked = [sys.executable, "-c", "import own; print(own.MINE)"]
    assert own.MINE and json.dumps([]) == "[]" and subprocess.check_output(asked) == b"True\\n"
"""
    (shop.folder / "add_up.py").write_text(code)
    shop.open(deriving(shop, adding()))
    shop.merged()
    assert shop.merged("sums") == (1, 0, 0)
    mine = "import pandas\ndef run(context):\n    assert pandas.MINE\n    context.input('shop.orders').pandas()\n"
    assert "pandas" in failing(shop, mine)
    shop.bench.apply(deriving(shop, adding(PythonModule("json:run"))))
    assert "module 'json' has no function 'run'" in shop.run("sums").error
