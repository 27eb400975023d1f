"""`plan` and `apply` as a user runs them, from an empty folder to a pruned table."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from command_line import Project, project


@pytest.fixture
def shop() -> Iterator[Project]:
    with project() as made:
        yield made


def test_the_life_of_a_model(shop: Project) -> None:
    first = shop.json("plan", code=1)
    assert {o["target"] for o in first["platforms"][0]["operations"]} >= {"table crm.orders", "schema reports_all"}
    assert shop.json("status")["platforms"][0]["release_active"] is None
    assert shop.run("apply", code=2).stdout == ""
    shop.run("plan", code=1)
    applied = shop.run("apply", "--yes")
    assert "is active" in applied.stdout
    assert "create table crm.orders" in applied.stderr
    assert shop.json("plan")["empty"] is True
    assert "nothing to do" in shop.run("apply", "--yes").stdout
    shop.run("run", "--once")

    shop.model('[store("crm", columns=[*COLUMNS, Column("city", String(30))])]')
    shop.sql("ALTER TABLE orders ADD COLUMN city varchar(30)")
    assert "ADD COLUMN" in shop.run("plan", "--sql", code=1).stdout
    shop.run("apply", "--yes")
    shop.run("run", "--once")
    assert shop.query("SELECT count(*) FROM reports_all.crm_orders WHERE city IS NULL") == [(20,)]

    shop.model(
        '[store("crm", columns=[Column("id", BigInt, key=True), Column("name", Date), Column("city", String(30))])]'
    )
    assert "REFUSED" in shop.run("plan", code=1).stdout
    refused = shop.run("apply", "--yes", code=1)
    assert "DS-501" in refused.stderr
    assert "nothing was changed" in refused.stderr


def test_a_release_file_is_applied_without_the_model(shop: Project) -> None:
    eco = shop.folder / "eco.py"
    eco.write_text(
        eco.read_text() + "import dataclasses\necosystem = dataclasses.replace(ecosystem, "
        "environments=[Environment('dev'), Environment('test', containers={'local': EmbeddedPostgres('other')})])\n"
    )
    digest = shop.json("build", "-e", "dev", "-o", "dev.sqlite")["digest"]
    eco.write_text("raise SystemExit('the code of the model runs')\n")
    assert shop.json("plan", "--release", "dev.sqlite", code=1)["release"] == digest
    wrong = shop.run("apply", "--yes", "--release", "dev.sqlite", "-e", "test", code=2)
    assert "is of environment 'dev', not of environment 'test'" in wrong.stderr
    assert f"release {digest[:12]} is active" in shop.run("apply", "--yes", "--release", "dev.sqlite").stdout
    assert shop.json("plan", "--release", "dev.sqlite", "-e", "dev")["empty"] is True
    _forge(shop.folder / "dev.sqlite")
    assert "was changed" in shop.run("apply", "--yes", "--release", "dev.sqlite", code=2).stderr


def _forge(path: Path) -> None:
    """Change the model in a release file."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE document SET content = replace(content, '40', '50') WHERE kind = 'model'")
        connection.commit()


def test_what_nobody_asks_for_waits_for_prune(shop: Project) -> None:
    shop.model('[store("crm"), store("erp")]')
    shop.run("apply", "--yes")
    shop.run("run", "--once")
    shop.model('[store("crm")]')
    shop.run("apply", "--yes")
    plan = shop.json("plan")
    assert plan["empty"] is True
    assert [o["target"] for o in plan["platforms"][0]["retired"]] == ["table erp.orders (20 rows)"]
    assert len(shop.query("SELECT 1 FROM pg_tables WHERE schemaname = 'ds_yellow' AND tablename = 'erp.orders'")) == 1
    shop.run("apply", "--yes", "--prune")
    assert shop.json("plan")["platforms"][0]["retired"] == []
    assert shop.query("SELECT 1 FROM pg_tables WHERE schemaname = 'ds_yellow' AND tablename = 'erp.orders'") == []


def test_a_model_with_errors_is_neither_planned_nor_applied(shop: Project) -> None:
    shop.model('[store("crm")]', workspaces='[Workspace("w", groups=[DatasetGroup("g", sinks=["crm.nothing"])])]')
    plan = shop.json("plan", code=1)
    assert plan["platforms"] == []
    assert len(plan["findings"]) >= 1
    assert "datasurface check" in shop.run("apply", "--yes", code=1).stderr
    assert shop.json("local", "status")["servers"][0]["state"] == "not made"


def test_somebodys_view_in_the_way_makes_apply_wait(shop: Project) -> None:
    shop.run("run", "--once")
    shop.query("CREATE VIEW public.mine AS SELECT id FROM reports_all.crm_orders")
    shop.model('[store("crm", columns=[COLUMNS[1], COLUMNS[0]])]')
    waits = shop.run("apply", "--yes", code=1)
    assert "public.mine" in waits.stderr
    assert "not active yet" in waits.stdout
    shop.query("DROP VIEW public.mine")
    shop.run("apply", "--yes")
    shop.run("plan")
