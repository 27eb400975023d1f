"""The models that are measured, written as folders with an `eco.py`."""

from __future__ import annotations

from pathlib import Path

from benchmarks.server import Server

__all__ = ["orders_model", "small_tables_model"]

_ORDERS = """from datasurface import *

source = PostgresDatabase("source", host={host!r}, port={port}, database={source!r}, tls=Tls.DISABLE)
target = PostgresDatabase("target", host={host!r}, port={port}, database={target!r}, tls=Tls.DISABLE)

ecosystem = Ecosystem(
    "bench",
    owner=LocalRepository("."),
    platforms=[YellowPlatform("yellow", container=target, credential="bench")],
    zones=[GovernanceZone("zone", teams=[Team("team",
        datastores=[Datastore("shop",
            capture=Snapshot(source, credential="bench", every="1 hour"),
            datasets=[Dataset("orders", columns=[
                Column("o_orderkey", BigInt, key=True),
                Column("o_custkey", BigInt, nullable=False),
                Column("o_orderstatus", FixedString(1), nullable=False),
                Column("o_totalprice", Decimal(15, 2), nullable=False),
                Column("o_orderdate", Date, nullable=False),
                Column("o_orderpriority", String(15), nullable=False),
                Column("o_clerk", String(15), nullable=False),
                Column("o_shippriority", Integer, nullable=False),
                Column("o_comment", String(79), nullable=False),
                Column("updated_at", Timestamp, nullable=False)])])],
        workspaces=[Workspace("reports", groups=[
            DatasetGroup("all", sinks=["shop.orders"], history=History.{history})])],
    )])],
)
"""

_SMALL = """from datasurface import *

source = PostgresDatabase("source", host={host!r}, port={port}, database={source!r}, tls=Tls.DISABLE)
names = [f"store_{{i:04}}" for i in range({streams})]


def store(name):
    return Datastore(name, capture=Snapshot(source, credential="bench", every="1 minute"), datasets=[
        Dataset("items", source=name, columns=[
            Column("id", Integer, key=True),
            Column("name", String(40)),
            Column("price", Decimal(10, 2)),
            Column("updated_at", Timestamp)])])


ecosystem = Ecosystem(
    "bench",
    owner=LocalRepository("."),
    platforms=[YellowPlatform("yellow")],
    zones=[GovernanceZone("zone", teams=[Team("team",
        datastores=[store(name) for name in names],
        workspaces=[Workspace("reports", groups=[
            DatasetGroup("live", sinks=[f"{{name}}.items" for name in names[::2]]),
            DatasetGroup("audit", sinks=[f"{{name}}.items" for name in names[1::2]], history=History.FULL)])],
    )])],
)
"""


def orders_model(folder: Path, server: Server, source: str, target: str, *, milestoned: bool) -> Path:
    """Write the model of the one large table, both databases on one server, and return its folder."""
    history = "FULL" if milestoned else "LIVE"
    values = {"host": server.host, "port": server.port, "source": source, "target": target, "history": history}
    return _write(folder, _ORDERS.format(**values))


def small_tables_model(folder: Path, *, host: str, port: int, source: str, streams: int) -> Path:
    """Write the model of many small tables on the embedded default, half live and half with history."""
    return _write(folder, _SMALL.format(host=host, port=port, source=source, streams=streams))


def _write(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "eco.py").write_text(text, encoding="utf-8")
    return folder
