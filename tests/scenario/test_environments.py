"""One model in three environments: on an embedded database, and on two databases of one server, sharing nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from urllib.parse import unquote, urlsplit

import psycopg
import pytest

from command_line import Project, project
from datasurface.errors import StoreError
from datasurface.release.archive import archive_of
from datasurface.runtime.apply import apply_plan
from datasurface.runtime.folder import ModelFolder, checked_folder
from datasurface.runtime.plan import make_plan
from datasurface.runtime.progress import NullProgress
from datasurface.runtime.running import run_once
from datasurface.runtime.security import open_access
from datasurface.runtime.stopping import Stopping
from datasurface.security.sync import sync

ENVIRONMENTS = ("dev", "test", "prod")


def _lake(made: Project, name: str, url: str, host: str | None = None) -> str:
    parts = urlsplit(url)
    made.environ[f"DATASURFACE_{name.upper()}_USER"] = unquote(parts.username or "")
    made.environ[f"DATASURFACE_{name.upper()}_PASSWORD"] = unquote(parts.password or "")
    where = f'host="{host or parts.hostname}", port={parts.port}, database="{parts.path[1:]}"'
    return f'PostgresDatabase("lake_{name}", {where}, credential="{name}")'


def declare(made: Project, test: str, prod: str) -> None:
    """Write a model whose environment `dev` is as it is; `prod` has a source of its own too."""
    made.model('[store("crm")]')
    eco = made.folder / "eco.py"
    prod = (
        f'Environment("prod", containers={{"local": {prod}, "shop_db": SqliteDatabase("shop_prod", path="prod.db")}})'
    )
    environments = f'[Environment("dev"), Environment("test", containers={{"local": {test}}}), {prod}]'
    eco.write_text(
        f"import dataclasses\n\n{eco.read_text()}"
        f"ecosystem = dataclasses.replace(ecosystem, environments={environments})\n"
    )


@pytest.fixture
def shop() -> Iterator[Project]:
    with project() as made:
        with closing(sqlite3.connect(made.folder / "prod.db")) as connection:
            connection.execute("CREATE TABLE orders (id bigint PRIMARY KEY, name varchar(40))")
            connection.execute("INSERT INTO orders VALUES (1, 'of prod')")
            connection.commit()
        yield made


def bound(shop: Project, environment: str) -> ModelFolder:
    environ = shop.environ | {"DATASURFACE_SECRETS": str(shop.folder / "secrets")}
    model, report = checked_folder(shop.folder, environment, environ)
    assert report.ok(strict=True), report.to_text()
    return model


def applied(model: ModelFolder, *, synced: bool = False) -> None:
    """Apply, and run each stream once; with `synced` as the login that is made for it."""
    (spec,) = model.platforms
    with model.open_one(spec) as running:
        plan = make_plan(running, spec, model.release.digest)
        tables = archive_of(model.release, spec)
        assert apply_plan(running, spec, plan, model.release.model_json, tables=tables).active
        if synced:
            with open_access(running, spec, model.release.digest) as access:
                assert sync(access).complete
    with Stopping() as stopping:
        (report,) = run_once(model, NullProgress(), stopping)
    assert report.state == "merged", report


def rows(url: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT count(*), max(name) FROM reports_all.crm_orders").fetchall()


def test_each_environment_has_its_own_databases_and_the_same_views(
    shop: Project, two_databases: tuple[str, str]
) -> None:
    test, prod = two_databases
    declare(shop, _lake(shop, "test", test), _lake(shop, "prod", prod))
    models = {name: bound(shop, name) for name in ENVIRONMENTS}
    assert len({model.release.digest for model in models.values()}) == 3
    try:
        for name, model in models.items():
            applied(model, synced=name != "dev")
        assert rows(shop.uri()) == rows(test) == [(20, "n9")]
        assert rows(prod) == [(1, "of prod")]
        assert len(_roles(test, "ds.acme.test.")) == len(_roles(test, "ds.acme.prod.")) > 0
        (status,) = shop.json("status", "-e", "prod")["platforms"]
        assert (status["up_to_date"], [s["state"] for s in status["streams"]]) == (True, ["merged"])
        assert "shop_prod" in shop.run("explain", "crm", "-e", "prod").stdout
        assert "shop_prod" in shop.run("-e", "prod", "graph").stdout
    finally:
        _drop_roles(two_databases, "ds.acme.")


def _roles(url: str, prefix: str) -> list[str]:
    with psycopg.connect(url) as connection:
        query = "SELECT rolname FROM pg_roles WHERE rolname LIKE %s"
        return [str(row[0]) for row in connection.execute(query, [f"{prefix}%"])]


def _drop_roles(urls: Sequence[str], prefix: str) -> None:
    """Roles are the server's, and outlive its databases."""
    for url in urls:
        for role in _roles(url, prefix):
            _execute(url, f'REASSIGN OWNED BY "{role}" TO CURRENT_USER', f'DROP OWNED BY "{role}"')
    for role in _roles(urls[0], prefix):
        _execute(urls[0], f'DROP ROLE "{role}"')


def _execute(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def test_a_database_of_another_environment_is_refused_also_by_another_name(
    shop: Project, two_databases: tuple[str, str]
) -> None:
    test, _ = two_databases
    declare(shop, _lake(shop, "test", test), _lake(shop, "prod", test, host="localhost"))
    applied(bound(shop, "test"))
    with pytest.raises(StoreError, match="environment 'test', not to ecosystem 'acme', environment 'prod'"):
        applied(bound(shop, "prod"))
    assert "it has dev, test, prod" in shop.run("status", "-e", "nowhere", code=2).stderr
