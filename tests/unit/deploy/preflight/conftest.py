"""AWS's stand-in, started once and emptied for each test, and the variables that lead boto3 to it."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.request import Request, urlopen

import pytest

from aws_stubs import session
from cloud import moto_server
from datasurface.deploy.aws.preflight.clients import Clients
from preflight_bench import REGION

_OWN = ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL")


@pytest.fixture(scope="session")
def moto() -> Iterator[int]:
    with moto_server() as port:
        yield port


@pytest.fixture(autouse=True)
def login(monkeypatch: pytest.MonkeyPatch) -> None:
    """A login to AWS that no real AWS knows."""
    for name in _OWN:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def cloud(moto: int, monkeypatch: pytest.MonkeyPatch) -> Clients:
    """The clients of an empty account 123456789012."""
    url = f"http://127.0.0.1:{moto}"
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    urlopen(Request(f"{url}/moto-api/reset", method="POST"), timeout=10).close()
    return Clients(REGION, session())
