"""`datasurface job`: what schedulers start, its exit codes, its last line, and that it leaves nothing to repair."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from command_line import Project, Running, project
from datasurface.release.needs import SystemJob
from datasurface.release.platform_file import platform_file, read_platform_file
from datasurface.runtime.folder import read_folder
from datasurface.runtime.progress import NullProgress
from datasurface.runtime.system_jobs import SystemResult, run_system
from datasurface.runtime.task import run_streams
from datasurface.runtime.verdict import Verdict, verdict_of

NOWHERE = 'PostgresDatabase("gone", host="127.0.0.1", port=1, database="nothing")'


@pytest.fixture
def shop() -> Iterator[Project]:
    with project() as made:
        yield made


def described(shop: Project) -> Path:
    """Write the platform file of the model as it is."""
    path = shop.folder / "yellow.json"
    path.write_text(platform_file(read_folder(shop.folder, None, shop.environ).release.platforms[0]))
    return path


def job(shop: Project, *arguments: str, code: int) -> dict[str, Any]:
    """Run a job, and return its last line; there is no other."""
    done = shop.run("job", *arguments, "--platform-file", "yellow.json", code=code)
    (line,) = done.stdout.splitlines()
    told: dict[str, Any] = json.loads(line)
    assert told["exit"] == code
    return told


def ran(shop: Project, stream: str) -> tuple[str, Verdict]:
    """Run one batch in this process, and return its state and what a scheduler makes of it."""
    platform = read_platform_file(shop.folder / "yellow.json")
    (report,) = run_streams(
        platform, [stream], shop.folder, shop.environ, progress=NullProgress(), stop=threading.Event()
    )
    return report.state, verdict_of(report)


def system(shop: Project, kind: SystemJob) -> SystemResult:
    """Do a job of the system in this process."""
    return run_system(kind, read_platform_file(shop.folder / "yellow.json"), shop.folder, shop.environ)


def ask(uri: str, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(uri, autocommit=True) as connection:
        found = connection.execute(statement.encode())
        return found.fetchall() if found.description else []


def states(told: dict[str, Any]) -> dict[str, tuple[str, int]]:
    return {found["stream"]: (found["state"], found["exit"]) for found in told["streams"]}


def test_exit_codes_tell_a_scheduler_what_to_make_of_it(shop: Project) -> None:
    described(shop)
    assert "no release is active on platform 'yellow'" in job(shop, "crm", code=75)["error"]
    shop.run("apply", "--yes")
    (shop.folder / "eco.py").unlink()
    first = job(shop, "crm", code=0)
    assert first["streams"][0] | {"seconds": 0} == {
        "stream": "crm",
        "state": "merged",
        "exit": 0,
        "batch": 1,
        "rows_read": 20,
        "inserted": 20,
        "updated": 0,
        "deleted": 0,
        "seconds": 0,
        "changed": True,
        "error": None,
    }
    assert states(job(shop, "crm", code=99)) == {"crm": ("idle", 99)}
    assert states(job(shop, "crm", "--idle-exit", "0", code=0)) == {"crm": ("idle", 99)}
    assert ran(shop, "none") == ("absent", Verdict.AGAIN)
    assert "name streams" in shop.run("job", "--platform-file", "yellow.json", code=2).stderr
    assert "without a name" in shop.run("job", "crm", "", "--platform-file", "yellow.json", code=2).stderr
    assert "cannot be read" in shop.run("job", "crm", "--platform-file", "no.json", code=2).stderr


def test_a_first_load_of_no_rows_is_a_change(shop: Project) -> None:
    shop.rows(0)
    shop.run("apply", "--yes")
    described(shop)
    assert ran(shop, "crm") == ("idle", Verdict.CHANGED)
    assert ran(shop, "crm") == ("idle", Verdict.NOTHING)


def test_several_streams_share_a_process_and_one_that_fails_stops_no_other(shop: Project) -> None:
    stores = ['store("crm")', f'store("gone", source={NOWHERE})', 'store("torn", table="none")', 'store("wms")']
    shop.model(f"[{', '.join(stores)}]")
    shop.run("apply", "--yes")
    described(shop)
    told = job(shop, "crm", "gone", "torn", "wms", code=1)
    assert states(told) == {"crm": ("merged", 0), "gone": ("failed", 75), "torn": ("failed", 1), "wms": ("merged", 0)}


def test_a_merge_database_out_of_reach_is_tried_again(shop: Project) -> None:
    shop.model('[store("crm")]', platform=NOWHERE)
    described(shop)
    told = job(shop, "crm", code=75)
    assert "DS-303" in told["error"]
    assert "127.0.0.1" in told["error"]
    assert "streams" not in told


def test_a_stop_ends_the_batch_that_runs_and_begins_no_other_and_a_kill_leaves_nothing_to_repair(shop: Project) -> None:
    shop.postgres_source()
    source = shop.uri("shop")
    ask(source, "CREATE TABLE orders (id bigint PRIMARY KEY, name varchar(40))")
    ask(source, "INSERT INTO orders SELECT i, 'n' FROM generate_series(1, 5) i")
    shop.model('[store("crm", source=SHOP), store("wms", source=SHOP)]')
    shop.run("apply", "--yes")
    described(shop)
    command = ("job", "crm", "wms", "--platform-file", "yellow.json")
    with psycopg.connect(source) as locked:
        locked.execute(b"LOCK TABLE orders")
        with shop.running(*command) as killed:
            _until_reading(source, killed)
            killed.signal(signal.SIGKILL)
            killed.code()
    with psycopg.connect(source) as locked:
        locked.execute(b"LOCK TABLE orders")
        with shop.running(*command) as stopped:
            _until_reading(source, stopped)
            stopped.signal(signal.SIGTERM)
            stopped.until("stopping when the batches that run have ended")
            locked.rollback()
            assert stopped.code() == 75
    told = json.loads(stopped.said.splitlines()[-1])
    assert states(told) == {"crm": ("merged", 0), "wms": ("stopped", 75)}
    assert told["streams"][0]["batch"] == 1
    assert shop.query("SELECT count(*) FROM reports_all.crm_orders") == [(5,)]


def _until_reading(source: str, running: Running) -> None:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'shop' AND wait_event_type = 'Lock'"
    running.wait_for(lambda: ask(source, waiting) == [(1,)], what="it reads")


def test_jobs_of_the_system(shop: Project) -> None:
    shop.run("apply", "--yes")
    described(shop)
    assert ran(shop, "crm") == ("merged", Verdict.CHANGED)
    proved = system(shop, SystemJob.AUDIT)
    assert (proved.verdict, proved.told["ok"], proved.error) == (Verdict.CHANGED, True, "")
    uri = shop.uri()
    ask(uri, "UPDATE ds_yellow.\"crm.orders\" SET name = 'false' WHERE id = 7")
    wrong = job(shop, "--system", "audit", code=1)
    assert (wrong["system"], wrong["error"]) == ("audit", "crm orders: 1 keys wrong")
    assert wrong["result"]["ok"] is False
    same = system(shop, SystemJob.SECURITY)
    assert (same.verdict, same.told) == (Verdict.NOTHING, {"done": [], "waiting": [], "unsafe": []})
    ask(uri, 'REVOKE SELECT ON reports_all.crm_orders FROM "ds.acme.yellow.r.reports.all"')
    synced = system(shop, SystemJob.SECURITY)
    assert (synced.verdict, bool(synced.told["done"])) == (Verdict.CHANGED, True)
    kept = system(shop, SystemJob.RETENTION)
    assert (kept.verdict, set(kept.told.values())) == (Verdict.NOTHING, {0})
    assert ran(shop, "crm") == ("merged", Verdict.CHANGED)
    ask(uri, "UPDATE ds_yellow.ledger SET finished_at = now() - interval '500 days' WHERE batch_id = 1")
    forgotten = system(shop, SystemJob.RETENTION)
    assert (forgotten.verdict, forgotten.told["batches"]) == (Verdict.CHANGED, 1)


def test_the_ledger_remembers_the_memory_of_the_whole_process_tree(shop: Project) -> None:
    (shop.folder / "big.py").write_text(
        "import time\n\n\ndef run(context):\n    held = bytearray(200_000_000)\n    time.sleep(0.5)\n"
        "    context.output('all').write([(len(held),)])\n"
    )
    output = 'Datastore("sizes", datasets=[Dataset("all", columns=[Column("size", BigInt, key=True)])])'
    orders = 'DatasetGroup("orders", sinks=["crm.orders"])'
    code = f'DataTransformer("big", code=PythonModule("big:run"), output={output})'
    shop.model(
        '[store("crm")]',
        workspaces=f'[Workspace("w", groups=[{orders}], transformer={code}), '
        'Workspace("reports", groups=[DatasetGroup("all", sinks=["sizes.all"])])]',
    )
    shop.run("apply", "--yes")
    described(shop)
    job(shop, "crm", "sizes", code=0)
    (batch,) = shop.json("history", "sizes")["batches"]
    ((small,),) = shop.query("SELECT memory FROM ds_yellow.ledger WHERE stream = 'crm'")
    big = batch["memory"]
    assert 30_000_000 < small < 200_000_000
    assert small + 150_000_000 < big < small + 500_000_000
    learned = json.loads(shop.run("deploy", "learn").stdout)["yellow"]
    assert big <= learned["sizes"]["memory"] < big * 1.25, "rounded up, so that files do not change by noise"
    assert (learned["sizes"]["batches"], learned["sizes"]["seconds"] > 0.5) == (1, True)
