"""The long-lived `run`: stopped by signals, busy streams, a new release, a merge database that goes and returns."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from command_line import Project, Running, project


@pytest.fixture
def shop() -> Iterator[Project]:
    """A project that reads a database `shop` on its own embedded server, with one batch merged."""
    with project() as made:
        made.postgres_source()
        made.model('[store("crm", source=SHOP, every="2 seconds")]')
        made.query(
            "CREATE TABLE orders AS SELECT g::bigint AS id, 'n'::varchar(40) AS name FROM generate_series(1, 20) g",
            "shop",
        )
        made.run("run", "--once")
        yield made


@contextmanager
def blocked(shop: Project, *arguments: str) -> Iterator[tuple[Running, psycopg.Connection[tuple[object, ...]]]]:
    """Run a command whose batch cannot go on, because the source's table is locked until the transaction ends."""
    with psycopg.connect(shop.uri("shop")) as holder:
        holder.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
        with shop.running(*arguments) as running, psycopg.connect(shop.uri("shop"), autocommit=True) as watcher:
            waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
            running.wait_for(lambda: watcher.execute(waiting).fetchone() != (0,), what="the batch waits")
            yield running, holder


def test_sigterm_lets_the_batch_end(shop: Project) -> None:
    with blocked(shop, "run") as (running, holder):
        assert shop.json("status")["platforms"][0]["streams"][0]["state"] == "running"
        assert "it runs now: process" in shop.run("explain", "crm").stdout
        busy = shop.run("run", "--once", code=1)
        assert "state=busy" in busy.stderr
        assert "is busy" in shop.run("reset", "crm", code=1).stderr
        running.signal(signal.SIGTERM)
        running.until("stopping when the batches that run have ended")
        assert running.process.poll() is None
        holder.rollback()
        assert running.code() == 0
        assert "stopped" in running.said
        assert "Traceback" not in running.said
    assert shop.json("status")["platforms"][0]["streams"][0]["state"] == "idle"


def test_the_first_sigint_is_graceful_and_the_second_is_not(shop: Project) -> None:
    with blocked(shop, "run", "--once") as (running, _):
        running.signal(signal.SIGINT)
        running.until("stopping when the batches that run have ended")
        assert running.process.poll() is None
        running.signal(signal.SIGINT)
        assert running.code(10) == 130
    assert shop.run("run", "--once").stdout == "1 stream: 1 idle; 0 rows changed\n"
    with shop.running("run") as running:
        running.until("following the schedules of 1 stream")
        running.signal(signal.SIGINT)
        assert running.code() == 130


def test_it_follows_releases_and_brings_its_database_back(shop: Project) -> None:
    with shop.running("run") as running:
        running.until("stream=crm batch=3 state=idle")
        shop.model('[store("crm", source=SHOP, every="2 seconds"), store("erp", source=SHOP, every="2 seconds")]')
        shop.run("apply", "--yes")
        running.until("stream=erp batch=1 state=merged read=20 inserted=20")
        first = shop.json("local", "status")["servers"][0]["pid"]
        os.kill(first, signal.SIGKILL)
        again = _another_server(shop, first)
        assert again != first, "the scheduler brings its server back by itself"
        shop.query("INSERT INTO orders VALUES (21, 'late')", "shop")
        running.until(r"stream=crm batch=\d+ state=merged read=21 inserted=1")
        running.until(r"stream=erp batch=\d+ state=merged read=21 inserted=1")
        running.signal(signal.SIGTERM)
        assert running.code() == 0
        assert "Traceback" not in running.said


def _another_server(shop: Project, than: int) -> int | None:
    """Return the process of the embedded server once it is another one than before, and answers."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = shop.json("local", "status")["servers"][0]
        if found["state"] == "running" and found["pid"] not in (None, than):
            return int(found["pid"])
        time.sleep(0.5)
    return None


EARLY = """
import os, signal, sys

class Early:
    def find_spec(self, name, path, target=None):
        if name == "psycopg":
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.SIGTERM)

sys.meta_path.insert(0, Early())
"""
"""Makes the signal come while the drivers are imported, which is most of the time of a start."""


@pytest.mark.parametrize("how", [["run"], ["run", "--once"]])
def test_sigterm_at_the_start_runs_nothing_and_ends_with_0(shop: Project, how: list[str]) -> None:
    (shop.folder / "early").mkdir()
    (shop.folder / "early" / "sitecustomize.py").write_text(EARLY)
    done = shop.run(*how, PYTHONPATH=str(shop.folder / "early"))
    assert "stopped" in done.stdout + done.stderr
    assert [batch["batch"] for batch in shop.json("history", "crm")["batches"]] == [1]
