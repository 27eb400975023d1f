"""Bad days: each ends in a message that says what, where and what to do, and data as before the batch or after it."""

from __future__ import annotations

import os
import secrets as random_names
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from crash.child import Moment, run_until_done, writer
from crash.shop import Shop, stranger
from datasurface.engine.batch import Outcome
from datasurface.errors import DataSurfaceError, SourceError, StoreError, TransientError
from datasurface.runtime.job import JobRunner
from datasurface.runtime.platform import open_platform
from servers import Server
from workbench import Workbench, compiled, workbench


@pytest.fixture
def shop(two_databases: tuple[str, str], tmp_path: Path) -> Shop:
    found = Shop(*two_databases, str(tmp_path))
    found.fill()
    return found


@pytest.fixture
def bench(shop: Shop, tmp_path: Path) -> Iterator[Workbench]:
    with workbench(shop.ecosystem(), shop.target, tmp_path, shop.secrets()) as found:
        found.run()
        shop.change(1)
        yield found


def _run_in_new_process(shop: Shop, environ: dict[str, str]) -> str:
    """Open the platform and run as a new process would; return the error."""
    try:
        with open_platform(compiled(shop.ecosystem()).platforms[0], Path(shop.folder), environ) as running:
            result = JobRunner(running, retries=()).run(*running.job("shop"))
    except (StoreError, SourceError, TransientError) as error:
        return str(error)
    assert result.outcome is Outcome.FAILED
    return result.error


# -- the merge database


@pytest.mark.slow
def test_merge_database_refuses_the_password(shop: Shop, bench: Workbench) -> None:
    wrong = {**shop.secrets(), "DATASURFACE_DST_PASSWORD": "not the one"}
    error = _run_in_new_process(shop, wrong)
    assert "merge database" in error
    assert "password authentication failed" in error
    assert "not the one" not in error
    bench.run()
    shop.assert_whole()


def test_merge_database_is_read_only(shop: Shop, bench: Workbench) -> None:
    before = shop.consumer_print()
    name = shop.target.rpartition("/")[2]
    with stranger(shop.target) as somebody:
        somebody.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'.encode())
        began = time.monotonic()
        error = _run_in_new_process(shop, shop.secrets())
        assert time.monotonic() - began < 10
        assert "merge database" in error
        assert "read-only transaction" in error
        assert shop.consumer_print() == before
        somebody.execute("SET default_transaction_read_only = off")
        somebody.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only'.encode())
    assert bench.run().outcome is Outcome.MERGED
    shop.assert_whole()


@pytest.mark.slow
def test_merge_database_is_gone(shop: Shop, bench: Workbench, tmp_path: Path) -> None:
    assert bench.plan().empty
    lost = Shop(shop.source, shop.target + "_gone", str(tmp_path))
    assert "does not exist" in _run_in_new_process(lost, lost.secrets())


# -- the source

SPOILED = [
    (
        "DROP TABLE small",
        "public.small",
        "CREATE TABLE small AS SELECT 'c' || g code, g value FROM generate_series(1, 100) g",
    ),
    (
        "ALTER TABLE small RENAME COLUMN value TO other",
        "no column 'value'",
        "ALTER TABLE small RENAME COLUMN other TO value",
    ),
    (
        "ALTER TABLE small ALTER value TYPE text",
        "column 'value' is text",
        "ALTER TABLE small ALTER value TYPE int USING value::int",
    ),
    ("ALTER TABLE small RENAME TO smaller", "public.small", "ALTER TABLE smaller RENAME TO small"),
]


@pytest.mark.parametrize(
    ("spoil", "said", "mend"),
    [pytest.param(*s, id=s[0], marks=[pytest.mark.slow] if s is not SPOILED[2] else []) for s in SPOILED],
)
def test_a_source_table_changes_between_batches(shop: Shop, bench: Workbench, spoil: str, said: str, mend: str) -> None:
    before = shop.consumer_print()
    with stranger(shop.source) as somebody:
        somebody.execute(spoil.encode())
        result = bench.run()
        assert result.outcome is Outcome.FAILED
        assert said in result.error
        assert result.seconds < 5, "a permanent fault is not tried again"
        assert shop.consumer_print() == before
        assert shop.leftovers() == []
        somebody.execute(mend.encode())
        if "DROP" in spoil:
            somebody.execute("ALTER TABLE small ADD PRIMARY KEY (code), ALTER code TYPE varchar(20)")
    after = bench.run()
    assert (after.outcome, after.batch_id) == (Outcome.MERGED, 3)
    assert bench.rows("SELECT state, error FROM ds_yellow.batches WHERE batch_id = 2") == [("failed", result.error)]
    shop.assert_whole()


@pytest.mark.slow
def test_permission_denied_at_the_source(shop: Shop, bench: Workbench) -> None:
    role = f"reader_{random_names.token_hex(4)}"
    before = shop.consumer_print()
    with stranger(shop.source) as somebody:
        somebody.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'x'; GRANT SELECT ON big, keyless TO {role}".encode())
        try:
            environ = {**shop.secrets(), "DATASURFACE_SRC_USER": role, "DATASURFACE_SRC_PASSWORD": "x"}
            error = _run_in_new_process(shop, environ)
            assert "public.small" in error
            assert shop.consumer_print() == before
            environ["DATASURFACE_SRC_PASSWORD"] = "wrong"
            assert "password authentication failed" in _run_in_new_process(shop, environ)
        finally:
            somebody.execute(f"DROP OWNED BY {role}; DROP ROLE {role}".encode())
    assert bench.run().outcome is Outcome.MERGED
    shop.assert_whole()


@pytest.mark.parametrize(
    "statement",
    [
        "TRUNCATE small",
        *(
            pytest.param(other, marks=pytest.mark.slow)
            for other in ("ALTER TABLE small ALTER value TYPE bigint", "DROP TABLE small", "DROP TABLE big")
        ),
    ],
)
def test_a_source_table_is_changed_while_it_is_read(shop: Shop, bench: Workbench, statement: str) -> None:
    """Somebody's change waits until the read has ended, so nothing looks empty that was not."""
    truth = shop.source_print()
    with writer(shop, Moment(rows=5_000, signal=0, pause=1.5)) as slow, stranger(shop.source) as somebody:
        slow.go()
        time.sleep(0.7)
        thread = threading.Thread(target=somebody.execute, args=[statement])
        thread.start()
        answer = slow.answer()
        thread.join()
        assert answer is not None
        assert answer.outcome == "merged", answer
        assert shop.consumer_print() == truth
        assert somebody.execute("SELECT 1").fetchone() == (1,)
    assert bench.rows("SELECT count(*) FROM ds_yellow.batches WHERE state = 'merged'") == [(2,)]


# -- connections that are lost


def _cut(url: str, query: str, stop: threading.Event, *, times: int = 1) -> Callable[[], None]:
    """Return what ends sessions that run something like `query`, a number of times."""

    def cut() -> None:
        ended = 0
        with stranger(url) as somebody:
            while ended < times and not stop.is_set():
                rows = somebody.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
                    "AND application_name = 'datasurface' AND state = 'active' AND query LIKE %s",
                    [query],
                ).fetchall()
                ended += len(rows)
                time.sleep(0.01)

    return cut


@contextmanager
def _slowly(shop: Shop) -> Iterator[None]:
    """Let reading the large table take about a second."""
    with stranger(shop.source) as somebody:
        somebody.execute("ALTER TABLE big RENAME TO big_table")
        somebody.execute(
            "CREATE VIEW big AS SELECT CASE WHEN id % 50 = 0 THEN id + length(pg_sleep(0.002)::text) ELSE id END id, "
            "name, amount, at FROM big_table"
        )
        yield
        somebody.execute("DROP VIEW big")
        somebody.execute("ALTER TABLE big_table RENAME TO big")


@pytest.mark.parametrize("which", ["source", pytest.param("merge database", marks=pytest.mark.slow)])
def test_a_connection_is_lost_in_copy_and_the_batch_tried_again(shop: Shop, bench: Workbench, which: str) -> None:
    url, query = (shop.source, "COPY (%") if which == "source" else (shop.target, "COPY %")
    stop = threading.Event()
    thread = threading.Thread(target=_cut(url, query, stop))
    with _slowly(shop):
        thread.start()
        result = bench.run()
        cut = not thread.is_alive()
        stop.set()
        thread.join()
    assert cut, "no connection was cut"
    assert (result.outcome, result.batch_id) == (Outcome.MERGED, 2)
    shop.assert_whole()


@pytest.mark.slow
def test_a_connection_that_is_lost_again_and_again_fails_the_batch(shop: Shop, bench: Workbench) -> None:
    before = shop.consumer_print()
    stop = threading.Event()
    with _slowly(shop):
        thread = threading.Thread(target=_cut(shop.source, "COPY (%", stop, times=1_000))
        thread.start()
        result = bench.run()
        stop.set()
        assert result.outcome is Outcome.FAILED
        assert "src" in result.error
        assert "terminating connection" in result.error
        assert shop.consumer_print() == before
        assert shop.leftovers() == []
        thread.join(60)
    assert run_until_done(bench.run).outcome is Outcome.MERGED
    shop.assert_whole()


# -- a full disk


@contextmanager
def _small_disk(server: Server) -> Iterator[str]:
    """Mount a disk of 24 MB and make a tablespace of it."""
    with stranger(server.url) as somebody:
        data = str((somebody.execute("SHOW data_directory").fetchone() or [""])[0])
        base = tempfile.mkdtemp(prefix="dsfull-")
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", base], check=False, capture_output=True
        )
        if mounted.returncode:
            Path(base).rmdir()
            pytest.skip("only root may mount the small disk that this test fills")
        owner = Path(data).stat()
        os.chown(base, owner.st_uid, owner.st_gid)
        Path(base).chmod(0o700)
        name = f"full_{random_names.token_hex(4)}"
        try:
            somebody.execute(f"CREATE TABLESPACE {name} LOCATION '{base}'".encode())
            yield name
        finally:
            _drop_tablespace(server, name)
            subprocess.run(["umount", "-l", base], check=True)
            shutil.rmtree(base, ignore_errors=True)


def _drop_tablespace(server: Server, name: str) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            with stranger(server.url) as somebody:
                somebody.execute(f"DROP TABLESPACE IF EXISTS {name}".encode())
                return
        except psycopg.Error:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount the small disk that this test fills")
@pytest.mark.parametrize(
    "loaded", [pytest.param(False, marks=pytest.mark.slow, id="first load"), pytest.param(True, id="again")]
)
def test_the_disk_is_full(server: Server, tmp_path: Path, loaded: bool) -> None:
    with server.database() as source, _small_disk(server) as disk:
        name = f"test_{random_names.token_hex(6)}"
        with stranger(server.url) as somebody:
            somebody.execute(f'CREATE DATABASE "{name}" TABLESPACE {disk} STRATEGY file_copy'.encode())
            try:
                _fill_the_disk(Shop(source, server.with_database(name), str(tmp_path), rows=30_000), loaded)
            finally:
                somebody.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


def _fill_the_disk(shop: Shop, loaded: bool) -> None:
    shop.fill()
    with (
        workbench(shop.ecosystem(), shop.target, Path(shop.folder), shop.secrets()) as bench,
        stranger(shop.target) as somebody,
    ):
        if loaded:
            bench.run()
            shop.change(1)
        before = shop.consumer_print()
        somebody.execute("CREATE TABLE theirs (text text)")
        _until_full(somebody)
        result = _run(bench)
        assert "disk is full" in result
        assert "merge database" in result
        assert shop.consumer_print() == before
        somebody.execute("DROP TABLE theirs")
        assert run_until_done(bench.run).outcome is Outcome.MERGED
        shop.assert_whole()


def _until_full(somebody: psycopg.Connection[tuple[object, ...]]) -> None:
    while True:
        try:
            somebody.execute("INSERT INTO theirs SELECT repeat('x', 1000) FROM generate_series(1, 200)")
        except psycopg.errors.DiskFull:
            return


def _run(bench: Workbench) -> str:
    """Run and return the error, however it is told."""
    try:
        result = bench.run()
    except DataSurfaceError as error:
        return str(error)
    assert result.outcome is Outcome.FAILED
    return result.error


# -- clocks that jump


@pytest.mark.parametrize(
    "jump", ["+1 day", *(pytest.param(j, marks=pytest.mark.slow) for j in ("-1 day", "+1 second"))]
)
def test_a_heartbeat_from_another_time_locks_nobody_out(
    two_databases: tuple[str, str], tmp_path: Path, jump: str
) -> None:
    """An owner on another machine that cannot be asked whether it lives; its last sign has a time that is not now."""
    shop = Shop(*two_databases, str(tmp_path), silence=2, rows=2_000)
    shop.fill()
    with workbench(shop.ecosystem(), shop.target, tmp_path, shop.secrets(), silence=2) as bench:
        bench.run()
        with stranger(shop.target) as somebody:
            somebody.execute(
                "UPDATE ds_yellow.streams "
                "SET owner = 'elsewhere:1:1/1/1/a', heartbeat = clock_timestamp() + %s::interval",
                [jump],
            )
        began = time.monotonic()
        shop.change(1)
        assert run_until_done(bench.run, 20).outcome is Outcome.MERGED
        assert time.monotonic() - began < 8
        shop.assert_whole()


def test_the_sources_clock_goes_backwards(shop: Shop, bench: Workbench) -> None:
    with stranger(shop.target) as somebody:
        somebody.execute("UPDATE ds_yellow.streams SET read_at = clock_timestamp() + interval '1 hour'")
        for number in (2, 3):
            bench.run()
            shop.change(number)
        bench.run()
        wrong = somebody.execute(
            "SELECT count(*) FROM reports_all.shop_big_history WHERE ds_valid_to < ds_valid_from"
        ).fetchone()
        assert wrong == (0,)
        times: list[Any] = [
            row[0] for row in somebody.execute("SELECT read_at FROM ds_yellow.ledger ORDER BY batch_id").fetchall()
        ]
        assert times == sorted(times)
    shop.assert_whole()
