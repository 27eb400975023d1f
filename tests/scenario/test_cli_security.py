"""`datasurface security` on an embedded platform, as a user meets it: drift is found, passwords change."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import errors

from command_line import Project, project

WORKSPACES = """[
    Workspace("reports", groups=[DatasetGroup("all", sinks=["crm.orders", "sums.totals"])],
              readers=[Reader("carl", login=True), "anna"]),
    Workspace("adding", groups=[DatasetGroup("all", sinks=["crm.orders"])], transformer=DataTransformer(
        "add", code=SqlQueries({"totals": "SELECT name, count(*) AS number FROM crm_orders GROUP BY name"}),
        output=Datastore("sums", datasets=[Dataset("totals", columns=[
            Column("name", String(40), key=True), Column("number", BigInt)])]))),
]"""


@pytest.fixture(scope="module")
def shop() -> Iterator[Project]:
    """A project that has run once, with a transformer and readers; its tests change nothing but access."""
    with project() as made:
        made.run("local", "start")
        made.model('[store("crm")]', workspaces=WORKSPACES)
        made.run("run", "--once")
        yield made


def test_drift_is_found_and_set_right(shop: Project) -> None:
    found = shop.json("security", "drift", code=1)
    assert [change["target"] for change in found["platforms"][0]["changes"]] == ["reader anna"]
    shop.query("CREATE ROLE anna LOGIN")
    assert shop.json("security", "sync")["complete"] is True
    assert shop.json("security", "drift")["empty"] is True
    shop.query('GRANT SELECT ON ds_yellow."crm.orders" TO anna; ALTER ROLE "ds.acme.yellow.t.adding.a" SUPERUSER')
    text = shop.run("security", "plan", "--sql", code=1).stdout
    assert 'REVOKE SELECT ON "ds_yellow"."crm.orders" FROM "anna" CASCADE' in text
    assert 'ALTER ROLE "ds.acme.yellow.t.adding.a" NOSUPERUSER' in text
    left = shop.json("security", "sync", code=1)["platforms"][0]
    assert [change["target"] for change in left["done"]] == ["role ds.acme.yellow.t.adding.a"]
    assert [change["target"] for change in left["unsafe"]] == ["table ds_yellow.crm.orders"]
    shop.run("security", "sync", "--unsafe")
    assert "are as the model says" in shop.run("security", "drift").stdout


def test_a_person_whose_login_is_made_reads_and_no_more(shop: Project) -> None:
    parts = urlsplit(shop.uri())
    (folder,) = shop.folder.glob(".datasurface/*/logins/yellow.person.carl")
    user, password = ((folder / piece).read_text().strip() for piece in ("user", "password"))
    with psycopg.connect(
        host=parts.hostname, port=parts.port, dbname="acme", user=user, password=password, autocommit=True
    ) as carl:
        assert carl.execute("SELECT sum(number) FROM reports_all.sums_totals").fetchone() == (20,)
        with pytest.raises(errors.InsufficientPrivilege):
            carl.execute("SELECT * FROM adding_all.crm_orders")


def test_rotation_is_told_and_jobs_go_on(shop: Project) -> None:
    (done,) = shop.json("security", "rotate", "yellow.transformer.adding", "--now")["logins"]
    assert done == {
        "credential": "yellow.transformer.adding",
        "login": "ds.acme.yellow.t.adding.b",
        "former": "ds.acme.yellow.t.adding.a",
        "ended_sessions": 0,
        "reason": None,
    }
    shop.rows(21)
    shop.run("run", "--once")
    assert shop.query("SELECT count(*) FROM reports_all.sums_totals") == [(21,)]
    again = shop.json("security", "rotate", "--older-than", "30d")["logins"]
    assert all(one["reason"].endswith("old") for one in again)
    assert "no login 'yellow.nobody'" in shop.run("security", "rotate", "yellow.nobody", code=2).stderr
    assert "is no age" in shop.run("security", "rotate", "--older-than", "soon", code=2).stderr
    assert shop.json("security", "drift")["empty"] is True
