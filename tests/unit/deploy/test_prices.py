"""Estimates of cost: the table covers every item, sizes are multiples, regions differ."""

from __future__ import annotations

import datetime as dt

import pytest

from datasurface.deploy.prices import AS_OF, HOURS_A_MONTH, Item, database_month, factor, instance_month, month


@pytest.mark.parametrize("item", Item)
def test_every_item_has_a_price(item: Item) -> None:
    assert month(item, "us-east-1") > 0
    assert month(item, "us-east-1", 3) == pytest.approx(3 * month(item, "us-east-1"))
    assert month(item, "eu-central-1") >= month(item, "us-east-1")


def test_hours_are_summed_up_to_a_month() -> None:
    assert month(Item.EKS, "us-east-1") == pytest.approx(0.10 * HOURS_A_MONTH)
    assert month(Item.SECRET, "sa-east-1", 10) == pytest.approx(4.0)


@pytest.mark.parametrize(
    ("kind", "hour"),
    [("m5.large", 0.096), ("m5.4xlarge", 0.768), ("m6i.xlarge", 0.192), ("t3.medium", 0.0416), ("r6g.2xlarge", 0.4032)],
)
def test_sizes_are_multiples(kind: str, hour: float) -> None:
    assert instance_month(kind, "us-east-1") == pytest.approx(hour * HOURS_A_MONTH)


def test_what_the_table_does_not_hold_is_not_guessed() -> None:
    assert instance_month("z99.large", "us-east-1") is None
    assert instance_month("m5.metal", "us-east-1") is None
    assert database_month("db.z9.large", "us-east-1") is None
    assert database_month("db.r6g.xlarge", "us-east-1", 2) == pytest.approx(2 * 0.52 * HOURS_A_MONTH)


def test_unknown_regions_are_taken_as_dear() -> None:
    assert factor("mars-north-1") > factor("us-east-1")


def test_the_table_is_dated() -> None:
    assert dt.date.fromisoformat(AS_OF) > dt.date(2025, 1, 1)
