"""The examples of `how-to/write-a-transformer.md`, as one model folder, over two cycles."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from datasurface.testing import TransformerBench
from pages import ROOT, blocks

_PAGE = ROOT / "docs" / "how-to" / "write-a-transformer.md"
_FILE = re.compile(r"(?:#|--) ([\w/.]+)\n")


def test_the_examples_of_the_page_run(tmp_path: Path, transformer_bench: Callable[..., TransformerBench]) -> None:
    for block in blocks(_PAGE):
        found = _FILE.match(block.text)
        if found:
            path = tmp_path / found[1]
            path.parent.mkdir(exist_ok=True)
            path.write_text(block.text)
    bench = transformer_bench(model=tmp_path)
    bench.given(
        "shop.orders",
        [
            {"order_id": 1, "customer": "ann", "amount": "10.00", "placed_at": "2026-01-01 10:00:00+00"},
            {"order_id": 2, "customer": "bob", "amount": "5.50", "placed_at": "2026-01-01 11:00:00+00"},
            {"order_id": 3, "customer": "ann", "amount": "7.25", "placed_at": "2026-01-02 10:00:00+00"},
        ],
    )
    bench.run()
    bench.assert_current("sums.totals", [("ann", "17.25"), ("bob", "5.50")])
    bench.assert_current("daily.days", [("2026-01-01", 2), ("2026-01-02", 1)])
    bench.assert_current("firsts.first", [("ann", 1), ("bob", 2)])
    bench.assert_current("labelled.labels", [(1, "#1 ann"), (2, "#2 bob"), (3, "#3 ann")])
    bench.delete("shop.orders", [{"order_id": 1}])
    bench.update("shop.orders", [{"order_id": 2, "customer": "eve"}])
    bench.run()
    bench.assert_current("sums.totals", [("ann", "7.25"), ("eve", "5.50")])
    bench.assert_current("daily.days", [("2026-01-01", 1), ("2026-01-02", 1)])
    bench.assert_current("firsts.first", [("ann", 1), ("bob", 2), ("eve", 2)])
    bench.assert_changes("labelled.labels", [(1, "#1 ann", "D"), (2, "#2 eve", "U")])
