"""The system's own datastores on a real server: what is written is what the release says, and who may read is so."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, delete

from conformance.engine_shop import Shop, shop_on
from datasurface import (
    BigInt,
    Column,
    Cron,
    Dataset,
    DatasetGroup,
    Ecosystem,
    History,
    Snapshot,
    String,
    Team,
    model_datastore,
    model_workspace,
    operations_workspace,
)
from datasurface.databases.access import PUBLIC, SUPERUSER
from datasurface.databases.postgres.access import PostgresAccess
from datasurface.engine.batch import Outcome
from datasurface.release.archive import archive, unpacked
from datasurface.release.tables import TABLES, ColumnRow, Table
from datasurface.store.tables import bind, release_tables

ORDERS = Dataset(
    "orders",
    columns=[Column("id", BigInt, key=True), Column("customer", String(20), doc='He said "1\t2",\n\\N or nan')],
)
ALL_OF_MODEL = [f"datasurface_model.{d.name}" for d in model_datastore().datasets]


@pytest.fixture
def shop(two_databases: tuple[str, str], tmp_path: Path) -> Iterator[Shop]:
    with shop_on(two_databases, tmp_path) as opened:
        opened.do(
            "CREATE TABLE orders (id bigint PRIMARY KEY, customer varchar(20), extra int)",
            "INSERT INTO orders VALUES (1, 'ann', 1), (2, 'bob', 2)",
        )
        yield opened


def consuming(shop: Shop, *sinks: str, history: History = History.FULL, dataset: Dataset = ORDERS) -> Ecosystem:
    return shop.model(dataset, groups=[DatasetGroup("all", sinks=["shop.orders", *sinks], history=history)])


def test_every_table_holds_exactly_the_rows_of_the_release(shop: Shop):
    bench = shop.open(consuming(shop, *ALL_OF_MODEL))
    assert shop.merged("datasurface_model")[1:] == (0, 0)
    rows = bench.release.rows()
    for table in TABLES:
        if table.published:
            names = table.metadata.tables[table.__tablename__].columns.keys()
            expected = sorted(
                (tuple(getattr(row, name) for name in names) for row in rows[table.__tablename__]), key=repr
            )
            listed = ", ".join(f'"{name}"' for name in names)
            found = shop.rows(f"SELECT {listed} FROM reports_all.datasurface_model_{table.published}")
            assert sorted(found, key=repr) == expected, table.published


def test_it_runs_when_another_release_is_active_and_tells_what_came_and_went(shop: Shop):
    bench = shop.open(consuming(shop, "datasurface_model.columns"))
    shop.merged("datasurface_model")
    assert shop.run("datasurface_model").batch_id is None, "the same release is not written again"
    wider = dataclasses.replace(ORDERS, columns=[*ORDERS.columns, Column("extra", BigInt)])
    bench.apply(consuming(shop, "datasurface_model.columns", dataset=wider))
    assert shop.run("datasurface_model").outcome is Outcome.MERGED
    came = shop.rows(
        "SELECT name, ds_batch_in FROM reports_all.datasurface_model_columns_history "
        "WHERE dataset = 'orders' ORDER BY 2, 1"
    )
    assert came == [("customer", 1), ("id", 1), ("extra", 2)]
    bench.apply(consuming(shop, "datasurface_model.columns"))
    assert shop.merged("datasurface_model")[2] == 1
    releases = shop.rows("SELECT digest, previous FROM datasurface_model_own.datasurface_model_releases")
    first, second = bench.release.digest, {p: d for d, p in releases}[bench.release.digest]
    assert dict(releases) == {first: second, second: first}, "the first is active again"


def test_a_release_without_its_tables_fails_with_a_reason_and_leaves_what_was_there(shop: Shop):
    bench = shop.open(consuming(shop, "datasurface_model.columns"))
    shop.merged("datasurface_model")
    bench.apply(consuming(shop, "datasurface_model.columns", "datasurface_model.teams"))
    with bench.running.store.engine.begin() as connection:
        bind(connection, bench.running.schema).execute(delete(release_tables))
    result = shop.run("datasurface_model")
    assert not result.ok
    assert "keeps no table" in str(result)
    assert shop.rows("SELECT count(*) FROM reports_all.datasurface_model_columns WHERE dataset = 'orders'") == [(2,)]


def test_tables_are_kept_only_of_what_is_consumed_and_of_the_last_two_releases(shop: Shop):
    bench = shop.open(consuming(shop))
    assert shop.rows("SELECT count(*) FROM ds_yellow.release_tables") == [(0,)]
    for number in range(3):
        dataset = dataclasses.replace(ORDERS, doc=f"version {number}")
        bench.apply(consuming(shop, "datasurface_model.columns", dataset=dataset))
    kept = shop.rows("SELECT DISTINCT dataset, digest FROM ds_yellow.release_tables")
    assert {dataset for dataset, _ in kept} == {"columns"}
    assert len(kept) == 2
    assert bench.release.digest in {digest for _, digest in kept}


def test_copies_under_another_name_belong_to_whoever_makes_them(shop: Shop):
    made = consuming(shop, "our_model.datasets", "our_operations.batches")
    own = Team(
        "own", workspaces=[model_workspace("our_model"), operations_workspace("our_operations", every="1 minute")]
    )
    zone = dataclasses.replace(made.zones[0], teams=[*made.zones[0].teams, own])
    shop.open(dataclasses.replace(made, zones=[zone]))
    shop.merged()
    shop.merged("our_model")
    shop.merged("our_operations")
    assert ("shop", "orders") in shop.rows("SELECT datastore, name FROM reports_all.our_model_datasets")
    streams = shop.rows("SELECT stream, inserted FROM reports_all.our_operations_batches ORDER BY 1")
    assert ("shop", 2) in streams
    assert "our_operations" not in dict(streams), "what it does itself is not told"
    assert shop.merged("our_operations") == (0, 0, 0), "where nothing happens nothing is told"


def test_nobody_else_can_write_what_the_system_writes(shop: Shop):
    shop.open(consuming(shop, "datasurface_model.columns"))
    shop.merged("datasurface_model")
    schema = '"ds_yellow.datasurface_model"'
    shop.admin("CREATE ROLE stranger LOGIN")
    try:
        allowed = shop.rows(
            f"SELECT has_schema_privilege('stranger', 'ds_yellow.datasurface_model', 'USAGE'), "
            f"has_table_privilege('stranger', '{schema}.\"columns\"', 'INSERT')"
        )
        assert allowed == [(False, False)]
    finally:
        shop.admin("DROP ROLE stranger")


def test_lag_knows_what_is_due_and_what_is_late(shop: Shop):
    capture = Snapshot(shop.database, every=Cron("0 0 1 1 *"))
    yearly = shop.model(
        ORDERS,
        groups=[DatasetGroup("all", sinks=["shop.orders", "datasurface_operations.lag"])],
        capture=capture,
    )
    shop.open(yearly)
    shop.merged("datasurface_operations")
    lag = "SELECT read_at, due_at, late, every FROM reports_all.datasurface_operations_lag WHERE stream = 'shop'"
    assert shop.rows(lag) == [(None, None, True, "0 0 1 1 * (UTC)")], "never read"
    shop.merged()
    shop.merged("datasurface_operations")
    ((read_at, due_at, late, _),) = shop.rows(lag)
    assert not late
    assert (due_at.month, due_at.day, due_at.year) == (1, 1, read_at.year + 1)
    with shop.bench.running.store.engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE ds_yellow.streams SET read_at = read_at - interval '1 year' WHERE stream = 'shop'"
        )
    shop.merged("datasurface_operations")
    ((_, again, late, _),) = shop.rows(lag)
    assert late
    assert due_at - again in {timedelta(days=365), timedelta(days=366)}


def test_failures_know_whether_a_later_batch_went_well(shop: Shop):
    shop.open(consuming(shop, "datasurface_operations.failures"))
    shop.do("ALTER TABLE orders RENAME TO gone")
    assert not shop.run().ok
    shop.merged("datasurface_operations")
    failures = (
        "SELECT batch_id, state, recovered FROM reports_all.datasurface_operations_failures WHERE stream = 'shop'"
    )
    assert shop.rows(failures) == [(1, "failed", False)]
    shop.do("ALTER TABLE gone RENAME TO orders")
    shop.merged()
    shop.merged("datasurface_operations")
    assert shop.rows(failures) == [(1, "failed", True)]


ROLES = ("ds_t_reader", "ds_t_anna", "ds_t_column", "ds_t_outside", "ds_t_dba", "ds_t_gone", "ds_t_fenced")


@pytest.fixture
def catalog(postgres_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        for role in ROLES:
            connection.execute(f"DROP ROLE IF EXISTS {role}".encode())
        yield connection
        for role in ROLES:
            connection.execute(f"DROP OWNED BY {role}; DROP ROLE {role}".encode())


def test_who_may_read_is_what_the_database_would_allow(catalog: psycopg.Connection[Any], postgres_url: str):
    modern = catalog.info.server_version >= 160_000
    catalog.execute(
        "CREATE SCHEMA seen; CREATE SCHEMA hidden; CREATE VIEW seen.a AS SELECT 1 AS x, 2 AS y, 3 AS z;"
        "CREATE VIEW seen.b AS SELECT 1 AS x; CREATE VIEW hidden.c AS SELECT 1 AS x;"
        "CREATE ROLE ds_t_reader; CREATE ROLE ds_t_anna LOGIN IN ROLE ds_t_reader; CREATE ROLE ds_t_column LOGIN;"
        "CREATE ROLE ds_t_outside LOGIN; CREATE ROLE ds_t_dba LOGIN SUPERUSER;"
        "CREATE ROLE ds_t_gone LOGIN VALID UNTIL '2001-01-01' IN ROLE ds_t_reader; CREATE ROLE ds_t_fenced LOGIN;"
        "GRANT USAGE ON SCHEMA seen TO ds_t_reader, ds_t_column;"
        "GRANT SELECT ON seen.a, hidden.c TO ds_t_reader; GRANT SELECT (x, z) ON seen.a TO ds_t_column;"
        "GRANT SELECT ON seen.a TO ds_t_outside; GRANT SELECT ON seen.b TO PUBLIC"
    )
    if modern:
        catalog.execute("GRANT ds_t_reader TO ds_t_fenced WITH INHERIT FALSE, SET FALSE")
    engine = create_engine(postgres_url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        found = list(PostgresAccess().read_access(connection, {"seen", "hidden"}))
    engine.dispose()
    told = {(a.grantee, a.view, a.through, a.columns, a.can_login) for a in found if a.grantee in (*ROLES, PUBLIC)}
    assert told == {
        ("ds_t_reader", "a", "ds_t_reader", None, False),
        ("ds_t_anna", "a", "ds_t_reader", None, True),
        ("ds_t_gone", "a", "ds_t_reader", None, False),
        ("ds_t_column", "a", "ds_t_column", ("x", "z"), True),
        *(("ds_t_dba", view, SUPERUSER, None, True) for view in ("a", "b", "c")),
    }, "who may not use the schema reads nothing, PUBLIC may not"
    catalog.execute("GRANT USAGE ON SCHEMA seen TO PUBLIC")
    engine = create_engine(postgres_url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        found = list(PostgresAccess().read_access(connection, {"seen"}))
    engine.dispose()
    views = {(a.grantee, a.view) for a in found}
    assert {(PUBLIC, "b"), ("ds_t_outside", "a")} <= views
    assert ("ds_t_fenced", "a") not in views


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20) | st.sampled_from(
    ["nan", "NaN", "\\N", "", '"', "a,b", "\r\n", "\t", "NULL", "\\.", "'"]
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(TEXTS, TEXTS, st.none() | TEXTS, st.booleans(), st.integers(0, 2**31 - 1)), max_size=12))
def test_any_text_comes_through_the_archive_as_it_is(postgres_url: str, rows: list[tuple[Any, ...]]):
    records: list[tuple[type[Table], dict[str, Any]]] = [
        (
            ColumnRow,
            {
                "datastore": "s",
                "dataset": "d",
                "name": str(number),
                "position": position,
                "type": first,
                "key": key,
                "nullable": not key,
                "source": second,
                "classification": "",
                "doc": second,
                "file": third,
                "line": None,
            },
        )
        for number, (first, second, third, key, position) in enumerate(rows)
    ]
    names = list(ColumnRow.metadata.tables["column"].columns.keys())
    with psycopg.connect(postgres_url) as connection:
        types = {"position": "int", "line": "int", "key": "boolean", "nullable": "boolean"}
        listed = ", ".join(f'"{name}" {types.get(name, "text")}' for name in names)
        connection.execute(f"CREATE TEMP TABLE t ({listed}) ON COMMIT DROP".encode())
        with connection.cursor().copy(b"COPY t FROM STDIN (FORMAT csv, NULL 'nan', ENCODING 'UTF8')") as copy:
            for part in archive(records, {"columns"}):
                assert list(part.columns) == names
                copy.write(unpacked(part.content))
        found = connection.execute("SELECT * FROM t ORDER BY name::int").fetchall()
        connection.rollback()
    assert found == [tuple(values[name] for name in names) for _, values in records]


def test_a_table_without_rows_is_kept_too_and_large_ones_in_parts():
    empty = list(archive([], {"columns", "datasets"}))
    assert [(p.dataset, p.part, unpacked(p.content)) for p in empty] == [("datasets", 1, b""), ("columns", 1, b"")]
    values: dict[str, Any] = dict.fromkeys(ColumnRow.metadata.tables["column"].columns.keys(), "x")
    many = [(ColumnRow, {**values, "name": str(number)}) for number in range(20_001)]
    parts = list(archive(many, {"columns"}))
    lines = [len(list(csv.reader(io.StringIO(unpacked(p.content).decode())))) for p in parts]
    assert (lines, [p.part for p in parts]) == ([20_000, 1], [1, 2])
