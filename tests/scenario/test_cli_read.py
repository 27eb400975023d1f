"""What can be asked of a project that runs: one document a question, a login that reads its workspace and no more."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import errors

from command_line import Project, project

WORKSPACES = """[
    Workspace("reports", groups=[DatasetGroup("all", sinks=["crm.orders"], history=History.FULL)]),
    Workspace("audit", groups=[DatasetGroup("all", sinks=["crm.orders"])]),
]"""


@pytest.fixture(scope="module")
def shop() -> Iterator[Project]:
    """A project that has run once; its tests change nothing but logins."""
    with project() as made:
        made.model('[store("crm")]', workspaces=WORKSPACES)
        made.run("run", "--once")
        yield made


def test_status_says_what_runs(shop: Project) -> None:
    (platform,) = shop.json("status")["platforms"]
    assert platform["release_active"] == platform["release_wanted"]
    assert platform["up_to_date"] is True
    assert platform["embedded"]["state"] == "running"
    (stream,) = platform["streams"]
    expected = {"stream": "crm", "state": "merged", "batch": 1, "rows": 20, "inserted": 20, "every": "1 hour"}
    assert {key: stream[key] for key in expected} == expected
    assert stream["behind_seconds"] >= 0
    assert stream["next_due"] > stream["started_at"]
    text = shop.run("status").stdout
    assert "crm" in text
    assert "\x1b" not in text


def test_explain_says_who_asks_and_when(shop: Project) -> None:
    (found,) = shop.json("explain", "crm")["explanations"]
    assert any("group all of workspace audit asks for crm.orders" in sentence for sentence in found["exists"])
    assert any("table orders as crm.orders, history full" in sentence for sentence in found["reads"])
    assert any(sentence.startswith("it is not due before") for sentence in found["now"])
    assert found["status"]["state"] == "merged"


def test_doctor_finds_nothing_and_shows_no_secret(shop: Project) -> None:
    found = shop.json("doctor")
    assert found["ok"] is True
    subjects = {check["subject"] for check in found["checks"]}
    assert subjects >= {"model", "Python", "SqliteDatabase 'shop_db': tables", "platform yellow: release"}
    password = shop.uri().split(":")[2].partition("@")[0]
    assert password not in shop.run("doctor").stdout


def test_doctor_names_a_table_that_is_gone(shop: Project) -> None:
    shop.sql("ALTER TABLE orders RENAME TO moved")
    try:
        found = shop.json("doctor", code=1)
    finally:
        shop.sql("ALTER TABLE moved RENAME TO orders")
    (bad,) = [check for check in found["checks"] if check["verdict"] == "fail"]
    assert "orders" in bad["detail"]
    assert bad["remedy"]


def test_a_workspace_reads_its_views_and_nothing_else(shop: Project) -> None:
    uri = shop.run("connect", "reports").stdout.strip()
    with psycopg.connect(uri, autocommit=True) as reader:
        assert reader.execute("SELECT count(*) FROM reports_all.crm_orders").fetchone() == (20,)
        assert reader.execute("SELECT count(*) FROM reports_all.crm_orders_history").fetchone() == (20,)
        for table in ("audit_all.crm_orders", "ds_yellow.batches", 'ds_yellow."crm.orders"'):
            with pytest.raises(errors.InsufficientPrivilege):
                reader.execute(f"SELECT * FROM {table}")
        with pytest.raises(errors.ReadOnlySqlTransaction):
            reader.execute("CREATE TEMP TABLE x (a int)")
        reader.execute("SET default_transaction_read_only = off")
        with pytest.raises(errors.InsufficientPrivilege):
            reader.execute("DELETE FROM reports_all.crm_orders")
        with pytest.raises(errors.InsufficientPrivilege):
            reader.execute("CREATE TABLE public.x (a int)")
    assert shop.run("connect", "reports").stdout.strip() == uri
    assert shop.run("connect", "audit").stdout.strip() != uri
    assert "the workspaces are audit, reports" in shop.run("connect", "nobody", code=2).stderr


def test_a_login_follows_the_workspace(shop: Project) -> None:
    shop.query("CREATE SCHEMA foreign_part; CREATE TABLE foreign_part.t (a int)")
    uri = shop.run("connect", "reports").stdout.strip()
    shop.query('GRANT USAGE ON SCHEMA ds_yellow TO "ds.acme.yellow.r.reports"')
    shop.query('GRANT SELECT ON ds_yellow."crm.orders" TO "ds.acme.yellow.r.reports"')
    with psycopg.connect(uri) as reader:
        assert reader.execute('SELECT count(*) FROM ds_yellow."crm.orders"').fetchone() == (20,)
    shop.run("connect", "reports")
    with psycopg.connect(uri) as reader, pytest.raises(errors.InsufficientPrivilege):
        reader.execute('SELECT * FROM ds_yellow."crm.orders"')
    files = list(shop.folder.glob(".datasurface/local/logins/**/*"))
    assert files
    assert all(file.stat().st_mode & 0o077 == 0 for file in files)


def test_the_bundled_client_reads(shop: Project) -> None:
    question = "\\pset tuples_only on\nSELECT current_user, count(*) FROM reports_all.crm_orders;\n"
    assert "ds.acme.yellow.r.reports.a |    20" in shop.run("connect", "reports", "--psql", typed=question).stdout


def test_local_stops_and_starts_what_the_model_has(shop: Project) -> None:
    (server,) = shop.json("local", "stop")["servers"]
    assert (server["container"], server["state"], server["port"]) == ("local", "stopped", None)
    (server,) = shop.json("local", "start")["servers"]
    assert server["state"] == "running"
    assert shop.json("local", "status")["servers"] == [server]
