"""The shop of the crash tests: a large, a small and a keyless table, changed step by step, with ways to compare."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg

from datasurface import BigInt, Column, Dataset, Decimal, Ecosystem, History, Integer, String, Timestamp
from datasurface.release.compile import Release
from workbench import compiled, container, environ, model

BIG = Dataset(
    "big",
    columns=[
        Column("id", BigInt, key=True),
        Column("name", String(40)),
        Column("amount", Decimal(12, 2)),
        Column("at", Timestamp),
    ],
)
SMALL = Dataset("small", columns=[Column("code", String(20), key=True), Column("value", Integer)])
KEYLESS = Dataset("keyless", columns=[Column("a", Integer), Column("b", String)])
DATASETS = (BIG, SMALL, KEYLESS)

_CREATE = """
    CREATE TABLE big (id bigint PRIMARY KEY, name varchar(40), amount numeric(12, 2), at timestamptz);
    CREATE TABLE small (code varchar(20) PRIMARY KEY, value int);
    CREATE TABLE keyless (a int, b text)
"""
_FILL = """
    INSERT INTO big SELECT g, 'name ' || g, g / 7.0, timestamptz '2024-01-01 00:00Z' + g * interval '1 min'
        FROM generate_series(1, {rows}) g;
    INSERT INTO small SELECT 'c' || g, g FROM generate_series(1, 100) g;
    INSERT INTO keyless SELECT g % 50, CASE WHEN g % 7 > 0 THEN 'b' || g % 11 END FROM generate_series(1, 2000) g
"""
_CHANGE = """
    UPDATE big SET amount = amount + {n}, name = NULLIF(name, 'name ' || {n}) WHERE id % 97 = {n} % 97;
    DELETE FROM big WHERE id % 1009 = {n} % 1009;
    INSERT INTO big SELECT {n} * 10000000 + g, 'new', g, now() FROM generate_series(1, 50) g;
    UPDATE small SET value = {n} WHERE code = 'c' || (1 + {n} % 100);
    INSERT INTO small VALUES ('n' || {n}, {n});
    DELETE FROM keyless WHERE ctid IN (SELECT ctid FROM keyless WHERE a = {n} % 50 LIMIT 3);
    INSERT INTO keyless SELECT NULL, 'more ' || {n} FROM generate_series(1, 4)
"""

Print = tuple[tuple[object, ...], ...]


@dataclass(frozen=True)
class Shop:
    """A source and a merge database; picklable, so that writers in other processes can be told of it."""

    source: str
    target: str
    folder: str
    history: History = History.FULL
    silence: float = 30.0
    rows: int = 20_000
    stream: str = "shop"

    def ecosystem(self) -> Ecosystem:
        return model(container("src", self.source), container("dst", self.target), list(DATASETS), history=self.history)

    def release(self) -> Release:
        return compiled(self.ecosystem())

    def secrets(self) -> dict[str, str]:
        return environ(src=self.source, dst=self.target)

    def fill(self) -> None:
        with psycopg.connect(self.source, autocommit=True) as connection:
            _each(connection, _CREATE, {})
            _each(connection, _FILL, {"rows": self.rows})

    def change(self, number: int) -> None:
        """Change about one row in a hundred of every table, in one transaction."""
        with psycopg.connect(self.source) as connection:
            _each(connection, _CHANGE, {"n": number})

    def source_print(self) -> Print:
        """Return what the source holds, as counts and sums of hashes."""
        return self._print(self.source, "{}")

    def consumer_print(self) -> Print:
        """Return what consumers see in one look at all their views."""
        return self._print(self.target, "reports_all.shop_{}")

    def _print(self, url: str, pattern: str) -> Print:
        with psycopg.connect(url, options="-c timezone=UTC") as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            return tuple(
                tuple(
                    connection.execute(
                        (
                            "SELECT count(*), sum(hashtextextended(t::text, 0)::numeric) "
                            f"FROM {pattern.format(d.name)} t"
                        ).encode()
                    ).fetchone()
                    or ()
                )
                for d in DATASETS
            )

    def versions(self) -> Print:
        """Return all versions with their batch numbers, as counts and sums of hashes."""
        found = []
        with psycopg.connect(self.target, options="-c timezone=UTC") as connection:
            for dataset in DATASETS:
                names = ", ".join(f'"{c.name}"' for c in dataset.columns)
                query = (
                    f"SELECT count(*), sum(hashtextextended(ROW({names}, ds_batch_in, ds_batch_out)::text, 0)::numeric)"
                    f" FROM reports_all.shop_{dataset.name}_history"
                )
                found.append(tuple(connection.execute(query.encode()).fetchone() or ()))
        return tuple(found)

    def ledger(self) -> list[tuple[object, ...]]:
        with psycopg.connect(self.target) as connection:
            return connection.execute(
                "SELECT batch_id, state, rows_read, inserted, updated, deleted FROM ds_yellow.batches ORDER BY batch_id"
            ).fetchall()

    def leftovers(self) -> list[str]:
        """Return tables that only an unfinished batch may have."""
        with psycopg.connect(self.target) as connection:
            rows = connection.execute(
                "SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace "
                "WHERE nspname = 'ds_yellow' AND relkind = 'r' AND "
                r"(relname ~ '\.(load|staging)\.' OR relname ~ '\.old$' OR relname ~ '\d\.delta$')"
            ).fetchall()
        return [str(row[0]) for row in rows]

    def assert_whole(self) -> None:
        """Assert that consumers see the source, that the books add up, and that nothing is left over."""
        assert self.consumer_print() == self.source_print()
        assert self.leftovers() == []
        with psycopg.connect(self.target) as connection:
            wrong = connection.execute(
                "SELECT dataset, rows FROM ds_yellow.datasets d WHERE NOT loaded OR rows <> "
                "(SELECT sum(inserted - deleted) FROM ds_yellow.batch_datasets b "
                "WHERE b.dataset = d.dataset AND b.state = 'merged')"
            ).fetchall()
            assert wrong == []
            split = connection.execute(
                "SELECT b.batch_id FROM ds_yellow.batches b JOIN ds_yellow.batch_datasets d USING (stream, batch_id) "
                "WHERE b.state = 'merged' GROUP BY 1, b.rows_read, b.inserted, b.updated, b.deleted HAVING "
                "(b.rows_read, b.inserted, b.updated, b.deleted) IS DISTINCT FROM "
                "(sum(d.rows_read), sum(d.inserted), sum(d.updated), sum(d.deleted))"
            ).fetchall()
            assert split == []
            owners = connection.execute("SELECT owner FROM ds_yellow.streams").fetchall()
            assert owners == [(None,)]


def _each(connection: psycopg.Connection[tuple[object, ...]], statements: str, values: dict[str, int]) -> None:
    for statement in statements.format(**values).split(";"):
        connection.execute(statement.encode())


@contextmanager
def stranger(url: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """Open a session of somebody else."""
    connection = psycopg.connect(url, autocommit=True, application_name="stranger")
    try:
        yield connection
    finally:
        connection.close()
