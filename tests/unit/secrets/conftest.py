"""The stand-in for AWS, started once; each test has a gate before it and an ecosystem of its own."""

from __future__ import annotations

import io
import traceback
import uuid
from collections.abc import Callable, Iterator
from types import TracebackType

import pytest
from rich.console import Console
from rich.traceback import Traceback

from cloud import Gate, gate_to, moto_server
from datasurface import AwsSecrets
from datasurface.secrets.aws import AwsStore
from datasurface.secrets.base import Surroundings


@pytest.fixture(scope="session")
def moto() -> Iterator[int]:
    with moto_server() as port:
        yield port


@pytest.fixture
def gate(moto: int) -> Iterator[Gate]:
    with gate_to(moto) as opened:
        yield opened


@pytest.fixture
def aws_variables(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The variables of a process that may use AWS; what boto3 itself reads is set for this one."""
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return {"AWS_ENDPOINT_URL": gate.url}


@pytest.fixture
def ecosystem() -> str:
    return f"acme{uuid.uuid4().hex[:8]}"


@pytest.fixture
def aws(aws_variables: dict[str, str], ecosystem: str) -> Callable[..., AwsStore]:
    """Opens the store `aws` of an ecosystem of this test's own, as the model says."""

    def open_it(choice: AwsSecrets | None = None, environment: str | None = None) -> AwsStore:
        where = Surroundings(environ=aws_variables, ecosystem=ecosystem, environment=environment)
        return AwsStore.opened(choice or AwsSecrets(region="eu-west-1"), where)

    return open_it


@pytest.fixture
def shown() -> Callable[[BaseException], str]:
    """Returns everything that a program could show of an error: message, chain, traceback, variables of its frames."""

    def ours(frames: TracebackType | None) -> TracebackType | None:
        """Skip the frames of the test itself, which knows the secrets."""
        while frames is not None and not frames.tb_frame.f_globals["__name__"].startswith("datasurface."):
            frames = frames.tb_next
        return frames

    def show(error: BaseException) -> str:
        error.__traceback__ = ours(error.__traceback__)
        frames = Traceback.from_exception(
            type(error), error, error.__traceback__, show_locals=True, locals_max_string=10_000
        )
        console = Console(file=io.StringIO(), width=400)
        console.print(frames)
        assert isinstance(console.file, io.StringIO)
        chain = [error, error.__cause__, error.__context__]
        return "".join([console.file.getvalue(), *traceback.format_exception(error), *map(repr, chain)])

    return show
