"""Servers for deployment tests: one PostgreSQL 18, whichever versions the rest of the suite runs on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cloud import Gate, gate_to, moto_server
from servers import Server, embedded_server


@pytest.fixture(scope="session")
def one_server() -> Iterator[Server]:
    """A PostgreSQL server for sources, merge databases and Airflow's metadata; these tests run on one version only."""
    with embedded_server() as running:
        yield running


@pytest.fixture(scope="module")
def aws() -> Iterator[Gate]:
    """AWS's stand-in, behind a gate that knows what was asked for."""
    with moto_server() as port, gate_to(port) as gate:
        yield gate
