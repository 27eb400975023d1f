"""A platform whose own tables an older package made is brought up to date when a command opens it."""

from __future__ import annotations

from pathlib import Path

import psycopg

from datasurface import BigInt, Column, Dataset
from datasurface.store.tables import SCHEMA_VERSION
from workbench import container, environ, model, workbench

_ORDERS = Dataset("orders", columns=[Column("id", BigInt, key=True)])


def test_tables_of_version_1_are_upgraded_and_the_stream_runs_on(two_databases: tuple[str, str], tmp_path: Path):
    source, target = two_databases
    with psycopg.connect(source, autocommit=True) as connection:
        connection.execute("CREATE TABLE orders (id bigint PRIMARY KEY)")
        connection.execute("INSERT INTO orders VALUES (1), (2)")
    ecosystem = model(container("shop_db", source), container("lake", target), [_ORDERS])
    secrets = environ(shop_db=source, lake=target)
    with workbench(ecosystem, target, tmp_path, secrets) as bench:
        assert bench.run().ok
        with psycopg.connect(target, autocommit=True) as connection:
            connection.execute("ALTER TABLE ds_yellow.streams DROP COLUMN changed_batch")
            connection.execute("DROP TABLE ds_yellow.totals")
            connection.execute("UPDATE ds_yellow.platform SET schema_version = 1")
    with psycopg.connect(source, autocommit=True) as connection:
        connection.execute("INSERT INTO orders VALUES (3)")
    with workbench(ecosystem, target, tmp_path, secrets) as bench:
        assert bench.run().ok
        assert bench.rows("SELECT schema_version FROM ds_yellow.platform") == [(SCHEMA_VERSION,)]
        assert bench.rows("SELECT batch_id, inserted FROM ds_yellow.batches ORDER BY 1") == [(1, 2), (2, 1)]
        assert bench.rows("SELECT count(*) FROM reports_all.shop_orders") == [(3,)]
