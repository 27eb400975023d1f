"""SIGINT in the middle of `run --once`, from a real command line."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from crash.shop import DATASETS, Shop

_ECO = """\
from datasurface import *

source = PostgresDatabase("src", host={host!r}, port={port}, database={source!r}, credential="src")
target = PostgresDatabase("dst", host={host!r}, port={port}, database={target!r}, credential="dst")
ecosystem = Ecosystem(
    "acme",
    owner=GitHubRepository("acme/model"),
    platforms=[YellowPlatform("yellow", container=target)],
    zones=[GovernanceZone("usa", teams=[Team("sales",
        datastores=[Datastore("shop", capture=Snapshot(source, every="1 minute"), datasets=[
            Dataset("big", columns=[Column("id", BigInt, key=True), Column("name", String(40)),
                                    Column("amount", Decimal(12, 2)), Column("at", Timestamp)]),
            Dataset("small", columns=[Column("code", String(20), key=True), Column("value", Integer)]),
            Dataset("keyless", columns=[Column("a", Integer), Column("b", String)])])],
        workspaces=[Workspace("reports", groups=[DatasetGroup("all", history=History.FULL,
            sinks=["shop.big", "shop.small", "shop.keyless"])])])])],
)
"""


def _folder(shop: Shop) -> Path:
    source, target = urlsplit(shop.source), urlsplit(shop.target)
    text = _ECO.format(host=source.hostname, port=source.port, source=source.path[1:], target=target.path[1:])
    folder = Path(shop.folder) / "model"
    folder.mkdir()
    (folder / "eco.py").write_text(text)
    assert {d.name for d in DATASETS} == {"big", "small", "keyless"}
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("times", [1, 2], ids=["once", "twice"])
def test_interrupted(two_databases: tuple[str, str], tmp_path: Path, times: int) -> None:
    """The first lets the running batch end, the second ends it at once; either way the next run is right."""
    shop = Shop(*two_databases, str(tmp_path), rows=20_000)
    shop.fill()
    command = [sys.executable, "-m", "datasurface", "-m", str(_folder(shop))]
    environ = shop.secrets()
    subprocess.run([*command, "apply", "--yes"], env=environ, check=True, capture_output=True)
    with psycopg.connect(shop.source, autocommit=True) as source:
        source.execute("ALTER TABLE big RENAME TO big_table")
        source.execute(
            "CREATE VIEW big AS SELECT CASE WHEN id % 20 = 0 THEN id + length(pg_sleep(0.002)::text) ELSE id END id, "
            "name, amount, at FROM big_table"
        )
        child = subprocess.Popen([*command, "run", "--once"], env=environ, stdout=-1, stderr=-1, text=True)
        _until_reading(shop)
        for _ in range(times):
            child.send_signal(signal.SIGINT)
            time.sleep(0.5)
        _, said = child.communicate(timeout=60)
        assert child.returncode == 130, said
        assert "Traceback" not in said
        source.execute("DROP VIEW big")
        source.execute("ALTER TABLE big_table RENAME TO big")
    counts = [row[0] for row in shop.consumer_print()]
    assert counts == ([row[0] for row in shop.source_print()] if times == 1 else [0, 0, 0])
    again = subprocess.run([*command, "run", "--once"], env=environ, check=False, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    shop.assert_whole()
    assert [row[:2] for row in shop.ledger()] == [(n, "merged") for n in range(1, len(shop.ledger()) + 1)]


def _until_reading(shop: Shop) -> None:
    deadline = time.monotonic() + 30
    with psycopg.connect(shop.target, autocommit=True) as target:
        while not target.execute("SELECT FROM ds_yellow.batches WHERE state = 'open'").fetchall():
            assert time.monotonic() < deadline
            time.sleep(0.02)
    time.sleep(0.3)
