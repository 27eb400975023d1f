"""The pages about releases, upgrades and disasters: their steps, as a reader would take them."""

from __future__ import annotations

import dataclasses
import re
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from datasurface.errors import StoreError
from datasurface.release.published import read_published
from pages import ROOT, Block, blocks, commands, model_folder, shell
from releasing import NAME, PLACED, Shop

HOW_TO = ROOT / "docs" / "how-to"
ENVIRONMENTS = "environments=[Environment("


@pytest.fixture
def shop(two_databases: tuple[str, str], tmp_path: Path) -> Shop:
    return Shop(tmp_path, *two_databases)


def section(page: str, title: str) -> Block:
    """Return the commands of a section."""
    text = (HOW_TO / page).read_text(encoding="utf-8")
    line = text[: text.index(f"\n## {title}\n")].count("\n") + 1
    return next(b for b in blocks(HOW_TO / page) if b.kind == "console" and b.line > line)


def take(shop: Shop, steps: Block) -> None:
    """Take the steps of a section in the model folder."""
    for command in commands(steps):
        variables = {name: value for name, value in shop.environ.items() if name.startswith("DATASURFACE_")}
        done = shell(command.text, shop.folder, **variables)
        assert done.returncode == 0, f"{command.text}: {done.stdout}\n{done.stderr}"


def test_releases_as_the_page_has_them(tmp_path: Path):
    page = HOW_TO / "releases.md"
    (declared,) = [b.text.strip() for b in blocks(page) if ENVIRONMENTS in b.text]
    with model_folder() as folder:
        assert shell("datasurface init", folder).returncode == 0
        eco = (folder / "eco.py").read_text()
        declared = declared.replace("/srv/releases", str(tmp_path / "store"))
        (folder / "eco.py").write_text(re.sub(r"(\n    zones=)", rf"\n    {declared}\1", eco, count=1))
        for step in ("init -q", "add .", "-c user.name=a -c user.email=a@b.c commit -qm first"):
            subprocess.run(["git", *step.split()], cwd=folder, check=True)
        for block in [b for b in blocks(page) if b.kind == "console"]:
            if "rollback" in block.text:
                _second(folder)
            for command in commands(block):
                done = shell(command.text, folder)
                assert done.returncode == 0, f"{command.text}: {done.stdout}\n{done.stderr}"
                for line in command.output:
                    assert line.strip() in done.stdout, f"{command.text}: {done.stdout}"


def _second(folder: Path) -> None:
    """Publish and follow another release."""
    eco = (folder / "eco.py").read_text()
    (folder / "eco.py").write_text(eco.replace('Environment("prod"', 'Environment("other"), Environment("prod"'))
    subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-qam", "two"], cwd=folder, check=True
    )
    subprocess.run(["git", "tag", "v1.1"], cwd=folder, check=True)
    for command in ("release publish -e prod", "release follow --once -e prod"):
        assert shell(f"datasurface {command}", folder).returncode == 0


def test_the_merge_database_is_lost_without_a_backup(shop: Shop):
    shop.release("v1")
    shop.follow()
    shop.run()
    shop.sql("UPDATE orders SET name = 'changed' WHERE id = 1")
    shop.run()
    shop.environ = {**shop.environ, "DATASURFACE_SECRETS": str(shop.secrets)}
    take(shop, Block("console", "$ datasurface security sync -e prod\n", 1))
    _lose(shop.merge)
    take(shop, section("disaster-recovery.md", "The merge database is lost, and there is no backup"))
    assert shop.seen() == shop.held()
    history = "SELECT DISTINCT ds_batch_in, ds_batch_out FROM reports_all.shop_orders_history"
    assert shop.rows(history) == [(1, None)]


def test_the_merge_database_is_restored_from_a_backup(shop: Shop):
    shop.release("v1")
    shop.follow()
    shop.run()
    backup = _copy(shop.merge)
    wanted = shop.release("v2", NAME, PLACED)
    shop.follow()
    shop.sql("UPDATE orders SET name = 'changed' WHERE id = 1")
    shop.sql("DELETE FROM orders WHERE id = 2")
    shop.run()
    _lose(shop.merge, backup)
    take(shop, section("disaster-recovery.md", "The merge database is lost, and there is a backup"))
    assert shop.standing.known.active == wanted
    assert shop.seen() == shop.held("id, name, placed")
    ends = "SELECT id, ds_batch_in, ds_batch_out FROM reports_all.shop_orders_history WHERE id < 3 ORDER BY 1, 2"
    assert shop.rows(ends) == [(1, 1, 2), (1, 2, None), (2, 1, 2)]


def test_the_cluster_is_lost(shop: Shop):
    shop.release("v1")
    shop.follow()
    shop.run()
    shop.sql("UPDATE orders SET name = 'changed' WHERE id = 1")
    shop.rows("UPDATE ds_yellow.ledger SET started_at = started_at - interval '1 hour'")
    shop.rows(
        "UPDATE ds_yellow.streams SET owner = 'lost:1/1/x', heartbeat = now() - interval '31 s' WHERE stream = 'shop'"
    )
    take(shop, section("disaster-recovery.md", "The cluster or Airflow is lost"))
    assert shop.seen() == shop.held()
    assert shop.rows("SELECT max(batch_id) FROM ds_yellow.batches") == [(2,)]


def test_an_upgrade_in_any_order(shop: Shop):
    first = shop.release("v1")
    shop.follow()
    shop.rows("DROP TABLE ds_yellow.following, ds_yellow.activations; UPDATE ds_yellow.platform SET schema_version = 2")
    assert shop.follow().state == "current"
    shop.run()
    shop.rows("UPDATE ds_yellow.platform SET schema_version = 99")
    with pytest.raises(StoreError, match="has version 99, this package knows") as caught:
        shop.follow()
    assert caught.value.hint == "install the newer datasurface"
    shop.rows("UPDATE ds_yellow.platform SET schema_version = 3")
    shop.release("v2", NAME, PLACED)
    path = next(Path(shop.store).rglob("v2.json"))
    path.write_text(_of_format(path.read_text(), 99))
    found = shop.follow()
    assert (found.state, found.active) == ("pending", first)
    assert "deploy the newer one first" in found.reason
    path.write_text(_of_format(path.read_text(), 1))
    assert "publish a new tag or commit with the newer one" in shop.follow().reason
    assert shop.follow().active == first
    last = shop.release("v3", PLACED)
    assert shop.follow().active == last


def _of_format(text: str, number: int) -> str:
    """Return a description of a release with another format, as that package would have written it."""
    return dataclasses.replace(read_published(text, "here"), format=number).to_text()


def _copy(url: str) -> str:
    """Back a database up, and return the name of the copy."""
    name = urlsplit(url).path[1:]
    with _beside(url) as connection:
        connection.execute(f'CREATE DATABASE "{name}_backup" TEMPLATE "{name}"'.encode())
    return f"{name}_backup"


def _lose(url: str, backup: str | None = None) -> None:
    """Lose a database, and have an empty one or its backup in its place."""
    name = urlsplit(url).path[1:]
    with _beside(url) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())
        if backup is None:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        else:
            connection.execute(f'ALTER DATABASE "{backup}" RENAME TO "{name}"'.encode())


def _beside(url: str) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(urlsplit(url)._replace(path="/postgres").geturl(), autocommit=True)
