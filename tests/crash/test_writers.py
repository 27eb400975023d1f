"""One writer: two that race, and one that was stopped, lost its stream, and comes back."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from crash.child import Moment, run_until_done, writer
from crash.shop import Shop
from datasurface.engine.batch import Outcome
from workbench import Workbench, workbench

SILENCE = 2.0


@pytest.fixture
def shop(two_databases: tuple[str, str], tmp_path: Path) -> Shop:
    found = Shop(*two_databases, str(tmp_path), silence=SILENCE)
    found.fill()
    return found


@pytest.fixture
def bench(shop: Shop, tmp_path: Path) -> Iterator[Workbench]:
    with workbench(shop.ecosystem(), shop.target, tmp_path, shop.secrets(), silence=SILENCE) as found:
        yield found


def stops(*, step: str = "", rows: int = 0, store: str = "") -> Moment:
    return Moment(step=step, rows=rows, store=store, signal=int(signal.SIGSTOP))


@pytest.mark.usefixtures("bench")
@pytest.mark.parametrize("rounds", [4, pytest.param(60, marks=pytest.mark.slow)])
def test_two_writers_race(shop: Shop, rounds: int) -> None:
    with ExitStack() as stack:
        pair = [stack.enter_context(writer(shop, runs=rounds)) for _ in range(2)]
        merged = 0
        for number in range(1, rounds + 1):
            shop.change(number)
            for one in pair:
                one.go()
            answers = [one.answer() for one in pair]
            assert None not in answers
            outcomes = sorted(a.outcome for a in answers if a is not None)
            assert outcomes in (["busy", "merged"], ["merged", "merged"]), answers
            for answer in answers:
                if answer is not None and answer.outcome == "busy":
                    assert answer.error.startswith("stream 'shop' is busy: ")
            merged += outcomes.count("merged")
            shop.assert_whole()
        assert [row[:2] for row in shop.ledger()] == [(n, "merged") for n in range(1, merged + 1)]


@pytest.mark.slow
def test_while_one_works_the_other_is_busy(shop: Shop, bench: Workbench) -> None:
    with writer(shop, Moment(step="stage", signal=0, pause=SILENCE * 2)) as slow:
        slow.go()
        time.sleep(SILENCE * 1.5)
        busy = bench.run()
        assert busy.outcome is Outcome.BUSY
        assert "last heard of" in busy.error
        answer = slow.answer()
    assert answer is not None
    assert (answer.outcome, answer.batch_id) == ("merged", 1)
    shop.assert_whole()


LARGE = [
    pytest.param(stops(rows=15_000), False, id="in COPY of a first load", marks=pytest.mark.slow),
    pytest.param(stops(step="stage"), True, id="before it reads", marks=pytest.mark.slow),
    pytest.param(stops(rows=15_000), True, id="in COPY"),
    pytest.param(stops(store="create_staging"), True, id="with staging half made", marks=pytest.mark.slow),
    pytest.param(stops(rows=20_200), True, id="in COPY of a small table", marks=pytest.mark.slow),
    pytest.param(stops(step="merge"), True, id="before it merges"),
    pytest.param(stops(step="merge"), False, id="before it merges a first load", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("moment", "loaded"), LARGE)
def test_a_stopped_writer_returns(shop: Shop, bench: Workbench, moment: Moment, loaded: bool) -> None:
    if loaded:
        bench.run()
        shop.change(1)
    with writer(shop, moment) as late:
        late.go()
        late.until_stopped()
        assert bench.run().outcome is Outcome.BUSY
        time.sleep(SILENCE * 1.5)
        shop.change(2)
        result = run_until_done(bench.run, 30)
        assert result.outcome is Outcome.MERGED, result
        if moment.step != "merge":
            assert shop.consumer_print() == shop.source_print()
        shop.change(3)
        assert run_until_done(bench.run, 30).outcome is Outcome.MERGED
        ledger = shop.ledger()
        late.resume()
        answer = late.answer()
        assert answer is not None
        assert answer.outcome == "LostStreamError", answer
        assert "nothing of it was committed" in answer.error
    assert shop.ledger() == ledger
    shop.assert_whole()


@pytest.mark.slow
def test_a_writer_stopped_before_the_first_small_staging_is_committed(shop: Shop, bench: Workbench) -> None:
    """The table that small batches share is being made by a writer that never ends; others go on without it."""
    bench.run()
    shop.change(1)
    with writer(shop, stops(rows=20_200)) as late:
        late.go()
        late.until_stopped()
        time.sleep(SILENCE * 1.5)
        for number in (2, 3):
            shop.change(number)
            assert run_until_done(bench.run, 60).outcome is Outcome.MERGED
            shop.assert_whole()
    shop.change(4)
    assert run_until_done(bench.run, 30).outcome is Outcome.MERGED
    shop.assert_whole()


@pytest.mark.parametrize(
    "moment", [stops(store="apply_delta"), pytest.param(stops(store="put_in_place"), marks=pytest.mark.slow)], ids=str
)
def test_a_writer_stopped_inside_the_merge_is_ended(shop: Shop, bench: Workbench, moment: Moment) -> None:
    """Others are busy until the database ends its session for being silent in a transaction."""
    if moment.store == "apply_delta":
        bench.run()
        shop.change(1)
    before = shop.consumer_print()
    with writer(shop, moment) as late:
        late.go()
        late.until_stopped()
        stopped = time.monotonic()
        assert bench.run().outcome is Outcome.BUSY
        with psycopg.connect(shop.target) as reader:
            reader.execute("SET statement_timeout = '3s'")
            assert reader.execute("SELECT count(*) FROM reports_all.shop_big").fetchone() == before[0][:1]
        if moment.store == "apply_delta":
            time.sleep(SILENCE * 1.2)
            assert bench.run().outcome is Outcome.BUSY
        assert shop.consumer_print() == before
        result = run_until_done(bench.run, 30)
        assert result.outcome is Outcome.MERGED
        assert time.monotonic() - stopped < SILENCE * 2 + 15
        late.resume()
        answer = late.answer()
        assert answer is not None
        assert answer.outcome in ("LostStreamError", "merged"), answer
    shop.assert_whole()
    assert [row[1] for row in shop.ledger()] == ["merged"] * len(shop.ledger())


@pytest.mark.slow
def test_a_writer_stopped_while_it_takes_the_stream_is_ended(shop: Shop, bench: Workbench) -> None:
    with writer(shop, stops(step="open")) as late:
        late.go()
        late.until_stopped()
        assert bench.run().outcome is Outcome.BUSY
        assert run_until_done(bench.run, 30).outcome is Outcome.MERGED
    shop.assert_whole()
