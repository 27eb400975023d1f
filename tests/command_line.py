"""Model folders for tests of the command line: the real command in processes of its own, as a user runs it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg

from datasurface.runtime import local

MODEL = """
from datasurface import *

SOURCE = SqliteDatabase("shop_db", path="shop.db")
COLUMNS = [Column("id", BigInt, key=True), Column("name", String(40))]
EVERY = "1 hour"
PLATFORM = EmbeddedPostgres()


def store(name, *, source=SOURCE, every=EVERY, columns=COLUMNS, table="orders"):
    dataset = Dataset("orders", columns=columns, source=table)
    return Datastore(name, capture=Snapshot(source, every=every), datasets=[dataset])


def create_ecosystem(stores, *, platform=PLATFORM, workspaces=None):
    groups = [DatasetGroup("all", sinks=[f"{s.name}.orders" for s in stores], history=History.FULL)]
    team = Team("sales", datastores=stores, workspaces=workspaces or [Workspace("reports", groups=groups)])
    return Ecosystem(
        "acme",
        owner=GitHubRepository("acme/model"),
        platforms=[YellowPlatform("yellow", container=platform)],
        zones=[GovernanceZone("usa", teams=[team])],
    )
"""


class Project:
    """A model folder with a SQLite source `shop.db`, and the command in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ = {k: v for k, v in os.environ.items() if not k.startswith(("DATASURFACE_", "PG"))}
        (folder / "parts.py").write_text(MODEL)
        self.model('[store("crm")]')
        self.sql("CREATE TABLE orders (id bigint PRIMARY KEY, name varchar(40))")
        self.rows(20)

    def model(self, stores: str, **more: str) -> None:
        """Write eco.py: the datastores, and other arguments of `create_ecosystem`, as source code."""
        arguments = "".join(f", {name}={value}" for name, value in more.items())
        imports = "from datasurface import *\nimport parts\nfrom parts import *\n\n"
        (self.folder / "eco.py").write_text(f"{imports}ecosystem = parts.create_ecosystem({stores}{arguments})\n")

    def sql(self, statement: str) -> None:
        """Run a statement in the SQLite source."""
        with closing(sqlite3.connect(self.folder / "shop.db")) as connection:
            connection.execute(statement)
            connection.commit()

    def rows(self, number: int) -> None:
        """Give the SQLite source so many rows."""
        self.sql("DELETE FROM orders")
        self.sql(
            f"INSERT INTO orders WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {number}) "
            f"SELECT i, 'n' || i FROM n WHERE i <= {number}"
        )

    def run(
        self, *arguments: str, code: int | None = 0, typed: str = "", **environ: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command without a terminal and expect an exit code; None for any."""
        done = subprocess.run(
            _command(arguments),
            cwd=self.folder,
            env=self.environ | environ,
            text=True,
            capture_output=True,
            input=typed,
            timeout=120,
            check=False,
        )
        assert code in (None, done.returncode), (
            f"{arguments} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        )
        assert not re.search(r"^Traceback", done.stderr, re.MULTILINE)
        return done

    def json(self, *arguments: str, code: int = 0) -> Any:
        """Run a command with --json; its standard output is one document and nothing else."""
        return json.loads(self.run(*arguments, "--json", code=code).stdout)

    @contextmanager
    def running(self, *arguments: str) -> Iterator[Running]:
        """Start a command that goes on; it is killed if it still runs at the end."""
        log = self.folder / f"log-{time.monotonic_ns()}"
        with log.open("w") as file:
            process = subprocess.Popen(
                _command(arguments),
                cwd=self.folder,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
            )
        try:
            yield Running(process, log)
        finally:
            process.kill()
            process.wait()

    def uri(self, database: str = "acme") -> str:
        """Return how the owner reaches a database of the embedded server."""
        parts = urlsplit(self.run("connect").stdout.strip())
        return urlunsplit(parts._replace(path=f"/{database}"))

    def postgres_source(self) -> None:
        """Make a database `shop` beside the platform's; the model knows it as SHOP."""
        self.run("local", "start")
        self.query("CREATE DATABASE shop")
        parts = urlsplit(self.uri())
        self.environ["DATASURFACE_SHOP_USER"] = parts.username or ""
        self.environ["DATASURFACE_SHOP_PASSWORD"] = parts.password or ""
        where = f'host="{parts.hostname}", port={parts.port}, database="shop"'
        shop = f'SHOP = PostgresDatabase("shop_db", {where}, credential="shop")'
        (self.folder / "parts.py").write_text(f"{MODEL}\n\n{shop}\n")

    def query(self, statement: str, database: str = "acme") -> list[tuple[Any, ...]]:
        """Ask the embedded server as its owner."""
        with psycopg.connect(self.uri(database), autocommit=True) as connection:
            found = connection.execute(statement.encode())
            return found.fetchall() if found.description else []


class Running:
    """A process that goes on."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self.log = log

    @property
    def said(self) -> str:
        return self.log.read_text()

    def until(self, pattern: str, seconds: float = 60) -> None:
        """Wait until what it said matches."""
        self.wait_for(lambda: re.search(pattern, self.said) is not None, seconds, pattern)

    def wait_for(self, condition: Callable[[], bool], seconds: float = 60, what: str = "") -> None:
        """Wait until a condition holds; fails at once if the process has ended."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, f"ended with {self.process.returncode} before {what}:\n{self.said}"
            assert time.monotonic() < deadline, f"not in {seconds} s: {what}\n{self.said}"
            time.sleep(0.05)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def code(self, seconds: float = 60) -> int:
        """Wait for its end and return its exit code."""
        return self.process.wait(seconds)


@contextmanager
def project() -> Iterator[Project]:
    """Make a project in a folder that every user can enter; its embedded server is stopped and deleted at the end."""
    folder = Path(tempfile.mkdtemp(prefix="ds-cli-"))
    folder.chmod(0o755)
    made = Project(folder)
    try:
        yield made
    finally:
        for data in folder.glob(".datasurface/*/data"):
            local.stop(data.parent)
        shutil.rmtree(folder, ignore_errors=True)


def _command(arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "datasurface", *arguments]
