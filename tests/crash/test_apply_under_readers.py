"""`apply`, view changes and first loads under long-running readers, beside batches, and beside somebody's own views."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import psycopg
import pytest

from crash.child import Moment, run_until_done, writer
from crash.shop import DATASETS, Shop
from datasurface import Column, Dataset, Ecosystem, History, String
from datasurface.engine.batch import Outcome
from datasurface.errors import ApplyBlockedError
from datasurface.runtime.apply import Applied, apply_plan
from datasurface.runtime.job import JobRunner
from datasurface.runtime.plan import Plan, make_plan
from datasurface.runtime.platform import open_platform
from workbench import Workbench, compiled, container, model, workbench

LOCK_TIMEOUT = 2.0


@pytest.fixture
def shop(two_databases: tuple[str, str], tmp_path: Path) -> Shop:
    found = Shop(*two_databases, str(tmp_path), rows=2_000)
    found.fill()
    return found


@pytest.fixture
def bench(shop: Shop, tmp_path: Path) -> Iterator[Workbench]:
    with workbench(shop.ecosystem(), shop.target, tmp_path, shop.secrets()) as found:
        yield found


def changed(shop: Shop, small: Dataset) -> Ecosystem:
    datasets = [small if d.name == "small" else d for d in DATASETS]
    return model(container("src", shop.source), container("dst", shop.target), datasets, history=shop.history)


def without_value() -> Dataset:
    small = DATASETS[1]
    return Dataset("small", columns=[small.columns[0]])


def wider() -> Dataset:
    return Dataset("small", columns=[Column("code", String(50), key=True), DATASETS[1].columns[1]])


@contextmanager
def reading(shop: Shop, view: str = "shop_small") -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """Hold a transaction open that has read a view."""
    with psycopg.connect(shop.target) as connection:
        connection.execute(f"SELECT count(*) FROM reports_all.{view}".encode())
        yield connection
        connection.rollback()


class NewReaders:
    """Somebody who reads a view again and again, each time in a new session, and notes how long that took."""

    def __init__(self, shop: Shop, view: str) -> None:
        self._shop, self._view = shop, view
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._read) for _ in range(3)]
        self.slowest = 0.0
        self.times = 0
        self.errors: list[str] = []

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _read(self) -> None:
        while not self._stop.is_set():
            with psycopg.connect(self._shop.target) as connection:
                began = time.monotonic()
                try:
                    connection.execute(f"SELECT count(*) FROM reports_all.{self._view}".encode())
                except psycopg.Error as error:
                    self.errors.append(str(error))
                self.slowest = max(self.slowest, time.monotonic() - began)
                self.times += 1
                connection.rollback()
            time.sleep(0.02)


@pytest.mark.slow
def test_a_change_waits_for_a_reader_and_new_readers_do_not_wait_long(shop: Shop, bench: Workbench) -> None:
    bench.run()
    before = bench.release.digest
    with reading(shop) as reader, NewReaders(shop, "shop_small") as others:
        applied = bench.apply(changed(shop, without_value()))
        assert not applied.active
        targets = [o.target for o, _ in applied.waiting]
        assert targets[0] == "table shop.small"
        assert set(targets[1:]) <= {"view reports_all.shop_small", "view reports_all.shop_small_history"}
        assert "lock timeout" in applied.waiting[0][1]
        assert bench.rows("SELECT digest FROM ds_yellow.releases WHERE active") == [(before,)]
        assert reader.execute("SELECT count(value) FROM reports_all.shop_small").fetchone() == (100,)
    assert others.errors == []
    assert others.times > 5
    assert others.slowest < LOCK_TIMEOUT + 1
    assert bench.apply().active
    assert bench.plan().empty
    assert bench.rows("SELECT count(*) FROM reports_all.shop_small") == [(100,)]
    with pytest.raises(psycopg.errors.UndefinedColumn):
        bench.rows("SELECT value FROM reports_all.shop_small")


@pytest.mark.slow
def test_an_open_cursor_keeps_its_rows(shop: Shop, bench: Workbench) -> None:
    bench.run()
    with psycopg.connect(shop.target) as connection, connection.cursor("slow") as cursor:
        cursor.execute("SELECT code, value FROM reports_all.shop_small")
        first = cursor.fetchmany(10)
        assert not bench.apply(changed(shop, wider())).active
        shop.change(1)
        assert bench.run().outcome is Outcome.MERGED
        assert len(first + cursor.fetchall()) == 100
    assert bench.apply().active
    shop.change(2)
    bench.run()
    assert shop.consumer_print() == shop.source_print()


def test_a_widened_key_under_somebodys_own_view(shop: Shop, bench: Workbench) -> None:
    """It is named, never dropped; the change waits until its owner has taken it away."""
    bench.run()
    with psycopg.connect(shop.target, autocommit=True) as somebody:
        somebody.execute("CREATE SCHEMA theirs; CREATE VIEW theirs.mine AS SELECT code FROM reports_all.shop_small")
        applied = bench.apply(changed(shop, wider()))
        assert not applied.active
        assert any("theirs.mine" in reason for _, reason in applied.waiting)
        assert somebody.execute("SELECT count(*) FROM theirs.mine").fetchone() == (100,)
        shop.change(1)
        assert bench.run().outcome is Outcome.MERGED
        somebody.execute("DROP VIEW theirs.mine")
    assert bench.apply().active
    shop.change(2)
    bench.run()
    shop.assert_whole()


@pytest.mark.slow
def test_a_first_load_waits_behind_a_reader_and_is_not_read_again(shop: Shop, bench: Workbench) -> None:
    with reading(shop, "shop_big"), NewReaders(shop, "shop_big") as others:
        result = bench.run()
        assert result.outcome is Outcome.WAITING
        assert "lock timeout" in result.error
        assert [row[1] for row in shop.ledger()] == ["staged"]
    assert others.errors == []
    assert others.slowest < LOCK_TIMEOUT + 1
    staged = shop.source_print()
    shop.change(1)
    assert bench.run().batch_id == 1
    assert shop.consumer_print() == staged
    bench.run()
    shop.assert_whole()


def test_readers_come_and_go_while_a_first_load_is_put_in_place(shop: Shop, bench: Workbench) -> None:
    """Readers take the view, then its table; a merge that took them in the other order would deadlock with them."""
    long = threading.Event()

    def leave() -> None:
        with reading(shop, "shop_big"):
            long.set()
            time.sleep(1.2)

    thread = threading.Thread(target=leave)
    with NewReaders(shop, "shop_big_history") as others, NewReaders(shop, "shop_big") as more:
        thread.start()
        long.wait(10)
        result = bench.run()
        thread.join()
    assert result.outcome is Outcome.MERGED
    assert others.errors + more.errors == []
    shop.assert_whole()


@pytest.mark.slow
def test_a_first_load_is_put_in_place_under_somebodys_own_view(shop: Shop, bench: Workbench) -> None:
    with psycopg.connect(shop.target, autocommit=True) as somebody:
        somebody.execute("CREATE SCHEMA theirs; CREATE VIEW theirs.mine AS SELECT * FROM reports_all.shop_small")
        assert bench.run().outcome is Outcome.MERGED
        assert somebody.execute("SELECT count(*) FROM theirs.mine").fetchone() == (100,)
        shop.change(1)
        bench.run()
        assert somebody.execute("SELECT count(*) FROM theirs.mine").fetchone() == (101,)


@pytest.mark.slow
def test_apply_waits_for_a_running_batch(shop: Shop, bench: Workbench) -> None:
    bench.run()
    shop.change(1)
    with writer(shop, Moment(step="merge", signal=0, pause=4)) as slow:
        slow.go()
        time.sleep(1.5)
        hasty = bench.apply(changed(shop, wider()), busy_for=0.5)
        assert not hasty.active
        assert "is busy" in hasty.waiting[0][1]
        patient = bench.apply(busy_for=30)
        assert patient.active
        answer = slow.answer()
    assert answer is not None
    assert answer.outcome == "merged"
    assert run_until_done(bench.run).outcome is Outcome.MERGED
    shop.assert_whole()


def test_a_stale_plan_is_refused(shop: Shop, bench: Workbench) -> None:
    """A plan that was made before somebody else's apply and batch must not undo them."""
    more = changed(shop, wider())
    stale = bench.plan(more)
    assert any(o.action == "create" and o.target == "table shop.small" for o in stale.operations)
    bench.run()
    with pytest.raises(ApplyBlockedError, match="has changed since the plan was made"):
        _apply(bench, stale)
    assert bench.rows("SELECT count(*) FROM reports_all.shop_small") == [(100,)]
    assert bench.apply(more).active
    assert bench.rows("SELECT count(*) FROM reports_all.shop_small") == [(100,)]


def _apply(bench: Workbench, plan: Plan) -> Applied:
    return apply_plan(bench.running, bench.release.platforms[0], plan, bench.release.model_json)


@pytest.mark.slow
def test_two_applies_at_once(shop: Shop, bench: Workbench) -> None:
    """One does it; the other says that somebody is busy or was faster, or finds nothing to do."""
    bench.run()
    bench.plan(changed(shop, wider()))
    ends: list[str] = []

    def go() -> None:
        try:
            ends.append("done" if bench.apply().active else "waiting")
        except ApplyBlockedError as error:
            ends.append(error.message)

    _at_once(go, go, go)
    assert "done" in ends
    assert all(e == "done" or "another process is busy" in e or "has changed since" in e for e in ends), ends
    assert bench.apply().active
    assert bench.plan().empty
    shop.change(1)
    bench.run()
    shop.assert_whole()


def _at_once(*works: Callable[[], None]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_long_names_leave_nothing_behind(two_databases: tuple[str, str], tmp_path: Path) -> None:
    """Leftovers are found by name, also when the name is at the database's limit."""
    name = "n" * 63
    dataset = Dataset(name, columns=DATASETS[1].columns)
    shop = Shop(*two_databases, str(tmp_path), History.FULL)
    ecosystem = model(container("src", shop.source), container("dst", shop.target), [dataset])
    with psycopg.connect(shop.source, autocommit=True) as source:
        source.execute(f"CREATE TABLE {name} (code varchar(20) PRIMARY KEY, value int)")
        source.execute(f"INSERT INTO {name} SELECT 'c' || g, g FROM generate_series(1, 100) g")
    query = "SELECT tablename FROM pg_tables WHERE schemaname = 'ds_yellow'"
    with workbench(ecosystem, shop.target, tmp_path, shop.secrets()) as bench:
        before = set(bench.rows(query))
        _stop_before_merge(bench)
        assert len(set(bench.rows(query)) - before) == 1
        with psycopg.connect(shop.target, autocommit=True) as target:
            target.execute("UPDATE ds_yellow.ledger SET state = 'open'")
        assert bench.run().outcome is Outcome.MERGED
        assert set(bench.rows(query)) == before


def _stop_before_merge(bench: Workbench) -> None:
    """End a run between staged and merged, as a process that dies there would leave it."""

    def observe(step: object) -> None:
        if str(step) == "merge":
            raise SystemExit

    runner = JobRunner(bench.running, observe=observe)
    with pytest.raises(SystemExit):
        runner.run(*bench.running.job("shop"))
    runner.close()


def _kill_apply(shop: Shop, operations: int) -> bool:
    """Apply a wider model in another process that kills itself before an operation; False if there are fewer."""
    pid = os.fork()
    if pid == 0:
        seen = 0

        def told(_operation: object) -> None:
            nonlocal seen
            seen += 1
            if seen > operations:
                os.kill(os.getpid(), signal.SIGKILL)

        try:
            release = compiled(changed(shop, wider()))
            spec = release.platforms[0]
            with open_platform(spec, Path(shop.folder), shop.secrets()) as running:
                apply_plan(running, spec, make_plan(running, spec, release.digest), release.model_json, told=told)
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(pid, 0)[1])


@pytest.mark.slow
def test_a_killed_apply_is_just_run_again(shop: Shop, bench: Workbench) -> None:
    bench.run()
    bench.plan(changed(shop, wider()))
    kills = 0
    while _kill_apply(shop, kills):
        kills += 1
        assert shop.consumer_print() == shop.source_print()
    assert kills > 0
    assert bench.apply().active
    assert bench.plan().empty
    shop.change(1)
    assert run_until_done(bench.run).outcome is Outcome.MERGED
    shop.assert_whole()
