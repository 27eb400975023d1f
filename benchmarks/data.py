"""The rows: like TPC-H's orders, with a time of change. The same for the same number of rows, wherever they are made.

Version 2 is version 1 with 1 % changed: 0.8 % of the rows updated, 0.1 % deleted and 0.1 % inserted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

__all__ = ["COLUMNS", "TABLE", "Change", "change_of", "checksum", "make_source", "show_version"]

TABLE = "orders"
COLUMNS = {
    "o_orderkey": "bigint",
    "o_custkey": "bigint",
    "o_orderstatus": "char(1)",
    "o_totalprice": "numeric(15,2)",
    "o_orderdate": "date",
    "o_orderpriority": "varchar(15)",
    "o_clerk": "varchar(15)",
    "o_shippriority": "integer",
    "o_comment": "varchar(79)",
    "updated_at": "timestamptz",
}
"""Name and type; the first is the key."""

_MINIMUM = 100
_UPDATED = "i % 125 = 3"
_DELETED = "i % 1000 = 7"
# Keys are sparse as TPC-H's are: eight of each 32.
_ROWS = """
SELECT (i - 1) / 8 * 32 + (i - 1) % 8 + 1,
       1 + (i * 7919) % 150000,
       CASE WHEN {changed} THEN 'F' WHEN i % 2 = 0 THEN 'O' ELSE 'P' END,
       (100000 + (i * 104729) % 40000000)::numeric / 100 + CASE WHEN {changed} THEN 1 ELSE 0 END,
       DATE '1992-01-01' + (i % 2406)::integer,
       (ARRAY['1-URGENT', '2-HIGH', '3-MEDIUM', '4-NOT SPECIFIED', '5-LOW'])[1 + i % 5],
       'Clerk#' || lpad((i % 1000)::text, 9, '0'),
       0,
       left(repeat(md5(i::text), 3), 19 + (i % 60)::integer),
       TIMESTAMPTZ '2024-01-01 00:00:00+00' + i * INTERVAL '1 second'
         + CASE WHEN {changed} THEN INTERVAL '400 days' ELSE INTERVAL '0' END
FROM generate_series(1::bigint, {last}) AS i WHERE NOT ({gone})
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a batch finds when it reads version 2 after version 1."""

    inserted: int
    updated: int
    deleted: int

    @property
    def back(self) -> Change:
        """What it finds when it reads version 1 after version 2."""
        return Change(inserted=self.deleted, updated=self.updated, deleted=self.inserted)


def change_of(rows: int) -> Change:
    """Return what differs between the versions of a table of `rows` rows."""
    return Change(inserted=_inserted(rows), updated=(rows - 3) // 125 + 1, deleted=(rows - 7) // 1000 + 1)


def _inserted(rows: int) -> int:
    return max(1, rows // 1000)


def make_source(connection: psycopg.Connection[Any], rows: int) -> None:
    """Make both versions in an empty database; readers see version 1."""
    if rows < _MINIMUM:
        raise SystemExit(f"at least {_MINIMUM} rows, please: 1 % of fewer is not a row each")
    connection.execute("SET max_parallel_maintenance_workers = 2")
    _make_version(connection, "v1", last=rows, changed="false", gone="false")
    _make_version(
        connection, "v2", last=rows + _inserted(rows), changed=f"i <= {rows} AND {_UPDATED}", gone=_gone(rows)
    )
    connection.execute("ALTER TABLE v1.orders SET SCHEMA public")


def _gone(rows: int) -> str:
    return f"i <= {rows} AND {_DELETED}"


def _make_version(connection: psycopg.Connection[Any], schema: str, *, last: int, changed: str, gone: str) -> None:
    columns = ", ".join(f"{name} {kind} NOT NULL" for name, kind in COLUMNS.items())
    connection.execute(f"CREATE SCHEMA {schema}")
    connection.execute(f"CREATE TABLE {schema}.orders ({columns})")
    connection.execute(f"INSERT INTO {schema}.orders {_ROWS.format(last=last, changed=changed, gone=gone)}")
    connection.execute(f"ALTER TABLE {schema}.orders ADD PRIMARY KEY (o_orderkey)")
    connection.execute(f"VACUUM (FREEZE, ANALYZE) {schema}.orders")


def show_version(connection: psycopg.Connection[Any], version: int) -> None:
    """Let readers of `public.orders` find version 1 or 2; costs nothing, whatever the size."""
    wanted, other = f"v{version}", f"v{3 - version}"
    hidden = connection.execute("SELECT to_regclass(%s) IS NOT NULL", [f"{wanted}.orders"]).fetchone()
    if hidden is None or not hidden[0]:
        return
    with connection.transaction():
        connection.execute(f"ALTER TABLE public.orders SET SCHEMA {other}")
        connection.execute(f"ALTER TABLE {wanted}.orders SET SCHEMA public")


def checksum(connection: psycopg.Connection[Any], relation: str, where: str = "true") -> tuple[int, int]:
    """Return the number of rows and a sum of hashes over the values that every tool keeps in some exact type."""
    values = "o_orderkey, o_custkey, o_orderstatus::text, o_totalprice::numeric(15,2), o_orderdate, o_comment"
    query = f"SELECT count(*), coalesce(sum(hashtextextended(ROW({values})::text, 0)), 0) FROM {relation} WHERE {where}"
    row = connection.execute(sql.SQL(query)).fetchone()
    if row is None:
        raise SystemExit(f"{relation} cannot be read")
    return int(row[0]), int(row[1])
