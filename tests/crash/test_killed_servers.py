"""`kill -9` of the merge database's server and of the source's, at every step and at random: then just run again."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from crash.child import Moment, killed_at, run_until_done, writer
from crash.dedicated import crash, dedicated, restart
from crash.shop import Shop
from datasurface import History
from datasurface.engine.batch import Outcome
from datasurface.errors import DataSurfaceError
from servers import Server
from workbench import Workbench, workbench

STEPS = [
    Moment(step="open"),
    Moment(step="stage"),
    Moment(rows=5_000),
    Moment(step="merge"),
    Moment(store="find_delta"),
    Moment(store="apply_delta"),
    Moment(store="empty_staging"),
]


@pytest.fixture(scope="module")
def doomed(server: Server) -> Iterator[Server]:
    """A server that is killed now and then."""
    with dedicated(server) as running:
        yield running


def test_unlogged_staging_lost_between_staged_and_merged(server: Server, doomed: Server, tmp_path: Path) -> None:
    """An unlogged table is empty after its server crashed: the batch is read again, under its number."""
    with server.database() as source, doomed.database() as target:
        shop = Shop(source, target, str(tmp_path))
        shop.fill()
        with workbench(shop.ecosystem(), target, tmp_path, shop.secrets()) as bench:
            bench.run()
            shop.change(1)
            killed_at(shop, Moment(step="merge"))
            assert [row[1] for row in shop.ledger()] == ["merged", "staged"]
            before = shop.consumer_print()
            crash(doomed)
            restart(doomed)
            assert bench.rows('SELECT count(*) FROM ds_yellow."shop.small.staging"') == [(0,)]
            assert shop.consumer_print() == before
            shop.change(2)
            result = run_until_done(bench.run)
            assert (result.outcome, result.batch_id) == (Outcome.MERGED, 2)
            shop.assert_whole()


@pytest.mark.slow
def test_a_first_load_survives_a_crash_of_its_server(server: Server, doomed: Server, tmp_path: Path) -> None:
    """First loads are logged tables: what was staged is merged without reading again."""
    with server.database() as source, doomed.database() as target:
        shop = Shop(source, target, str(tmp_path))
        shop.fill()
        with workbench(shop.ecosystem(), target, tmp_path, shop.secrets()) as bench:
            killed_at(shop, Moment(step="merge"))
            staged = shop.source_print()
            crash(doomed)
            restart(doomed)
            shop.change(1)
            assert run_until_done(bench.run).batch_id == 1
            assert shop.consumer_print() == staged
            assert run_until_done(bench.run).batch_id == 2
            shop.assert_whole()


def _while_running(shop: Shop, victim: Server, moment: Moment) -> str:
    """Kill a server when a writer in another process has come to a moment; return how the writer ended."""
    with writer(shop, replace(moment, signal=0, pause=1.5)) as child:
        child.go()
        time.sleep(0.8)
        crash(victim)
        restart(victim)
        answer = child.answer()
    assert answer is not None
    return answer.outcome


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("which", ["merge database", "source"])
@pytest.mark.parametrize("history", [History.LIVE, History.FULL])
def test_killed_at_every_step(server: Server, doomed: Server, tmp_path: Path, history: History, which: str) -> None:
    places = (server, doomed) if which == "merge database" else (doomed, server)
    with places[0].database() as source, places[1].database() as target:
        shop = Shop(source, target, str(tmp_path), history)
        shop.fill()
        with workbench(shop.ecosystem(), target, tmp_path, shop.secrets()) as bench:
            for number, moment in enumerate([STEPS[2], *STEPS], start=1):
                before, after = shop.consumer_print(), shop.source_print()
                _while_running(shop, doomed, moment)
                assert shop.consumer_print() in (before, after), moment
                _just_run_again(shop, bench)
                shop.change(number)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("which", ["merge database", "source"])
def test_killed_at_random(server: Server, doomed: Server, tmp_path: Path, which: str, seed: int) -> None:
    chance = random.Random(seed)
    places = (server, doomed) if which == "merge database" else (doomed, server)
    with places[0].database() as source, places[1].database() as target:
        shop = Shop(source, target, str(tmp_path), rows=300_000)
        shop.fill()
        with workbench(shop.ecosystem(), target, tmp_path, shop.secrets()) as bench:
            for number in range(1, 6):
                before, after = shop.consumer_print(), shop.source_print()
                delay = chance.uniform(0, 4)
                timer = threading.Timer(delay, crash, [doomed])
                timer.start()
                try:
                    bench.run()
                except DataSurfaceError as error:
                    assert "merge database" in str(error), f"seed {seed}"  # noqa: PT017
                timer.join()
                restart(doomed)
                assert shop.consumer_print() in (before, after), f"seed {seed}, killed after {delay:.3f} s"
                _just_run_again(shop, bench)
                shop.change(number)


def _just_run_again(shop: Shop, bench: Workbench) -> None:
    numbers = [int(str(row[0])) for row in shop.ledger()]
    result = run_until_done(bench.run)
    assert result.outcome is Outcome.MERGED
    expected = (numbers[-1], numbers[-1] + 1) if numbers else (1,)
    assert result.batch_id in expected
    shop.assert_whole()
    assert [row[0] for row in shop.ledger()] == list(range(1, len(shop.ledger()) + 1))
