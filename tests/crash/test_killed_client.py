"""`kill -9` of the client at every step, in COPY, inside the merge, and at random: then just run again."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from crash.child import Moment, killed_at, run_until_done, writer
from crash.shop import Shop
from datasurface import History
from datasurface.engine.batch import Outcome
from servers import Server
from workbench import Workbench, workbench

FIRST = [
    Moment(step="open"),
    Moment(step="stage"),
    Moment(rows=5_000),
    Moment(store="finish_first"),
    Moment(store="stamp_first"),
    Moment(step="merge"),
    Moment(store="put_in_place"),
]
AGAIN = [
    Moment(step="open"),
    Moment(step="stage"),
    Moment(rows=5_000),
    Moment(rows=20_500),
    Moment(step="merge"),
    Moment(store="find_delta"),
    Moment(store="apply_delta"),
    Moment(store="drop_delta"),
    Moment(store="empty_staging"),
]
REDO = [Moment(step="clear"), Moment(step="stage"), Moment(rows=5_000), Moment(step="merge")]


def _same_as_uninterrupted(shop: Shop, twin: Shop) -> None:
    shop.assert_whole()
    assert shop.ledger() == twin.ledger()
    if shop.history is History.FULL:
        assert shop.versions() == twin.versions()


def _kill_and_go_on(shop: Shop, twin: Workbench, bench: Workbench, moments: list[Moment]) -> None:
    """Kill one batch at several moments one after the other; it is one batch all the same."""
    before, after = shop.consumer_print(), shop.source_print()
    number = len(shop.ledger()) + 1
    for moment in moments:
        killed_at(shop, moment)
        assert shop.consumer_print() in (before, after), moment
    result = run_until_done(bench.run)
    assert (result.outcome, result.batch_id) == (Outcome.MERGED, number)
    assert twin.run().outcome is Outcome.MERGED


@pytest.mark.parametrize("history", [pytest.param(History.LIVE, marks=pytest.mark.slow), History.FULL])
def test_killed_at_a_step(server: Server, tmp_path: Path, history: History) -> None:
    with server.database() as source, server.database() as target, server.database() as other:
        shop = Shop(source, target, str(tmp_path), history)
        twin = Shop(source, other, str(tmp_path / "twin"), history)
        shop.fill()
        with (
            workbench(shop.ecosystem(), target, tmp_path, shop.secrets()) as bench,
            workbench(twin.ecosystem(), other, tmp_path, twin.secrets()) as other_bench,
        ):
            _kill_and_go_on(shop, other_bench, bench, [FIRST[2], REDO[0], FIRST[5]])
            _same_as_uninterrupted(shop, twin)
            shop.change(1)
            _kill_and_go_on(shop, other_bench, bench, [AGAIN[0], AGAIN[3], REDO[1], AGAIN[6], REDO[3]])
            _same_as_uninterrupted(shop, twin)


@pytest.mark.slow
@pytest.mark.parametrize("history", [History.LIVE, History.FULL])
def test_killed_at_every_step(server: Server, tmp_path: Path, history: History) -> None:
    with server.database() as source, server.database() as other:
        shops = []
        twin = Shop(source, other, str(tmp_path / "twin"), history)
        twin.fill()
        with workbench(twin.ecosystem(), other, tmp_path, twin.secrets()) as other_bench:
            for moment in FIRST:
                with server.database() as target:
                    shop = Shop(source, target, str(tmp_path), history)
                    with workbench(shop.ecosystem(), target, tmp_path, shop.secrets()) as bench:
                        killed_at(shop, moment)
                        assert shop.consumer_print() in (((0, None),) * 3, shop.source_print()), moment
                        result = run_until_done(bench.run)
                        assert (result.outcome, result.batch_id) == (Outcome.MERGED, 1), moment
                        shop.assert_whole()
                        shops.append(shop.ledger())
            other_bench.run()
            assert all(found == twin.ledger() for found in shops)
        with server.database() as target, server.database() as second:
            shop = Shop(source, target, str(tmp_path), history)
            again = Shop(source, second, str(tmp_path / "again"), history)
            with (
                workbench(shop.ecosystem(), target, tmp_path, shop.secrets()) as bench,
                workbench(again.ecosystem(), second, tmp_path, again.secrets()) as second_bench,
            ):
                bench.run()
                second_bench.run()
                for number, moment in enumerate(AGAIN, start=1):
                    shop.change(number)
                    _kill_and_go_on(shop, second_bench, bench, [moment])
                    _same_as_uninterrupted(shop, again)
                for number, moment in enumerate(REDO, start=20):
                    shop.change(number)
                    _kill_and_go_on(shop, second_bench, bench, [AGAIN[2], moment])
                    _same_as_uninterrupted(shop, again)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("history", [History.LIVE, History.FULL])
def test_killed_at_random(server: Server, tmp_path: Path, history: History, seed: int) -> None:
    """A 300,000-row batch, killed again and again at random moments; every few kills it is let through."""
    chance = random.Random(seed)
    kills = 0
    with server.database() as source, server.database() as target, server.database() as other:
        shop = Shop(source, target, str(tmp_path), history, rows=300_000)
        twin = Shop(source, other, str(tmp_path / "twin"), history)
        shop.fill()
        with (
            workbench(shop.ecosystem(), target, tmp_path, shop.secrets()) as bench,
            workbench(twin.ecosystem(), other, tmp_path, twin.secrets()) as other_bench,
        ):
            number = 0
            while number < 4 or kills < 4:
                number += 1
                assert number < 40, f"seed {seed}: {kills} kills in {number} batches"
                before, after = shop.consumer_print(), shop.source_print()
                batch = len(shop.ledger()) + 1
                began = time.monotonic()
                other_bench.run()
                usual = time.monotonic() - began
                for _ in range(4):
                    delay = chance.uniform(0, usual * 1.1)
                    with writer(shop) as child:
                        child.go()
                        time.sleep(delay)
                        if not child.kill():
                            break
                        kills += 1
                    seen = shop.consumer_print()
                    assert seen in (before, after), f"seed {seed}, batch {number}, after {delay:.3f} s of {usual:.3f}"
                    if seen == after:
                        break
                if shop.ledger()[-1:] != [twin.ledger()[-1]]:
                    result = run_until_done(bench.run)
                    assert (result.outcome, result.batch_id) == (Outcome.MERGED, batch), f"seed {seed}"
                _released(shop, bench, twin, other_bench)
                _same_as_uninterrupted(shop, twin)
                shop.change(number)


def _released(shop: Shop, bench: Workbench, twin: Shop, other: Workbench) -> None:
    """Run once more if the killed client had merged but not given its stream back; so does the twin."""
    if bench.rows("SELECT FROM ds_yellow.streams WHERE owner IS NOT NULL"):
        assert run_until_done(bench.run).counts.inserted == 0
        other.run()
    assert len(shop.ledger()) == len(twin.ledger())
