"""A transformer whose code wants more than it declared: what the database refuses, and what is bounded all the same."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from conformance.engine_shop import Shop, shop_on
from datasurface import (
    BigInt,
    Column,
    Dataset,
    DatasetGroup,
    Datastore,
    DataTransformer,
    Ecosystem,
    Hint,
    PythonModule,
    SqlQueries,
    String,
    Workspace,
)
from datasurface.databases.base import Login
from datasurface.databases.postgres.connect import parameters
from datasurface.databases.postgres.roles import PostgresSecurity
from datasurface.engine.batch import BatchResult, Outcome
from datasurface.errors import ApplyBlockedError
from datasurface.runtime.security import transformer_login

ORDERS = Dataset("orders", columns=[Column("id", BigInt, key=True), Column("customer", String(20))])
TOTALS = Dataset("totals", columns=[Column("customer", String(20), key=True), Column("amount", BigInt)])
COUNTS = Dataset("counts", columns=[Column("amount", BigInt, key=True)])

CONNECT = """
import gc, json, psycopg, subprocess, sys, time
from pathlib import Path
from datasurface.databases.base import Login
from datasurface.databases.postgres.connect import parameters

HERE = Path(__file__).parent

def session():
    login = next(found for found in gc.get_objects() if isinstance(found, Login))
    return psycopg.connect(**parameters(login), autocommit=True)
"""
TRY = (
    CONNECT
    + """
def attempt(connection, statement):
    try:
        cursor = connection.execute(statement)
        return [str(v) for row in cursor.fetchall() for v in row] if cursor.description else "done"
    except psycopg.Error as error:
        return error.sqlstate
    finally:
        connection.rollback()

def run(context):
    with session() as connection:
        answers = {s: attempt(connection, s) for s in json.loads((HERE / "attempts.json").read_text())}
    (HERE / "answers.json").write_text(json.dumps(answers))
"""
)


OWN = '"ds_yellow.adding".totals'
OTHERS = '"ds_yellow.counting".counts'
OWNER = '"ds.acme.yellow.owner"'
REFUSED = {
    "what others read": [
        "SELECT * FROM reports_all.shop_orders",
        "SELECT * FROM counting_orders.shop_orders",
        f"SELECT * FROM {OTHERS}",
    ],
    "secrets and settings of the server": [
        "SELECT * FROM pg_authid",
        "SELECT * FROM pg_shadow",
        "SELECT * FROM pg_hba_file_rules",
        "SELECT * FROM pg_file_settings",
        "SHOW data_directory",
        "ALTER SYSTEM SET log_statement = 'all'",
        "SET log_statement = 'all'",
        "SET session_replication_role = 'replica'",
        "SET temp_file_limit = -1",
        "LOAD 'auto_explain'",
    ],
    "large objects of others": ["SELECT * FROM pg_largeobject", "SELECT lo_get(4711)", "SELECT lo_unlink(4711)"],
    "files and programs of the server": [
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT pg_ls_dir('.')",
        "SELECT pg_stat_file('/etc/passwd')",
        "SELECT lo_import('/etc/passwd')",
        "SELECT lo_export(4711, '/tmp/x')",
        "COPY (SELECT 1) TO PROGRAM 'id'",
        "COPY (SELECT 1) TO '/tmp/x'",
        f"COPY {OWN} FROM '/etc/passwd'",
        f"COPY {OWN} FROM PROGRAM 'id'",
    ],
    "making things": [
        "CREATE TABLE public.x (i int)",
        "CREATE TABLE reports_all.x (i int)",
        "CREATE TABLE adding_orders.x (i int)",
        'CREATE TABLE "ds_yellow.adding".x (i int)',
        "CREATE TABLE ds_yellow.x (i int)",
        "CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE SCHEMA mine",
        "CREATE ROLE evil",
        "CREATE DATABASE evil",
        "CREATE EXTENSION postgres_fdw",
        "CREATE EXTENSION pg_trgm",
        "CREATE PUBLICATION evil FOR ALL TABLES",
        "SELECT pg_create_physical_replication_slot('evil')",
    ],
    "writing where it may not": [
        "INSERT INTO adding_orders.shop_orders VALUES (2, 'x')",
        "UPDATE adding_orders.shop_orders SET customer = 'x'",
        "DELETE FROM adding_orders.shop_orders",
        "SELECT * FROM adding_orders.shop_orders FOR UPDATE",
        f"INSERT INTO {OTHERS} VALUES (1)",
        f"TRUNCATE {OTHERS}",
        "UPDATE ds_yellow.streams SET token = 0",
        "DELETE FROM ds_yellow.ledger",
    ],
    "being somebody else": [
        f"SET ROLE {OWNER}",
        'SET ROLE "ds.acme.yellow.t.counting"',
        "SET ROLE pg_read_all_data",
        f"SET SESSION AUTHORIZATION {OWNER}",
        f"GRANT {OWNER} TO session_user",
        f"ALTER ROLE {OWNER} LOGIN",
        f"DROP ROLE {OWNER}",
        "ALTER ROLE session_user SUPERUSER",
        "ALTER ROLE session_user CREATEROLE",
        "ALTER ROLE session_user CONNECTION LIMIT 99",
    ],
    "changing the shape of its own output": [
        f"ALTER TABLE {OWN} ADD COLUMN x int",
        f"ALTER TABLE {OWN} ENABLE ROW LEVEL SECURITY",
        f"DROP TABLE {OWN}",
        f"CREATE INDEX ON {OWN} (amount)",
        f"CREATE RULE r AS ON INSERT TO {OWN} DO INSTEAD NOTHING",
        f"COMMENT ON TABLE {OWN} IS NULL",
        'DROP SCHEMA "ds_yellow.adding" CASCADE',
    ],
    "holding up others": [
        "BEGIN; LOCK TABLE adding_orders.shop_orders IN ACCESS EXCLUSIVE MODE",
        "BEGIN; LOCK TABLE adding_orders.shop_orders IN ROW SHARE MODE",
        "BEGIN; LOCK TABLE ds_yellow.streams IN ACCESS SHARE MODE",
        "SELECT pg_terminate_backend({pid})",
        "SELECT pg_cancel_backend({pid})",
        "SELECT pg_reload_conf()",
        "SELECT pg_rotate_logfile()",
        "SELECT pg_stat_reset()",
        "CHECKPOINT",
    ],
}
INSUFFICIENT_PRIVILEGE, NOT_PREPARED = "42501", "55000"


@pytest.fixture
def shop(two_databases: tuple[str, str], tmp_path: Path) -> Iterator[Shop]:
    with shop_on(two_databases, tmp_path) as opened:
        opened.do(
            "CREATE TABLE orders (id bigint PRIMARY KEY, customer varchar(20))", "INSERT INTO orders VALUES (1, 'ann')"
        )
        (tmp_path / "hostile.py").write_text(TRY)
        (tmp_path / "attempts.json").write_text("[]")
        opened.open(model(opened))
        opened.merged()
        opened.merged("honest")
        yield opened


def model(shop: Shop) -> Ecosystem:
    """Return a model in which one workspace's transformer is hostile, beside an honest one and a consumer of both."""
    made = shop.model(ORDERS, groups=[DatasetGroup("all", sinks=["shop.orders", "sums.totals", "honest.counts"])])
    hostile = DataTransformer(
        "add",
        code=PythonModule("hostile:run"),
        output=Datastore("sums", datasets=[TOTALS]),
        resources=Hint(timeout="20 seconds"),
    )
    counting = DataTransformer(
        "count",
        code=SqlQueries({"counts": "SELECT count(*) AS amount FROM shop_orders"}),
        output=Datastore("honest", datasets=[COUNTS]),
    )
    workspaces = [
        Workspace("adding", groups=[DatasetGroup("orders", sinks=["shop.orders"])], transformer=hostile),
        Workspace("counting", groups=[DatasetGroup("orders", sinks=["shop.orders"])], transformer=counting),
    ]
    team = made.zones[0].teams[0]
    team = dataclasses.replace(team, workspaces=[*team.workspaces, *workspaces])
    return dataclasses.replace(made, zones=[dataclasses.replace(made.zones[0], teams=[team])])


def answers(shop: Shop, attempts: list[str]) -> dict[str, object]:
    """Return what the database answers to each statement of the hostile code: a refusal's code, or what it gave."""
    (shop.folder / "attempts.json").write_text(json.dumps(attempts))
    result = shop.run("sums")
    assert result.outcome is Outcome.MERGED, result
    found: dict[str, object] = json.loads((shop.folder / "answers.json").read_text())
    assert list(found) == attempts
    return found


def run_code(shop: Shop, code: str) -> BatchResult:
    (shop.folder / "hostile.py").write_text(CONNECT + code)
    return shop.run("sums")


def login(shop: Shop) -> Login:
    running = shop.bench.running
    spec = running.job("sums")[0].transformer
    assert spec is not None
    return transformer_login(running, spec)


def sessions(shop: Shop) -> int:
    query = "SELECT count(*) FROM pg_stat_activity WHERE usename LIKE 'ds.acme.yellow.t.adding%'"
    return int(shop.rows(query)[0][0])


def test_the_database_refuses_what_was_not_declared(shop: Shop):
    shop.admin("SELECT lo_from_bytea(4711, 'canary')")
    platform = shop.rows("SELECT pg_backend_pid()")[0][0]
    tables = [name for (name,) in shop.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'ds_yellow'")]
    assert {"streams", "ledger", "releases", "jobs", "shop.orders", "honest.counts"} <= set(tables)
    attempts = [f'SELECT * FROM ds_yellow."{name}"' for name in [*tables, "batches", "batch_datasets"]]
    attempts += [statement.format(pid=platform) for statements in REFUSED.values() for statement in statements]
    found = answers(shop, attempts)
    assert {s: a for s, a in found.items() if a != INSUFFICIENT_PRIVILEGE} == {}


def test_what_is_not_refused_gives_nothing_away_and_changes_nothing(shop: Shop):
    """Statements that PostgreSQL lets everybody make; it warns that they had no effect, or answers with nothing."""
    with psycopg.connect(shop.target_url, autocommit=True) as other:
        other.execute("SELECT 'canary'")
        visible = "query NOT IN ('', '<insufficient privilege>')"
        found = answers(
            shop,
            [
                "SELECT passwd FROM pg_user WHERE passwd <> '********'",
                f"SELECT query FROM pg_stat_activity WHERE usename <> session_user AND {visible}",
                "SELECT unnest(setconfig) FROM pg_db_role_setting WHERE setconfig::text NOT LIKE '%read_only%'",
                "BEGIN; PREPARE TRANSACTION 'evil'",
                f"GRANT SELECT ON {OWN} TO PUBLIC",
                f"VACUUM FULL {OWN}",
                "SELECT count(*) FROM adding_orders.shop_orders",
                f"SELECT count(*) FROM {OWN}",
            ],
        )
    assert list(found.values()) == [[], [], [], NOT_PREPARED, "done", "done", ["1"], ["0"]]
    readers = (
        "SELECT count(*) FROM aclexplode((SELECT relacl FROM pg_class WHERE oid = '{}'::regclass)) WHERE grantee = 0"
    )
    assert shop.rows(readers.format(OWN)) == [(0,)]


LEFT_BEHIND = """
HOLD = '''
import sys, psycopg
connection = psycopg.connect(sys.argv[1], autocommit=True)
connection.execute("BEGIN; LOCK TABLE \\"ds_yellow.adding\\".totals IN ACCESS EXCLUSIVE MODE")
for name in ("apply ds_yellow", "upgrade ds_yellow", "security ds_yellow"):
    connection.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [name])
print("held", flush=True)
connection.execute("SELECT pg_sleep(600)")
'''

def run(context):
    context.output("totals").write([("ann", 1)])
    context._session.commit()
    info = session().info
    uri = f"host={info.host} port={info.port} user={info.user} password={info.password} dbname={info.dbname}"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, uri], stdout=subprocess.PIPE, start_new_session=True, text=True
    )
    print(holder.stdout.readline())
"""


def test_nothing_that_it_holds_outlives_its_run(shop: Shop):
    """A session in another process, in a statement without end, with locks on its output and those of the platform."""
    began = time.monotonic()
    result = run_code(shop, LEFT_BEHIND)
    assert result.outcome is Outcome.MERGED, result
    assert result.counts.inserted == 1
    assert time.monotonic() - began < 15
    assert sessions(shop) == 0
    assert shop.bench.apply().active


def test_a_statement_without_end_ends_with_the_run(shop: Shop):
    (shop.folder / "hostile.py").write_text(
        CONNECT + "def run(context):\n    session().execute('SELECT pg_sleep(600)')\n"
    )
    job, digest = shop.bench.running.job("sums")
    assert job.transformer is not None
    brief = dataclasses.replace(job.transformer, resources=Hint(timeout="2 seconds"))
    result = shop.bench.runner.run(dataclasses.replace(job, transformer=brief), digest)
    assert result.outcome is Outcome.FAILED
    assert "was ended after its time limit of 2 seconds" in result.error
    assert sessions(shop) == 0


def test_sessions_that_a_killed_platform_left_are_ended_by_the_next_run(shop: Shop):
    shop.merged("sums")
    with psycopg.connect(**parameters(login(shop)), autocommit=False) as left:
        left.execute('BEGIN; LOCK TABLE "ds_yellow.adding".totals IN ACCESS EXCLUSIVE MODE')
        assert run_code(shop, "def run(context):\n    context.output('totals').write([('ann', 1)])\n").ok
        with pytest.raises(psycopg.OperationalError):
            left.execute("SELECT 1")


def test_who_holds_a_lock_of_the_platform_is_named(shop: Shop):
    own = login(shop)
    with psycopg.connect(**parameters(own)) as holder:
        holder.execute("SELECT pg_advisory_lock(hashtextextended('something', 0))")
        pid = holder.info.backend_pid
        with pytest.raises(ApplyBlockedError) as caught, shop.bench.running.store.exclusive("something"):
            pass
        with (
            closing(PostgresSecurity(own)) as security,
            pytest.raises(ApplyBlockedError) as waited,
            security.turn("something", 0.1),
        ):
            pass
    who = f"something (session {pid} of {own.user} holds it)"
    assert caught.value.message == f"another process is busy with it: {who}"
    assert waited.value.message == f"another process is busy with it for 0.1 s: {who}"


def test_a_password_that_it_changed_locks_out_nobody_but_itself(shop: Shop):
    """A role may change its own password: PostgreSQL knows no way to forbid that. The next run says what to do."""
    assert run_code(shop, "def run(context):\n    session().execute(\"ALTER ROLE session_user PASSWORD 'x'\")\n").ok
    shop.do("INSERT INTO orders VALUES (2, 'bob')")
    shop.merged()
    result = shop.run("sums")
    assert result.outcome is Outcome.FAILED
    assert "password authentication failed" in result.error
    assert shop.merged("honest") == (1, 0, 1)


KILLED = """
import os, signal

def run(context):
    rows = [("ann", 2)]
    if {stage!r} != "before":
        context.output("totals").write(rows)
    if {stage!r} == "committed":
        context._session.commit()
    os.kill(os.getppid() if {stage!r} == "warden" else os.getpid(), signal.SIGKILL)
    time.sleep(60)
"""


def test_killed_at_any_moment_it_leaves_what_was_there(shop: Shop):
    assert run_code(shop, "def run(context):\n    context.output('totals').write([('ann', 1)])\n").ok
    for stage in ("before", "written", "committed", "warden"):
        result = run_code(shop, KILLED.format(stage=stage))
        assert result.outcome is Outcome.FAILED, stage
        assert "signal 9 (SIGKILL) without a result" in result.error
        assert shop.rows("SELECT * FROM reports_all.sums_totals") == [("ann", 1)]
    assert run_code(shop, "def run(context):\n    context.output('totals').write([('ann', 3)])\n").ok
    assert shop.rows("SELECT * FROM reports_all.sums_totals") == [("ann", 3)]
