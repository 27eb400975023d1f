"""Data checks as a user meets them: what `run` says, what `status` and `history` show, how `accept` goes on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from command_line import Project, project

CHECKED = """[Datastore("crm", capture=Snapshot(SOURCE, every=EVERY), datasets=[
    Dataset("orders", columns=COLUMNS, checks=[
    RowCount(at_least=100, on_failure=OnFailure.WARN, name="enough"),
    SqlCheck("SELECT * FROM {table} WHERE name = 'n13'", name="no bad luck"),
    ])])]"""


@pytest.fixture(scope="module")
def shop() -> Iterator[Project]:
    with project() as made:
        yield made


def test_a_check_parks_warns_and_is_shown(shop: Project) -> None:
    shop.model(CHECKED)
    ran = shop.run("run", "--once", code=1)
    assert "1 stream: 1 parked; 0 rows changed" in ran.stdout
    assert "WARNING batch stream=crm batch=1 state=parked" in ran.stderr
    assert 'error="orders: no bad luck: 1 row found by its query: id=13"' in ran.stderr
    assert "no bad luck: 1 row found by its query: id=13" in shop.run("status").stdout
    accepted = shop.run("accept", "crm")
    assert accepted.returncode == 0
    lines = shop.run("history", "crm").stdout.splitlines()
    assert [line.split()[:2] for line in lines if " orders " in line] == [["warn", "orders"], ["park", "orders"]]
    (batch,) = shop.json("history", "crm")["batches"]
    assert batch["state"] == "merged"
    assert batch["checks"] == [
        {
            "dataset": "orders",
            "check": "enough",
            "kind": "RowCount",
            "on_failure": "warn",
            "ok": False,
            "failing_rows": None,
            "detail": "20 rows, at least 100 wanted",
        },
        {
            "dataset": "orders",
            "check": "no bad luck",
            "kind": "SqlCheck",
            "on_failure": "park",
            "ok": False,
            "failing_rows": 1,
            "detail": "1 row found by its query: id=13",
        },
    ]
    assert "batch 1 was published although orders: no bad luck: 1 row" in shop.run("status").stdout
    (stream,) = shop.json("status")["platforms"][0]["streams"]
    assert [(c["batch"], c["check"]) for c in stream["failing_checks"]] == [(1, "enough"), (1, "no bad luck")]
    shop.sql("DELETE FROM orders WHERE id = 13")
    warned = shop.run("run", "--once")
    assert "WARNING batch stream=crm batch=2 state=merged" in warned.stderr
    assert 'warning="orders: enough: 19 rows, at least 100 wanted"' in warned.stderr
    assert "pass" in shop.run("history", "crm", "--checks", "--limit", "1").stdout
    assert "no bad luck" not in shop.run("status").stdout


def test_apply_refuses_a_query_that_reads_what_it_may_not_and_changes_nothing(shop: Project) -> None:
    shop.model(CHECKED.replace("WHERE name", ", ds_yellow.jobs j WHERE name"))
    refused = shop.run("apply", "--yes", code=1)
    assert "check crm.orders: no bad luck: its query reads ds_yellow.jobs; it may read nothing but {table}" in (
        refused.stderr + refused.stdout
    )
    assert shop.json("status")["platforms"][0]["up_to_date"] is False
