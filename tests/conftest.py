"""Servers for tests: real ones, started once a session, a fresh database for each test that asks."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from datasurface.secrets.masking import forget_all
from servers import Server, embedded_server, external_server, system_server


@pytest.fixture(autouse=True)
def _only_own_secrets() -> Iterator[None]:  # pyright: ignore[reportUnusedFunction]
    """Passwords that one test made up are not masked in the next one's text."""
    yield
    forget_all()


def _versions() -> list[str]:
    """Return which servers the suite runs on: the embedded 18, the system's 15, one given by a URL."""
    wanted = os.environ.get("DATASURFACE_TEST_SERVERS", "18")
    return [v.strip() for v in wanted.split(",") if v.strip()]


@pytest.fixture(scope="session", params=_versions())
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A PostgreSQL server that the tests may do anything to."""
    make = {"18": embedded_server, "15": system_server, "url": external_server}[request.param]
    with make() as running:
        yield running


@pytest.fixture
def postgres_url(server: Server) -> Iterator[str]:
    """The URL of an empty database."""
    with server.database() as url:
        yield url


@pytest.fixture
def two_databases(server: Server) -> Iterator[tuple[str, str]]:
    """The URLs of an empty source and an empty merge database on one server."""
    with server.database() as source, server.database() as target:
        yield source, target
