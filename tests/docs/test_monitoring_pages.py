"""The pages about metrics, alerts and retention are what the code says of itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from datasurface.deploy.monitoring.reference import PAGES
from datasurface.runtime.retention import KEPT
from datasurface.runtime.telemetry.metrics import METRICS
from datasurface.store.tables import metadata

REFERENCE = Path(__file__).parents[2] / "docs/reference"


@pytest.mark.parametrize("name", sorted(PAGES))
def test_the_page_is_up_to_date(name: str) -> None:
    command = f"python -m datasurface.deploy.monitoring.reference {name} > docs/reference/{name}.md"
    assert (REFERENCE / f"{name}.md").read_text() == PAGES[name](), f"run: {command}"


def test_names_follow_prometheus_conventions() -> None:
    assert len({metric.name for metric in METRICS}) == len(METRICS)
    for metric in METRICS:
        assert metric.name.startswith("datasurface_")
        assert metric.name.endswith("_total") == (metric.kind.value == "counter")
        assert metric.help.endswith(".")
        assert not {"job", "instance"}.intersection(metric.labels), "Prometheus gives these itself"
        assert bool(metric.buckets) == (metric.kind.value == "histogram")


def test_what_grows_in_the_platforms_tables_is_listed() -> None:
    bounded = {"platform", "streams", "datasets", "views", "logins", "following", "release_tables"}
    said = " ".join(f"{kept.what} {kept.where}" for kept in KEPT)
    growing = {table.name for table in metadata.sorted_tables} - bounded
    seen = {"ledger": "batches", "ledger_datasets": "batch_datasets", "checks": "batch_checks"}
    assert [name for name in sorted(growing) if f"`{seen.get(name, name)}`" not in said] == []
