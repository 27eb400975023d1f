"""`kill -9` of the platform around a transformer's run, and of both from inside the code: then just run again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from crash.child import Moment, killed_at, run_until_done
from crash.deriving_shop import CODE, DerivingShop
from datasurface.engine.batch import Outcome
from workbench import Workbench, workbench

STEPS = [Moment(step="open"), Moment(step="stage"), Moment(step="merge"), Moment(store="find_delta")]


@pytest.fixture
def opened(two_databases: tuple[str, str], tmp_path: Path) -> Iterator[tuple[DerivingShop, Workbench]]:
    source, target = two_databases
    shop = DerivingShop(source, target, str(tmp_path), rows=100, stream="sums")
    (tmp_path / "double.py").write_text(CODE)
    shop.fill()
    with workbench(shop.ecosystem(), target, tmp_path, shop.secrets()) as bench:
        bench.run()
        yield shop, bench


def run_again(bench: Workbench) -> None:
    result = run_until_done(lambda: bench.run("sums"))
    assert result.outcome is Outcome.MERGED, result


def test_killed_around_the_code_and_inside_it(opened: tuple[DerivingShop, Workbench]):
    shop, bench = opened
    for number, moment in enumerate([*STEPS[:3], *STEPS], start=1):
        before = shop.derived()
        killed_at(shop, moment)
        assert shop.derived() == before
        run_again(bench)
        assert shop.derived() == shop.expected()
        shop.change(number)
        bench.run()


def test_the_code_dies_with_the_platform_and_commits_nothing(opened: tuple[DerivingShop, Workbench]):
    shop, bench = opened
    for number, stage in enumerate(["start", "half", "written", "half"], start=1):
        before = shop.derived()
        (Path(shop.folder) / "asked").write_text(stage)
        killed_at(shop, Moment(step="never"))
        assert shop.derived() == before
        deadline = time.monotonic() + 10
        while left := shop.rows_of(shop.target, 'SELECT count(*) FROM "ds_yellow.doubling".doubled')[0][0]:
            assert time.monotonic() < deadline, f"{left} rows were committed"
        run_again(bench)
        assert shop.derived() == shop.expected()
        shop.change(number)
        bench.run()
