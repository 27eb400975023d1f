"""What `credentials_of` says of a job is what its batch asks the secret stores for, no more and no less."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import psycopg
import pytest

from datasurface import (
    BigInt,
    Column,
    Credential,
    Dataset,
    DatasetGroup,
    Datastore,
    DataTransformer,
    Ecosystem,
    Snapshot,
    SqlQueries,
    Workspace,
)
from datasurface.release.needs import SystemJob, credentials_of, issued_credentials, system_credentials
from datasurface.runtime.apply import plan_and_apply
from datasurface.runtime.job import JobRunner
from datasurface.runtime.platform import open_platform
from datasurface.runtime.security import open_access
from datasurface.secrets.base import Secret
from datasurface.secrets.keyring import Found, Keyring
from datasurface.security.sync import sync
from workbench import compiled, container, environ, model

ORDERS = Dataset("orders", columns=[Column("id", BigInt, key=True)])
COUNTS = Datastore("counts", datasets=[Dataset("all", columns=[Column("number", BigInt, key=True)])])


def firm(source: str, target: str, name: str) -> Ecosystem:
    shop = container("src", source)
    groups = [DatasetGroup("all", sinks=["shop.orders", "counts.all"])]
    made = model(shop, container("dst", target), [ORDERS], capture=Snapshot(shop, every="1 minute"), groups=groups)
    code = SqlQueries({"all": "SELECT count(*) AS number FROM shop_orders"})
    counting = DataTransformer("count", code=code, output=COUNTS, secrets={"key": "api"})
    workspace = Workspace("counting", groups=[DatasetGroup("orders", sinks=["shop.orders"])], transformer=counting)
    zone = made.zones[0]
    team = dataclasses.replace(zone.teams[0], workspaces=[*zone.teams[0].workspaces, workspace])
    return dataclasses.replace(made, name=name, zones=[dataclasses.replace(zone, teams=[team])])


class Asked:
    """The names that every keyring is asked for while it listens."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.names: set[str] = set()
        self.missed: set[str] = set()
        now, locate = Keyring.now, Keyring.locate

        def listening_now(keyring: Keyring, credential: Credential) -> Secret | None:
            found = now(keyring, credential)
            (self.missed if found is None else self.names).add(credential.name)
            return found

        def listening_locate(keyring: Keyring, credential: Credential) -> Found:
            self.names.add(credential.name)
            return locate(keyring, credential)

        patch.setattr(Keyring, "now", listening_now)
        patch.setattr(Keyring, "locate", listening_locate)

    def take(self) -> set[str]:
        """Return what was found since the last time."""
        found = set(self.names)
        self.names.clear()
        self.missed.clear()
        return found


def test_each_job_asks_for_what_it_needs(
    two_databases: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = two_databases
    with psycopg.connect(source) as connection:
        connection.execute(b"CREATE TABLE orders (id bigint PRIMARY KEY)")
    release = compiled(firm(source, target, f"needs{tmp_path.name[-8:]}".lower().replace("_", "")))
    (platform,) = release.platforms
    secrets = environ(src=source, dst=target, api=source) | {"DATASURFACE_SECRETS": str(tmp_path / "secrets")}
    asked = Asked(monkeypatch)

    def batch(stream: str) -> set[str]:
        asked.take()
        with open_platform(platform, tmp_path, secrets) as running:
            runner = JobRunner(running, retries=())
            try:
                result = runner.run(*running.job(stream))
            finally:
                runner.close()
        assert result.ok, result.error
        return asked.take()

    def needed(stream: str, *, synced: bool = True) -> set[str]:
        job = platform.job(stream)
        assert job is not None
        return {credential.name for credential in credentials_of(platform, job, synced=synced)}

    with open_platform(platform, tmp_path, secrets) as running:
        assert plan_and_apply(running, platform, release).active
    assert asked.take() == {c.name for c in system_credentials(platform, SystemJob.APPLY, synced=False)}
    assert batch("shop") == needed("shop", synced=False) == {"src", "dst"}

    def security() -> set[str]:
        asked.take()
        with (
            open_platform(platform, tmp_path, secrets) as running,
            open_access(running, platform, release.digest) as access,
        ):
            assert sync(access).complete
        return asked.take()

    security()
    try:
        assert batch("shop") == needed("shop") == {"src", "yellow.run"}
        assert batch("counts") == needed("counts") == {"api", "yellow.run", "yellow.transformer.counting"}
        wanted = {*system_credentials(platform, SystemJob.SECURITY), *issued_credentials(platform)}
        assert security() == {credential.name for credential in wanted}
    finally:
        _drop_roles(target, release.ecosystem.name)


def _drop_roles(url: str, ecosystem: str) -> None:
    """Roles are the server's, and outlive the database."""
    with psycopg.connect(url, autocommit=True) as connection:
        query = f"SELECT quote_ident(rolname) FROM pg_roles WHERE rolname LIKE 'ds.{ecosystem}.%'"
        roles = [str(row[0]) for row in connection.execute(query.encode())]
        for statement in ("REASSIGN OWNED BY {} TO CURRENT_USER", "DROP OWNED BY {}", "DROP ROLE {}"):
            for role in roles:
                connection.execute(statement.format(role).encode())
