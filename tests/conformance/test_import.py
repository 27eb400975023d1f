from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from datasurface import (
    BigInt,
    Column,
    Dataset,
    Datastore,
    Decimal,
    Integer,
    PostgresDatabase,
    Snapshot,
    SqliteDatabase,
    String,
    Timestamp,
)
from servers import Server

SOURCE = """
DROP SCHEMA IF EXISTS "My Sales" CASCADE;
CREATE SCHEMA "My Sales";
SET search_path TO "My Sales";
CREATE TABLE "Order Details" (
    "order" bigint, "order id" int, "Unit Price" numeric(10,2) NOT NULL, note varchar(80), placed timestamptz(3),
    paid money, PRIMARY KEY ("order", "order id"));
CREATE TABLE log (line text);
CREATE TABLE shapes (p point);
CREATE VIEW big_orders AS SELECT "order", note FROM "Order Details";
"""


def run(*arguments: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "DATASURFACE_"))}
    return subprocess.run(
        [sys.executable, "-m", "datasurface", "import", *arguments],
        cwd=cwd,
        env={**kept, **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def loaded(code: str, name: str) -> Datastore:
    scope: dict[str, Any] = {}
    exec(compile(code, "imported.py", "exec"), scope)
    found = scope[name]
    assert isinstance(found, Datastore)
    return found


@pytest.fixture(scope="module")
def url(server: Server) -> Iterator[str]:
    with server.database() as made:
        with psycopg.connect(made, autocommit=True) as connection:
            connection.execute(SOURCE)
        yield made


def described(url: str, credential: str | None) -> Datastore:
    parts = conninfo_to_dict(url)
    database = str(parts["dbname"])
    container = PostgresDatabase(
        database, host=str(parts["host"]), port=int(parts["port"] or 0), database=database, schema="My Sales"
    )
    return Datastore(
        "sales",
        capture=Snapshot(container, credential=credential),
        datasets=[
            Dataset(
                "Order_Details",
                source="Order Details",
                columns=[
                    Column("order", BigInt, key=True),
                    Column("order_id", Integer, key=True, source="order id"),
                    Column("Unit_Price", Decimal(10, 2), nullable=False, source="Unit Price"),
                    Column("note", String(80)),
                    Column("placed", Timestamp),
                ],
            ),
            Dataset("big_orders", columns=[Column("order", BigInt), Column("note", String(80))]),
            Dataset("log", columns=[Column("line", String)]),
        ],
    )


def test_the_code_of_a_postgres_database_equals_it(url: str, tmp_path: Path):
    done = run(url, "--schema", "My Sales", "--name", "sales", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert loaded(done.stdout, "sales") == described(url, "sales")
    password = str(conninfo_to_dict(url)["password"])
    assert password not in done.stdout + done.stderr
    assert "DATASURFACE_SALES_USER and DATASURFACE_SALES_PASSWORD" in done.stderr
    for text in (done.stdout, done.stderr):
        assert "table 'Order Details': column 'paid' is left out: money has no type of ours" in text
        assert "table 'shapes' is left out: no column has a type of ours (point)" in text
        assert "table 'log' has no primary key" in text
    assert done.stdout == run(url, "--schema", "My Sales", "--name", "sales", cwd=tmp_path).stdout


def test_the_credential_of_the_code_logs_in(url: str, tmp_path: Path):
    parts = conninfo_to_dict(url)
    bare = f"postgresql://{parts['host']}:{parts['port']}/{parts['dbname']}"
    arguments = [bare, "--schema", "My Sales", "--name", "sales", "--credential", "sales-reader"]
    secret = {"DATASURFACE_SALES_READER_USER": str(parts["user"])}
    full = {**secret, "DATASURFACE_SALES_READER_PASSWORD": str(parts["password"])}
    done = run(*arguments, cwd=tmp_path, **full)
    assert done.returncode == 0, done.stderr
    assert loaded(done.stdout, "sales") == described(url, "sales-reader")
    for environ, said in ((secret, "incomplete"), ({}, "no secret for credential 'sales-reader'")):
        done = run(*arguments, cwd=tmp_path, **environ)
        assert (done.returncode, done.stdout) == (2, "")
        assert said in done.stderr


def test_a_chosen_table_goes_to_a_file_that_is_never_overwritten(url: str, tmp_path: Path):
    arguments = [url, "--schema", "My Sales", "--name", "sales", "--table", "l*", "--table", "none", "-o", "m/sales.py"]
    done = run(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    code = (tmp_path / "m/sales.py").read_text()
    assert [d.name for d in loaded(code, "sales").datasets] == ["log"]
    again = run(*arguments, cwd=tmp_path)
    assert again.returncode == 2
    assert "m/sales.py exists already" in again.stderr
    assert (tmp_path / "m/sales.py").read_text() == code


@pytest.mark.parametrize(
    ("change", "arguments", "code", "said"),
    [
        ("password", [], 1, "password authentication failed"),
        ("database", [], 1, 'database "none" does not exist'),
        ("", ["--schema", "nowhere"], 1, "schema 'nowhere' of PostgresDatabase"),
        ("", ["--schema", "My Sales", "--table", "x*"], 1, "none of the 4 tables"),
        ("", ["--schema", "My Sales", "--table", "shapes"], 1, "no column has a type of ours (point)"),
        ("", ["--name", "my sales"], 2, "cannot name a datastore"),
    ],
)
def test_each_fault_is_told_without_the_password(
    url: str, tmp_path: Path, change: str, arguments: list[str], code: int, said: str
):
    parts = urlsplit(url)
    secret = "hidden" if change == "password" else str(parts.password)
    database = "/none" if change == "database" else parts.path
    wrong = f"postgresql://{parts.username}:{secret}@{parts.hostname}:{parts.port}{database}"
    done = run(wrong, *arguments, cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert done.stdout == ""
    assert secret not in done.stderr


def test_an_unreachable_server_is_told(tmp_path: Path):
    done = run("postgresql://me:hidden@127.0.0.1:1/x", cwd=tmp_path)
    assert done.returncode == 1
    assert "Connection refused" in done.stderr
    assert "hidden" not in done.stderr


def test_the_code_of_a_sqlite_file_equals_it(tmp_path: Path):
    file = tmp_path / "data" / "my shop.db"
    file.parent.mkdir()
    with sqlite3.connect(file) as connection:
        connection.executescript("""
            CREATE TABLE "Order Details" (
                id INTEGER PRIMARY KEY, "Unit Price" DECIMAL(10,2), free NUMERIC, "a""b" TEXT);
            CREATE TABLE pair (b VARCHAR(5), a INT NOT NULL, at DATETIME, PRIMARY KEY (b, a)) WITHOUT ROWID;
        """)
    connection.close()
    details = [
        Column("id", BigInt, key=True),
        Column("Unit_Price", Decimal(10, 2), source="Unit Price"),
        Column("a_b", String, source='a"b'),
    ]
    pair = [Column("b", String(5), key=True), Column("a", BigInt, key=True), Column("at", Timestamp(tz=False))]
    datasets = [Dataset("Order_Details", columns=details, source="Order Details"), Dataset("pair", columns=pair)]
    for given, path in (
        ("sqlite:///data/my shop.db", "data/my shop.db"),
        ("data/my shop.db", "data/my shop.db"),
        (f"sqlite:///{str(file).replace(' ', '%20')}", "data/my shop.db"),
    ):
        done = run(given, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        expected = Datastore("my_shop", capture=Snapshot(SqliteDatabase("my_shop", path=path)), datasets=datasets)
        assert loaded(done.stdout, "my_shop") == expected
        assert "column 'free' is left out: NUMERIC has no type of ours" in done.stderr
    elsewhere = tmp_path / "model"
    elsewhere.mkdir()
    done = run("../data/my shop.db", "-m", ".", cwd=elsewhere)
    capture = loaded(done.stdout, "my_shop").capture
    assert capture is not None
    assert capture.container == SqliteDatabase("my_shop", path=str(file))


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["none.db"], 1, "no SQLite file"),
        (["sqlite:///none.db"], 1, "no SQLite file"),
        (["text.db"], 1, "not a database"),
        (["empty.db"], 1, "has no tables"),
        (["empty.db", "--schema", "other"], 1, "has no tables"),
        (["empty.db", "--credential", "x"], 2, "needs no credential"),
        (["mysql://u:hidden@h/d"], 2, "no installed adapter knows this URL"),
        (["sqlite://host/x"], 2, "names no host"),
        ([], 2, "Missing argument"),
        (["empty.db", "--odcs", "x"], 2, "No such option"),
    ],
)
def test_each_fault_of_a_file_is_told(tmp_path: Path, arguments: list[str], code: int, said: str):
    (tmp_path / "text.db").write_text("hello " * 1000)
    (tmp_path / "empty.db").touch()
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert done.stdout == ""
    assert "hidden" not in done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["empty.db", "text.db"]
