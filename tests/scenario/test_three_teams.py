"""Three teams over two days: chains and a diamond of transformers, faults in them at every stage, killed processes.

After everything that happens, what consumers see equals what plain Python computes from the source, and while
something fails they see what they saw before.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from command_line import Project, project
from servers import system_server

HERE = Path(__file__).parent / "three_teams"
Rows = list[tuple[Any, ...]]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@dataclass
class Oracle:
    """What consumers have to see, computed from the source day by day."""

    best: dict[int, int] = field(default_factory=dict)
    runs: dict[int, int] = field(default_factory=dict)
    clean: Rows = field(default_factory=list)
    customers: Rows = field(default_factory=list)

    def look(self, customers: Rows, orders: Rows) -> None:
        """Take in the source as it is; a run is counted only if the cleaned orders changed."""
        self.customers = customers
        cities = {c[0]: c[2] for c in customers}
        clean = sorted((i, c, cities[c], int(1000 / (a + 1))) for i, c, a in orders if c in cities)
        if clean == self.clean:
            return
        self.clean = clean
        now: dict[int, int] = {}
        for _, customer, _, share in clean:
            now[customer] = max(share, now.get(customer, share))
        for customer in {*now, *self.best}:
            self.best[customer] = max(v for v in (self.best.get(customer), now.get(customer)) if v is not None)
            self.runs[customer] = self.runs.get(customer, 0) + 1

    def expected(self) -> dict[str, Rows]:
        return {
            "clean_orders": self.clean,
            "peaks_customers": sorted((c, self.best[c], self.runs[c]) for c in self.best),
            "alerts_customers": sorted((c, b) for c, b in self.best.items() if b > 100),
            "report_cities": self._cities(),
        }

    def _cities(self) -> Rows:
        cities: dict[str, Rows] = {}
        for order in self.clean:
            cities.setdefault(order[2], []).append(order)
        return sorted((c, len(o), len({x[1] for x in o}), sum(x[3] for x in o)) for c, o in cities.items())


class Teams:
    """The model folder of the three teams, its source, and what is expected of it."""

    def __init__(self, work: Project, url: str = "") -> None:
        self.work = work
        self.url = url
        self.oracle = Oracle()
        self.random = random.Random(20260310)
        for name in ("eco.py", "platform_of_test.py", "transforms", "queries", "projects"):
            (shutil.copytree if (HERE / name).is_dir() else shutil.copy)(HERE / name, work.folder / name)
        work.environ |= {"DATASURFACE_PARTNER_USER": "p", "DATASURFACE_PARTNER_PASSWORD": "partner-secret"}
        self.sql(
            "CREATE TABLE customers (id bigint PRIMARY KEY, name varchar(40), city varchar(20))",
            "CREATE TABLE orders (id bigint PRIMARY KEY, customer bigint, amount int)",
        )
        for n in range(1, 41):
            self.sql(f"INSERT INTO customers VALUES ({n}, 'name {n}', 'city {n % 5}')")
            self.sql(f"INSERT INTO orders VALUES ({n}, {n % 23}, {n * 7 % 50})")

    def sql(self, *statements: str) -> None:
        with closing(sqlite3.connect(self.work.folder / "crm.db")) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.commit()

    def rows(self, table: str) -> Rows:
        with closing(sqlite3.connect(self.work.folder / "crm.db")) as connection:
            return connection.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall()

    def change(self) -> None:
        """Change a few orders and customers, as an hour of work would."""
        for _ in range(6):
            order, customer = self.random.randrange(1, 60), self.random.randrange(1, 45)
            match self.random.randrange(4):
                case 0:
                    self.sql(f"INSERT OR REPLACE INTO orders VALUES ({order}, {customer}, {self.random.randrange(60)})")
                case 1:
                    self.sql(f"DELETE FROM orders WHERE id = {order}")
                case 2:
                    self.sql(f"UPDATE customers SET city = 'city {order % 7}' WHERE id = {customer}")
                case _:
                    self.sql(f"UPDATE orders SET amount = {self.random.randrange(60)} WHERE customer = {customer}")

    def look(self) -> None:
        self.oracle.look(self.rows("customers"), self.rows("orders"))

    def fault(self, transformer: str = "", stage: str = "", kind: str = "") -> None:
        """Have a transformer fail at a stage; without arguments, none."""
        (self.work.folder / "faults.json").write_text(
            json.dumps({"transformer": transformer, "stage": stage, "kind": kind})
        )

    def seen(self) -> dict[str, Rows]:
        """Return what consumers see, in one look."""
        with psycopg.connect(self.uri) as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            return {
                view: connection.execute(f"SELECT * FROM boards_all.{view} ORDER BY 1".encode()).fetchall()
                for view in (*self.oracle.expected(), "crm_deidentified_customers")
            }

    def run(self, code: int = 0) -> str:
        return self.work.run("run", "--once", code=code).stderr

    def assert_right(self) -> None:
        """Assert that consumers see what plain Python computes."""
        seen, expected = self.seen(), self.oracle.expected()
        for view, rows in expected.items():
            assert seen[view] == rows, view
        masked, customers = seen["crm_deidentified_customers"], self.oracle.customers
        assert [(row[0], row[2]) for row in masked] == [(row[0], row[2]) for row in customers]
        names = {row[1] for row in customers}
        assert len({row[1] for row in masked}) == len(names)
        assert not {row[1] for row in masked} & names

    def owner(self, query: str) -> Rows:
        """Ask the platform's database as its owner."""
        with psycopg.connect(self.uri) as connection:
            return connection.execute(query.encode()).fetchall()

    @property
    def uri(self) -> str:
        return self.url or self.work.uri()


@contextmanager
def on_embedded() -> Iterator[Teams]:
    with project() as work:
        yield Teams(work)


@contextmanager
def on_postgresql_15() -> Iterator[Teams]:
    """The platform on a server of its own, where `security sync` makes the logins and a folder keeps their secrets."""
    with system_server() as server, server.database() as url, project() as work:
        teams = Teams(work, url)
        parts = urlsplit(url)
        where = f"host={parts.hostname!r}, port={parts.port}, database={parts.path[1:]!r}"
        (work.folder / "platform_of_test.py").write_text(
            "from datasurface import *\n\n"
            f'PLATFORM = PostgresDatabase("warehouse", {where}, credential="warehouse", tls=Tls.DISABLE)\n'
        )
        secrets = work.folder / "secrets"
        secrets.mkdir(mode=0o700)
        work.environ |= {
            "DATASURFACE_SECRETS": str(secrets),
            "DATASURFACE_WAREHOUSE_USER": parts.username or "",
            "DATASURFACE_WAREHOUSE_PASSWORD": parts.password or "",
        }
        work.run("apply", "--yes")
        work.run("security", "sync")
        work.run("security", "drift")
        yield teams


@pytest.fixture(params=["embedded", "postgresql 15"])
def teams(request: pytest.FixtureRequest, pytestconfig: pytest.Config) -> Iterator[Teams]:
    """The teams' model folder; the environment of the dbt project is made once and lasts longer than the test."""
    with {"embedded": on_embedded, "postgresql 15": on_postgresql_15}[request.param]() as found:
        cache = found.work.folder / ".datasurface" / "cache"
        cache.mkdir(parents=True, exist_ok=True)
        assert pytestconfig.cache is not None
        (cache / "environments").symlink_to(pytestconfig.cache.mkdir("environments"))
        yield found


def test_two_days_of_changes(teams: Teams):
    for _ in range(2):
        for _ in range(3):
            teams.look()
            teams.run()
            teams.assert_right()
            teams.change()
    before = teams.owner("SELECT max(batch_id) FROM ds_yellow.batches WHERE stream = 'peaks'")
    teams.look()
    teams.run()
    teams.run()
    teams.assert_right()
    after = teams.owner("SELECT max(batch_id) FROM ds_yellow.batches WHERE stream = 'peaks'")
    assert int(after[0][0]) - int(before[0][0]) == 1, "it runs once for a combination of input batches"


FAULTS = [
    ("best", "start", "raise", "RuntimeError: injected at start"),
    ("best", "read", "memory", "memory"),
    ("best", "half", "exit", "without a result"),
    ("best", "written", "kill", "was ended by signal 9"),
    ("warn", "start", "exit", "without a result"),
    ("warn", "read", "kill", "was ended by signal 9"),
    ("warn", "half", "raise", "RuntimeError: injected at half"),
    ("warn", "written", "raise", "RuntimeError: injected at written"),
]


def test_faults_at_every_stage_leave_what_was_there(teams: Teams):
    teams.look()
    teams.run()
    for transformer, stage, kind, reason in FAULTS:
        before = teams.seen()
        teams.sql(f"UPDATE orders SET amount = amount + {teams.random.randrange(1, 5)} WHERE id % 3 = 0")
        teams.fault(transformer, stage, kind)
        said = teams.run(code=1)
        assert reason.lower() in said.lower(), (transformer, stage, kind)
        after = teams.seen()
        view = {"best": "peaks_customers", "warn": "alerts_customers"}[transformer]
        assert after[view] == before[view], "a failed run leaves yesterday's rows"
        teams.fault()
        teams.look()
        teams.run()
        teams.assert_right()


def test_bad_data_fails_a_query_and_good_data_mends_it(teams: Teams):
    teams.look()
    teams.run()
    before = teams.seen()
    teams.sql("UPDATE orders SET amount = -1 WHERE id = 2")
    assert "division by zero" in teams.run(code=1)
    assert teams.seen() == before
    teams.sql("UPDATE orders SET amount = -3 WHERE id = 2")
    teams.look()
    assert "no_share_is_negative" in teams.run(code=1)
    assert teams.seen()["report_cities"] == before["report_cities"]
    teams.sql("UPDATE orders SET amount = 9 WHERE id = 2")
    teams.look()
    teams.run()
    teams.assert_right()


def test_killed_at_random_moments_the_next_run_makes_it_right(teams: Teams):
    teams.look()
    teams.run()
    killed = 0
    for _ in range(40):
        teams.change()
        teams.look()
        with teams.work.running("run", "--once") as going:
            time.sleep(teams.random.uniform(0.3, 4.0))
            if going.process.poll() is None:
                os.kill(going.process.pid, signal.SIGKILL)
                killed += 1
        going.process.wait()
        deadline = time.monotonic() + 60
        while "busy" in (said := teams.work.run("run", "--once", code=None).stderr) and time.monotonic() < deadline:
            time.sleep(0.2)
        assert "failed" not in said, said
        teams.assert_right()
        if killed == 8:
            break
    assert killed >= 4
