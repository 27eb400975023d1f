"""Access in a real database follows the model: made from nothing, kept, taken away, on PostgreSQL 18 and 15."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from security_bench import SecurityBench, security_bench, spec_of


@pytest.fixture
def bench(postgres_url: str, tmp_path: Path) -> Iterator[SecurityBench]:
    spec = spec_of(workspaces=["reports", "derived"], transformers=["derived"])
    with security_bench(postgres_url, tmp_path / "secrets", spec) as made:
        made.build()
        yield made


def test_from_nothing_to_no_drift(bench: SecurityBench) -> None:
    assert bench.drift()
    synced = bench.sync()
    assert synced.complete, [*synced.waiting, *synced.unsafe]
    assert bench.drift() == []
    assert bench.sync().done == ()
