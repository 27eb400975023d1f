"""`kill -9` of the platform while dbt works on copies of its inputs: the next run drops what is left."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from crash.child import Moment, killed_at, run_until_done
from crash.deriving_shop import PROJECT, SLOW, ProjectShop
from datasurface.engine.batch import Outcome
from workbench import workbench

SCRATCH = "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'ds_yellow.doubling.%' ORDER BY 1"
ASLEEP = "SELECT pid FROM pg_stat_activity WHERE query LIKE '%pg_sleep(300)%' AND pid <> pg_backend_pid()"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_copies_that_a_killed_platform_left_are_dropped_by_the_next_run(
    two_databases: tuple[str, str], tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    shop = ProjectShop(*two_databases, str(tmp_path), rows=100, stream="sums")
    for name, text in PROJECT.items():
        path = tmp_path / "project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + SLOW if name.endswith(".sql") else text)
    assert pytestconfig.cache is not None
    cache = tmp_path / ".datasurface" / "cache"
    cache.mkdir(parents=True)
    (cache / "environments").symlink_to(pytestconfig.cache.mkdir("environments"))
    shop.fill()
    with workbench(shop.ecosystem(), shop.target, tmp_path, shop.secrets()) as bench:
        bench.run()
        killer = threading.Thread(target=_kill_platform_of, args=(shop,), daemon=True)
        killer.start()
        killed_at(shop, Moment(step="never"))
        killer.join()
        assert shop.rows_of(shop.target, SCRATCH) == [("ds_yellow.doubling.in.in",), ("ds_yellow.doubling.work",)]
        (tmp_path / "project" / "models" / "doubled.sql").write_text(PROJECT["models/doubled.sql"])
        result = run_until_done(lambda: bench.run("sums"))
        assert result.outcome is Outcome.MERGED, result
        assert shop.derived() == shop.expected()
        assert shop.rows_of(shop.target, SCRATCH) == []
        assert shop.rows_of(shop.target, ASLEEP) == [], "the killed run's session is ended"


def _kill_platform_of(shop: ProjectShop) -> None:
    """Kill the process above the warden of the shop's run, as soon as dbt waits in the database."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        wardens = [p for p in Path("/proc").glob("[0-9]*") if _is_warden(p, shop.folder)]
        if wardens and shop.rows_of(shop.target, ASLEEP):
            parent = (wardens[0] / "stat").read_text().rpartition(")")[2].split()[1]
            os.kill(int(parent), signal.SIGKILL)
            return
        time.sleep(0.1)


def _is_warden(process: Path, folder: str) -> bool:
    try:
        line = (process / "cmdline").read_text(errors="replace")
    except OSError:
        return False
    return "warden.py" in line and folder in line
