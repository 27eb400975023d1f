"""`deploy --wait` proves what runs, and says what is missing and why."""

from __future__ import annotations

from pathlib import Path

import pytest

from datasurface.runtime.proof import Proof, wait_for_proof
from releasing import NAME, PLACED, Shop

SKEWED = "UPDATE ds_yellow.datasets SET rows = rows + 1"


@pytest.fixture
def shop(two_databases: tuple[str, str], tmp_path: Path) -> Shop:
    return Shop(tmp_path, *two_databases)


def proved(shop: Shop) -> Proof:
    return wait_for_proof(shop.model, 0)


def missing(shop: Shop) -> dict[str, str]:
    found = proved(shop)
    assert found.ok is not any(not line.ok for line in found.lines)
    return {line.subject: line.detail for line in found.lines if not line.ok}


def test_what_is_missing_is_said_until_all_is_proved(shop: Shop):
    digest = shop.release("v1")
    assert missing(shop) == {"release": f"nothing is active, but nobody has looked for 'v*' in {shop.store} yet"}
    shop.follow()
    assert list(missing(shop)) == ["stream shop"]
    assert "it has never run" in missing(shop)["stream shop"]
    shop.run()
    found = proved(shop)
    assert found.ok
    assert [(line.subject, line.detail) for line in found.lines][2:] == [
        ("table shop.orders", "has its 2 columns"),
        ("view reports_all.shop_orders", "50 rows, as the ledger says"),
        ("view reports_all.shop_orders_history", "has its 6 columns"),
    ]
    assert found.lines[0].detail.startswith(f"{digest[:12]} is active since ")
    shop.release("v2", NAME, PLACED)
    shop.follow()
    assert list(missing(shop)) == ["stream shop"]
    assert "its last batch is older" in missing(shop)["stream shop"]


def test_what_is_wrong_is_seen(shop: Shop):
    shop.release("v1")
    shop.follow()
    shop.run()
    shop.rows("DROP VIEW reports_all.shop_orders_history")
    shop.rows(SKEWED)
    assert missing(shop) == {
        "view reports_all.shop_orders": "50 rows, but the ledger says 51",
        "view reports_all.shop_orders_history": "it is absent: `datasurface apply` makes it",
    }
    shop.sql("DROP TABLE orders")
    shop.release("v2", NAME, PLACED)
    shop.follow()
    shop.run()
    assert "batch 2 is failed" in missing(shop)["stream shop"]
    shop.release("v3", 'Column("name", String(40), key=True)')
    shop.follow()
    assert "tag v3 at" in missing(shop)["release"]
    assert "is pending: nothing was changed" in missing(shop)["release"]


def test_it_waits_no_longer_than_it_was_told(shop: Shop):
    told: list[int] = []
    found = wait_for_proof(shop.model, 3, told=told.append)
    assert not found.ok
    assert told
    assert found.seconds < 20
