"""A model in a git repository, a source and a merge database on a real server, and the release store between them."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from click.testing import CliRunner, Result

from datasurface.cli.app import app
from datasurface.engine.batch import BatchResult
from datasurface.release.job import PlatformSpec
from datasurface.runtime.folder import ModelFolder, read_folder
from datasurface.runtime.job import JobRunner
from datasurface.runtime.platform import open_platform
from datasurface.runtime.releases.follow import Followed, follow_once
from datasurface.runtime.releases.publish import Outcome, publish
from datasurface.runtime.releases.rollback import Rollback, plan_rollback, roll_back, unpin
from datasurface.runtime.releases.standing import ReleaseStanding, release_standing
from workbench import environ

NAME = 'Column("name", String(40))'
PLACED = 'Column("placed", Date)'
MODEL = """
from datasurface import *

source = PostgresDatabase("source", {source}, credential="source")
merge = PostgresDatabase("merge", {merge}, credential="merge")
columns = [Column("id", BigInt, key=True), {columns}]
store = Datastore("shop", capture=Snapshot(source, every="1 minute"), datasets=[Dataset("orders", columns=columns)])
groups = [DatasetGroup("all", sinks=["shop.orders"], history=History.FULL)]
ecosystem = Ecosystem(
    "{name}",
    owner=GitHubRepository("acme/model"),
    platforms=[YellowPlatform("yellow", container=merge)],
    zones=[GovernanceZone("usa", teams=[
        Team("sales", datastores=[store], workspaces=[Workspace("reports", groups=groups)])])],
    environments=[
        Environment("prod", releases={rule!r}, release_store={store!r}),
        Environment("test", containers={{"merge": PostgresDatabase("merge", host="test", database="test")}}),
    ],
)
"""


class Shop:
    """The model's repository and the system that follows it."""

    def __init__(self, folder: Path, source: str, merge: str, *, rule: str = "v*", store: str = "") -> None:
        self.folder = folder / "model"
        self.folder.mkdir()
        self.away = folder / "away"
        self.away.mkdir()
        self.source, self.merge = source, merge
        self.rule, self.store = rule, store or str(folder / "store")
        self.environ: Mapping[str, str] = environ(source=source, merge=merge)
        self.secrets = folder / "secrets"
        self.secrets.mkdir(mode=0o700)
        self.minutes = 0
        self.write()
        self.git("init", "--quiet", "--initial-branch=main")
        self.sql("CREATE TABLE orders (id bigint PRIMARY KEY, name varchar(40) NOT NULL, placed date)")
        self.sql("INSERT INTO orders SELECT i, 'n' || i, DATE '2026-01-01' + i::int FROM generate_series(1, 50) AS i")
        self.spec = self.model.platforms[0]

    def write(self, *columns: str, name: str = "acme", more: str = "") -> None:
        """Write the model: the columns beside the key, and other lines at the end."""
        text = MODEL.format(
            source=_place(self.source),
            merge=_place(self.merge),
            columns=", ".join(columns or (NAME,)),
            name=name,
            rule=self.rule,
            store=self.store,
        )
        (self.folder / "eco.py").write_text(text + more)

    def commit(self, *tags: str) -> str:
        """Commit the model, a minute after the last commit, with tags; return the commit."""
        self.minutes += 1
        at = (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=self.minutes)).isoformat()
        self.git("add", "eco.py")
        self.git("commit", "--quiet", "--allow-empty", "-m", "a change", at=at)
        for tag in tags:
            self.git("tag", tag)
        return self.git("rev-parse", "HEAD")

    def git(self, *arguments: str, at: str = "") -> str:
        names = {f"GIT_{role}_{what}": "a@b.c" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        dates = {"GIT_AUTHOR_DATE": at, "GIT_COMMITTER_DATE": at} if at else {}
        done = subprocess.run(
            ["git", "-C", str(self.folder), *arguments],
            env={"PATH": self.environ["PATH"], "HOME": str(self.away), **names, **dates},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    @property
    def model(self) -> ModelFolder:
        return read_folder(self.folder, "prod", self.environ)

    def publish(self, ref: str | None = None, *, environment: str = "prod", store: str | None = None) -> Outcome:
        return publish(self.folder, environment, self.environ, ref=ref, store=store or None)

    def release(self, tag: str, *columns: str) -> str:
        """Write, commit, tag and publish a model; return the release's digest."""
        self.write(*columns)
        self.commit(tag)
        published = self.publish().published
        assert published is not None
        return published.digest

    def follow(self, spec: PlatformSpec | None = None) -> Followed:
        """Look once, from a machine that has no model: only what a platform file holds."""
        return follow_once(spec or self.spec, self.away, self.environ, who="follower@test", busy_for=1)

    def command(self, *arguments: str) -> Result:
        """Return what a verb prints."""
        options = ["-m", str(self.folder), "-e", "prod"]
        result = CliRunner().invoke(app, [*options, *arguments], env=self.environ, standalone_mode=False)
        assert result.exception is None, result.exception
        return result

    def run(self, stream: str = "shop") -> BatchResult:
        with open_platform(self.spec, self.away, self.environ) as running:
            runner = JobRunner(running, retries=())
            try:
                return runner.run(*running.job(stream))
            finally:
                runner.close()

    def way_back(self, to: str | None = None) -> Rollback:
        with open_platform(self.spec, self.away, self.environ) as running:
            return plan_rollback(running, to)

    def roll_back(self, to: str | None = None) -> Rollback:
        with open_platform(self.spec, self.away, self.environ) as running:
            way = plan_rollback(running, to)
            assert roll_back(running, way, who="ann@test").active
            return way

    def unpin(self) -> None:
        with open_platform(self.spec, self.away, self.environ) as running:
            unpin(running)

    @property
    def standing(self) -> ReleaseStanding:
        with open_platform(self.spec, self.away, self.environ) as running:
            return release_standing(self.spec, None, running)

    def sql(self, statement: str) -> None:
        with psycopg.connect(self.source, autocommit=True) as connection:
            connection.execute(statement.encode())

    def rows(self, query: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.merge, autocommit=True) as connection:
            found = connection.execute(query.encode())
            return found.fetchall() if found.description else []

    def seen(self) -> list[tuple[object, ...]]:
        """Return what consumers see."""
        return self.rows("SELECT * FROM reports_all.shop_orders ORDER BY id")

    def held(self, columns: str = "id, name") -> list[tuple[object, ...]]:
        """Return what the source holds."""
        with psycopg.connect(self.source) as connection:
            return connection.execute(f"SELECT {columns} FROM orders ORDER BY id".encode()).fetchall()


def _place(url: str) -> str:
    parts = urlsplit(url)
    return f"host={parts.hostname!r}, port={parts.port}, database={parts.path[1:]!r}"
