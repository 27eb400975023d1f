"""Servers for deployment tests: one PostgreSQL 18, whichever versions the rest of the suite runs on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from servers import Server, embedded_server


@pytest.fixture(scope="session")
def one_server() -> Iterator[Server]:
    """A PostgreSQL server for sources, merge databases and Airflow's metadata; these tests run on one version only."""
    with embedded_server() as running:
        yield running
