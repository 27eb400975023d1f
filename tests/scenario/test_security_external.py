"""A platform on a database of its own, whose administrator is no superuser: applied and run by a login made for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from datasurface import BigInt, Column, Dataset, DatasetGroup, Ecosystem, History, Reader, Snapshot, String, Workspace
from datasurface.errors import SecretError
from datasurface.release.bind import replaced
from datasurface.runtime.apply import plan_and_apply
from datasurface.runtime.job import JobRunner
from datasurface.runtime.platform import RunningPlatform, open_platform
from datasurface.runtime.security import open_access, transformer_login
from datasurface.security.rotate import rotate
from datasurface.security.sync import plan, sync
from security_bench import transformer_job
from workbench import compiled, container, environ, model

ORDERS = Dataset("orders", columns=[Column("id", BigInt, key=True), Column("customer", String(20))])


@dataclass
class Firm:
    """A source, and a merge database that an administrator without superuser keeps."""

    ecosystem: Ecosystem
    folder: Path
    environ: dict[str, str]
    url: str

    @contextmanager
    def open(self) -> Iterator[RunningPlatform]:
        with open_platform(compiled(self.ecosystem).platforms[0], self.folder, self.environ) as running:
            yield running

    def sync(self) -> None:
        release = compiled(self.ecosystem)
        with self.open() as running, open_access(running, release.platforms[0], release.digest) as access:
            synced = sync(access)
            assert synced.complete, synced.waiting
            assert plan(access).drift == ()

    def apply_and_run(self) -> None:
        release = compiled(self.ecosystem)
        with self.open() as running:
            applied = plan_and_apply(running, release.platforms[0], release)
            assert applied.active, applied.waiting
            runner = JobRunner(running, retries=())
            try:
                assert runner.run(*running.job("shop")).ok
            finally:
                runner.close()

    def sql(self, query: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            found = connection.execute(query.encode())
            return found.fetchall() if found.description else []


@pytest.fixture
def firm(two_databases: tuple[str, str], tmp_path: Path) -> Iterator[Firm]:
    source, target = two_databases
    admin = f"admin_{tmp_path.name[-12:]}".lower()
    with psycopg.connect(source, autocommit=True) as connection:
        connection.execute(b"CREATE TABLE orders (id bigint PRIMARY KEY, customer varchar(20))")
        connection.execute(b"INSERT INTO orders VALUES (1, 'ann'), (2, 'bob')")
    shop = container("src", source)
    groups = [DatasetGroup("all", sinks=["shop.orders"], history=History.FULL)]
    made = model(shop, container("dst", target), [ORDERS], capture=Snapshot(shop, every="1 minute"), groups=groups)
    parts = urlsplit(target)
    as_admin = urlunsplit(parts._replace(netloc=f"{admin}:secret@{parts.hostname}:{parts.port}"))
    secrets = environ(src=source, dst=as_admin) | {"DATASURFACE_SECRETS": str(tmp_path / "secrets")}
    firm = Firm(replaced(made, name=f"e{admin.replace('_', '')}"), tmp_path, secrets, target)
    firm.sql(f"CREATE ROLE \"{admin}\" LOGIN CREATEROLE PASSWORD 'secret'")
    firm.sql(f'GRANT CREATE ON DATABASE "{parts.path[1:]}" TO "{admin}"')
    try:
        yield firm
    finally:
        roles = [
            row[0] for row in firm.sql(f"SELECT rolname FROM pg_roles WHERE rolname LIKE 'ds.{firm.ecosystem.name}.%'")
        ]
        for role in (*roles, admin):
            firm.sql(f'REASSIGN OWNED BY "{role}" TO CURRENT_USER')
        for role in (*roles, admin):
            firm.sql(f'DROP OWNED BY "{role}"')
        for role in (*roles, admin):
            firm.sql(f'DROP ROLE "{role}"')


def test_sync_then_apply_and_run_under_the_login_that_was_made(firm: Firm) -> None:
    firm.sync()
    firm.apply_and_run()
    firm.sync()
    owner = f"ds.{firm.ecosystem.name}.yellow.owner"
    owners = firm.sql(
        "SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class WHERE relkind IN ('r', 'v') AND relnamespace IN "
        "('ds_yellow'::regnamespace, 'reports_all'::regnamespace)"
    )
    assert owners == [(owner,)]
    with firm.open() as running:
        login = running.logins.working(running.container, None, running.roles)
        assert login.user == f"ds.{firm.ecosystem.name}.yellow.run.a"


def test_apply_comes_first_too_and_its_objects_are_taken_over(firm: Firm) -> None:
    firm.apply_and_run()
    firm.sync()
    firm.apply_and_run()
    firm.sync()
    assert firm.sql("SELECT count(*) FROM reports_all.shop_orders") == [(2,)]


def test_an_open_platform_goes_on_through_a_rotation(firm: Firm) -> None:
    firm.apply_and_run()
    firm.sync()
    release = compiled(firm.ecosystem)
    with firm.open() as running:
        runner = JobRunner(running, retries=())
        with open_access(running, release.platforms[0], release.digest) as access:
            rotate(access, credentials=["yellow.run"], now=True)
        result = runner.run(*running.job("shop"))
        running.store.engine.dispose()
        again = runner.run(*running.job("shop"))
        runner.close()
        assert again.ok, (result, again)
        assert running.logins.working(running.container, None, running.roles).user.endswith(".b")  # type: ignore[union-attr]


def test_a_model_gives_a_person_access_and_takes_it_away(firm: Firm) -> None:
    plain = firm.ecosystem
    zone = plain.zones[0]
    team = zone.teams[0]
    reading = Workspace("reports", groups=team.workspaces[0].groups, readers=[Reader("carl", login=True)])
    team = replaced(team, workspaces=[reading])
    firm.ecosystem = replaced(plain, zones=[replaced(zone, teams=[team])])
    firm.apply_and_run()
    firm.sync()
    parts = urlsplit(firm.url)
    with firm.open() as running:
        login = running.logins.managed(running.container, "yellow.person.carl")
        assert login is not None
        where = f"host={parts.hostname} port={parts.port} dbname={parts.path[1:]}"
        with psycopg.connect(where, user=login.user, password=login.password) as carl:
            assert carl.execute("SELECT count(*) FROM reports_all.shop_orders").fetchone() == (2,)
    firm.ecosystem = plain
    firm.sync()
    with firm.open() as running:
        assert running.logins.managed(running.container, "yellow.person.carl") is None
        spec = transformer_job("nowhere", "yellow").transformer
        assert spec is not None
        with pytest.raises(SecretError, match="has no login on platform 'yellow' yet") as caught:
            transformer_login(running, spec)
        assert caught.value.hint == "run `datasurface security sync`"
