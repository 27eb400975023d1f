"""A platform's database for tests of access: a spec made by hand, what `apply` makes of it, a folder of secrets."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

import psycopg
from sqlalchemy import create_engine

from datasurface import BigInt, PostgresDatabase, SqlQueries, String
from datasurface.databases.base import Login
from datasurface.databases.postgres.roles import PostgresSecurity
from datasurface.databases.security import SecurityStore
from datasurface.model.vocabulary import History, Tls
from datasurface.names import RoleNames, group_schema, output_schema, platform_schema, view_name
from datasurface.release.job import (
    JobColumn,
    JobDataset,
    JobSpec,
    OutputCapture,
    PlatformSpec,
    ReaderSpec,
    TransformerSpec,
    ViewSpec,
)
from datasurface.secrets.files import FileStore
from datasurface.secrets.keyring import Keyring
from datasurface.security.access import Access
from datasurface.security.sync import SecurityPlan, Synced, plan, sync
from datasurface.security.vault import Vault
from datasurface.security.wanted import Wanted
from datasurface.store.schema_version import PlatformIdentity, create_statements, enroll

LIMIT = 63
_NUMBERS = itertools.count()
COLUMNS = ("id", "name", "salary")


def login_of(url: str, user: str | None = None, password: str | None = None) -> Login:
    parts = urlsplit(url)
    container = PostgresDatabase(
        "db", host=parts.hostname or "", port=parts.port or 5432, database=parts.path[1:], tls=Tls.DISABLE
    )
    return Login(
        container=container,
        user=user or unquote(parts.username or ""),
        password=password or unquote(parts.password or ""),
    )


def transformer_job(workspace: str, platform: str, outputs: Sequence[str] = ("out",)) -> JobSpec:
    columns = [JobColumn(name, BigInt() if name == "id" else String(), source=name) for name in COLUMNS]
    return JobSpec(
        f"{workspace}_made",
        platform=platform,
        datastore=f"{workspace}_made",
        datasets=[JobDataset(name, source_table=name, columns=columns) for name in outputs],
        capture=OutputCapture(PostgresDatabase("db", host="h", database="d")),
        transformer=TransformerSpec("code", workspace=workspace, code=SqlQueries({"out": "select 1"})),
    )


def spec_of(
    *,
    workspaces: Sequence[str] = ("reports",),
    transformers: Sequence[str] = (),
    readers: Sequence[ReaderSpec] = (),
    groups: Sequence[str] = ("all",),
    ecosystem: str | None = None,
    history: History = History.FULL,
) -> PlatformSpec:
    """Return a platform whose every workspace sees `crm.people`; roles are a server's, so each ecosystem is another."""
    return PlatformSpec(
        "yellow",
        ecosystem=ecosystem or f"e{next(_NUMBERS)}{secrets.token_hex(3)}",
        container=PostgresDatabase("db", host="h", database="d"),
        jobs=[transformer_job(name, "yellow") for name in transformers],
        views=[
            ViewSpec(
                workspace=workspace,
                group=group,
                stream="crm",
                datastore="crm",
                dataset="people",
                columns=COLUMNS,
                history=history,
            )
            for workspace in workspaces
            for group in groups
        ],
        readers=readers,
    )


@dataclass
class SecurityBench:
    """Access to one database, through one administrator's login."""

    url: str
    spec: PlatformSpec
    folder: Path
    admin: Login
    own: bool = True
    now: datetime | None = None
    workspaces: frozenset[str] = frozenset()
    made: list[str] = field(default_factory=list)

    @property
    def names(self) -> RoleNames:
        return RoleNames(self.spec.ecosystem, self.spec.environment, self.spec.name, LIMIT)

    @property
    def schema(self) -> str:
        return platform_schema(self.spec.name, LIMIT)

    @property
    def vault(self) -> Vault:
        return Vault(Keyring([("files", lambda: FileStore.at(self.folder))]))

    @contextmanager
    def access(self, store: SecurityStore | None = None) -> Iterator[Access]:
        opened = store or PostgresSecurity(self.admin)
        try:
            yield Access(
                store=opened,
                vault=self.vault,
                wanted=Wanted(
                    names=self.names,
                    spec=self.spec,
                    limit=LIMIT,
                    now=datetime.now(UTC),
                    workspaces=self.workspaces,
                    whole_database=self.own,
                ),
                digest="d" * 64,
                who="tester",
                clock=lambda: self.now or datetime.now(UTC),
            )
        finally:
            opened.close()

    def sync(self, *, unsafe: bool = False) -> Synced:
        with self.access() as access:
            return sync(access, unsafe=unsafe)

    def plan(self) -> SecurityPlan:
        with self.access() as access:
            return plan(access)

    def drift(self) -> list[str]:
        return [change.sentence() for change in self.plan().drift]

    def sql(self, *statements: str) -> list[tuple[object, ...]]:
        """Run statements as the server's superuser; return the last one's rows."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.cursor()
            for statement in statements:
                cursor.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def as_login(self, credential: str) -> psycopg.Connection[tuple[object, ...]]:
        secret = self.vault.current(self.names.credential(*credential.split(".")))
        assert secret is not None, credential
        return self.connect(secret.user or "", secret.password or "")

    def connect(self, user: str, password: str) -> psycopg.Connection[tuple[object, ...]]:
        parts = urlsplit(self.url)
        return psycopg.connect(
            host=parts.hostname, port=parts.port, dbname=parts.path[1:], user=user, password=password, autocommit=True
        )

    def build(self, *, as_url: str | None = None) -> None:
        """Make what `apply` and runs make: the platform's tables, base tables, views and output tables."""
        schema = self.schema
        engine = create_engine(
            as_url.replace("postgresql://", "postgresql+psycopg://") if as_url else self._sqlalchemy()
        )
        try:
            with engine.begin() as connection:
                connection.exec_driver_sql(f'CREATE SCHEMA IF NOT EXISTS "{schema}"')
                for statement in create_statements(connection, schema):
                    connection.exec_driver_sql(statement)
                identity = PlatformIdentity(ecosystem=self.spec.ecosystem, environment=None, name=self.spec.name)
                enroll(connection, schema, identity, datetime.now(UTC))
                for statement in self._objects():
                    connection.exec_driver_sql(statement)
        finally:
            engine.dispose()

    def _sqlalchemy(self) -> str:
        return self.url.replace("postgresql://", "postgresql+psycopg://")

    def _objects(self) -> Iterator[str]:
        table = f'"{self.schema}"."crm.people"'
        yield f"CREATE TABLE IF NOT EXISTS {table} (id bigint, name text, salary text)"
        yield f"INSERT INTO {table} VALUES (1, 'Ann', 'high'), (2, 'Bob', 'low')"
        for view in self.spec.views:
            schema = group_schema(view.workspace, view.group, LIMIT)
            yield f'CREATE SCHEMA IF NOT EXISTS "{schema}"'
            for history in (False, True):
                name = view_name(view.datastore, view.dataset, LIMIT, history=history)
                where = "WHERE id < 2" if history else ""
                barrier = "WITH (security_barrier = true)" if history else ""
                head = f'CREATE OR REPLACE VIEW "{schema}"."{name}" {barrier} AS'
                yield f"{head} SELECT id, name, salary FROM {table} {where}"
        for job in self.spec.jobs:
            if job.transformer is not None:
                schema = output_schema(self.spec.name, job.transformer.workspace, LIMIT)
                yield f'CREATE SCHEMA IF NOT EXISTS "{schema}"'
                for dataset in job.datasets:
                    yield f'CREATE UNLOGGED TABLE IF NOT EXISTS "{schema}"."{dataset.name}" (id bigint, name text)'


@contextmanager
def security_bench(url: str, folder: Path, spec: PlatformSpec, **options: object) -> Iterator[SecurityBench]:
    """Yield a database with everything that `apply` makes; afterwards roles of the tests are dropped."""
    folder.mkdir(mode=0o700, exist_ok=True)
    bench = SecurityBench(url, spec, folder, login_of(url), **options)  # type: ignore[arg-type]
    try:
        yield bench
    finally:
        drop_roles(bench)


def drop_roles(bench: SecurityBench) -> None:
    """Drop what the tests made: roles are the server's, and outlive the database."""
    with psycopg.connect(bench.url, autocommit=True) as connection:
        found = connection.execute(
            "SELECT rolname FROM pg_roles WHERE rolname LIKE %s OR rolname = ANY (%s)",
            [f"ds.{bench.spec.ecosystem}.%", bench.made],
        ).fetchall()
        names = [str(name) for (name,) in found]
        for statement in ("REASSIGN OWNED BY {} TO CURRENT_USER", "DROP OWNED BY {}"):
            for name in names:
                connection.execute(statement.replace("{}", f'"{name}"').encode())
        for name in names:
            connection.execute(f'DROP ROLE "{name}"'.encode())
