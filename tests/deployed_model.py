"""A small model bound to real databases and deployed by the real command, its logins' passwords being canaries.

Two sources of one database feed a transformer; `prod` binds them. The oracle is ten lines of plain SQL over the source.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from canaries import Canaries
from servers import Server

MODEL = """
from datasurface import *

SHOP = PostgresDatabase("shop_db", host={host!r}, port={port}, database={source!r}, connections=2)
MERGE = PostgresDatabase("merge", host={host!r}, port={port}, database={target!r}, credential="merge_admin")
ORDERS = [Column("id", BigInt, key=True), Column("customer", BigInt), Column("amount", Decimal(10, 2))]
CUSTOMERS = [Column("id", BigInt, key=True), Column("name", String(40))]
TOTALS = [Column("name", String(40), key=True), Column("total", Decimal(20, 2))]
QUERY = "SELECT c.name, sum(o.amount) AS total FROM sales_orders o JOIN crm_customers c ON c.id = o.customer GROUP BY 1"


def store(name, dataset, columns):
    capture = Snapshot(SHOP, credential="shop_reader", every="1 day")
    return Datastore(name, capture=capture, datasets=[Dataset(dataset, columns=columns)])


def create_ecosystem():
    totals = Datastore("totals", datasets=[Dataset("by_customer", columns=TOTALS)])
    code = DataTransformer("sum_up", code=SqlQueries({{"by_customer": QUERY}}), output=totals)
    both = ["sales.orders", "crm.customers"]
    team = Team(
        "sales",
        datastores=[store("sales", "orders", ORDERS), store("crm", "customers", CUSTOMERS)],
        workspaces=[
            Workspace("summing", groups=[DatasetGroup("in", sinks=both)], transformer=code),
            Workspace("reports", groups=[
                DatasetGroup("live", sinks=[*both, "totals.by_customer"]),
                DatasetGroup("audit", sinks=["sales.orders"], history=History.FULL),
            ]),
        ],
    )
    yellow = YellowPlatform("yellow", container=MERGE)
    return Ecosystem(
        "acme",
        owner=GitHubRepository("acme/model"),
        platforms=[yellow],
        zones=[GovernanceZone("usa", teams=[team])],
        environments=[Environment("prod", platforms=[yellow], secrets={secrets}, deployments={deployments})],
    )
"""

LOGINS = {"shop_reader": "reads the source", "merge_admin": "owns the merge database"}


class Deployed:
    """The model folder, its two databases, and the command in it."""

    def __init__(self, folder: Path, source: str, target: str, canaries: Canaries, logins: Mapping[str, str]) -> None:
        self.folder = folder
        self.source = source
        self.target = target
        self.canaries = canaries
        self.logins = dict(logins)
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("DATASURFACE_", "PG", "AWS_"))
        }
        self.environ = kept | {"DATASURFACE_HOME": str(folder / "home")}

    @property
    def secrets(self) -> dict[str, str]:
        """The variables of the store `environment`."""
        found = {}
        for name, login in self.logins.items():
            variable = re.sub(r"\W", "_", name).upper()
            found[f"DATASURFACE_{variable}_USER"] = login
            found[f"DATASURFACE_{variable}_PASSWORD"] = self.canaries[name]
        return found

    def connections(self) -> dict[str, dict[str, Any]]:
        """Return the logins as Airflow's connections."""
        return {
            "datasurface_" + re.sub(r"\W", "_", name): {
                "conn_type": "generic",
                "login": login,
                "password": self.canaries[name],
            }
            for name, login in self.logins.items()
        }

    def write(self, *, secrets: str, deployments: str) -> None:
        """Write the model; both arguments are source code."""
        at = urlsplit(self.source)
        text = MODEL.format(
            host=at.hostname,
            port=at.port,
            source=at.path[1:],
            target=urlsplit(self.target).path[1:],
            secrets=secrets,
            deployments=deployments,
        )
        (self.folder / "eco.py").write_text(text)

    def issue(self) -> None:
        """Have `security sync` make roles and logins; their secrets become canaries that only the caller hands out."""
        kept = self.folder / "issued"
        kept.mkdir(mode=0o700)
        self.run("security", "sync", environ={**self.secrets, "DATASURFACE_SECRETS": str(kept)})
        for user in sorted(kept.rglob("user")):
            name = user.parent.name
            self.logins[name] = user.read_text().strip()
            self.canaries.add(name, (user.parent / "password").read_text().strip())
        assert "yellow.transformer.summing" in self.logins
        shutil.rmtree(kept)

    def run(self, *arguments: str, code: int = 0, environ: Mapping[str, str] | None = None) -> str:
        """Run `datasurface ... -e prod` and return its standard output."""
        done = subprocess.run(
            [sys.executable, "-m", "datasurface", *arguments, "-e", "prod"],
            cwd=self.folder,
            env=self.environ | dict(environ or {}),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == code, f"{arguments} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def sell(self, *statements: str) -> None:
        """Change the source."""
        with psycopg.connect(self.source, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def seen(self) -> dict[str, list[tuple[Any, ...]]]:
        """Return what the consumers' views show."""
        views = ("sales_orders", "crm_customers", "totals_by_customer")
        with psycopg.connect(self.target) as connection:
            return {
                view: connection.execute(
                    sql.SQL("SELECT * FROM reports_live.{} ORDER BY 1").format(sql.Identifier(view))
                ).fetchall()
                for view in views
            }

    def oracle(self) -> dict[str, list[tuple[Any, ...]]]:
        """Return what they should show, computed from the source."""
        joined = (
            "SELECT c.name, sum(o.amount) FROM orders o JOIN customers c ON c.id = o.customer GROUP BY 1 ORDER BY 1"
        )
        with psycopg.connect(self.source) as connection:
            return {
                "sales_orders": connection.execute("SELECT * FROM orders ORDER BY 1").fetchall(),
                "crm_customers": connection.execute("SELECT * FROM customers ORDER BY 1").fetchall(),
                "totals_by_customer": connection.execute(joined.encode()).fetchall(),
            }

    def versions(self, order: int) -> list[tuple[Any, ...]]:
        """Return the amounts that an order has had, oldest first."""
        asked = "SELECT amount FROM reports_audit.sales_orders_history WHERE id = %s ORDER BY ds_batch_in"
        with psycopg.connect(self.target) as connection:
            return connection.execute(asked, (order,)).fetchall()


@contextmanager
def deployed(server: Server, folder: Path) -> Iterator[Deployed]:
    """Make the databases with two logins of their own, and a folder for the model."""
    canaries = Canaries(*LOGINS)
    logins = {name: f"{name}_{canaries[name][-6:]}" for name in LOGINS}
    with ExitStack() as stack:
        source, target = (stack.enter_context(server.database()) for _ in range(2))
        made = Deployed(folder, source, target, canaries, logins)
        with psycopg.connect(server.url, autocommit=True) as admin:
            _make_logins(admin, made)
        made.sell(
            "CREATE TABLE customers (id bigint PRIMARY KEY, name varchar(40))",
            "CREATE TABLE orders (id bigint PRIMARY KEY, customer bigint, amount numeric(10, 2))",
            "INSERT INTO customers VALUES (1, 'Ada'), (2, 'Grace')",
            "INSERT INTO orders SELECT i, 1 + i % 2, i FROM generate_series(1, 50) i",
            f'GRANT SELECT ON ALL TABLES IN SCHEMA public TO "{logins["shop_reader"]}"',
        )
        try:
            yield made
        finally:
            with psycopg.connect(server.url, autocommit=True) as admin:
                _drop_logins(admin, made)


def _make_logins(admin: psycopg.Connection[Any], made: Deployed) -> None:
    for name, login in made.logins.items():
        role = sql.SQL("CREATE ROLE {} LOGIN CREATEROLE PASSWORD {}")
        admin.execute(role.format(sql.Identifier(login), made.canaries[name]))
    owner = sql.SQL("ALTER DATABASE {} OWNER TO {}")
    admin.execute(owner.format(_database(made.target), sql.Identifier(made.logins["merge_admin"])))


def _drop_logins(admin: psycopg.Connection[Any], made: Deployed) -> None:
    """Drop the databases, the roles that the merge database's owner has made, and then both logins."""
    for url in (made.source, made.target):
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(_database(url)))
    of_owner = (
        "SELECT rolname FROM pg_roles r JOIN pg_auth_members m ON m.roleid = r.oid "
        "WHERE m.member = (SELECT oid FROM pg_roles WHERE rolname = %s) AND m.admin_option"
    )
    found = {name for (name,) in admin.execute(of_owner, (made.logins["merge_admin"],))}
    for role in sorted({*found, made.logins["shop_reader"], made.logins["merge_admin"]}):
        admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


def _database(url: str) -> sql.Identifier:
    return sql.Identifier(urlsplit(url).path[1:])


def verdicts(log: str) -> list[dict[str, Any]]:
    """Return the documents that jobs printed into a task's log, oldest first, whichever Airflow wrote it."""
    found = []
    for line in log.splitlines():
        text = json.loads(line).get("event", "") if line.startswith("{") else line
        if (start := text.find('{"environment"')) >= 0:
            found.append(json.JSONDecoder().raw_decode(text[start:])[0])  # more may follow
    return found
