"""The pytest plug-in: an embedded server for the session, and benches of transformers for each test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from datasurface.model.datastore import Datastore
    from datasurface.model.ecosystem import Ecosystem
    from datasurface.model.workspace import Workspace
    from datasurface.secrets.base import Secret
    from datasurface.testing.bench import TransformerBench

__all__ = ["BenchFactory", "datasurface_home", "transformer_bench"]


class BenchFactory(Protocol):
    """What the fixture `transformer_bench` is: it opens a bench, which is closed when the test ends."""

    def __call__(
        self,
        *workspaces: Workspace | str,
        datastores: Sequence[Datastore] = (),
        model: Ecosystem | Path | str | None = None,
        folder: Path | str | None = None,
        secrets: Mapping[str, Secret | str] | None = None,
    ) -> TransformerBench:
        """Open a bench; the arguments are those of `datasurface.testing.open_bench`."""
        ...


@pytest.fixture(scope="session")
def datasurface_home() -> Iterator[Path]:
    """The folder of the session's embedded server, which starts with the first bench."""
    from datasurface.testing.home import temporary_home  # noqa: PLC0415 - most sessions do not need it

    with temporary_home() as home:
        yield home


@pytest.fixture
def transformer_bench(datasurface_home: Path, request: pytest.FixtureRequest) -> Iterator[BenchFactory]:
    """Open benches of transformers, each with a database of its own; code is found from pytest's root folder."""
    from datasurface.testing.opening import open_bench  # noqa: PLC0415 - as above

    with ExitStack() as stack:

        def make(
            *workspaces: Workspace | str,
            datastores: Sequence[Datastore] = (),
            model: Ecosystem | Path | str | None = None,
            folder: Path | str | None = None,
            secrets: Mapping[str, Secret | str] | None = None,
        ) -> TransformerBench:
            bench = open_bench(
                *workspaces,
                datastores=datastores,
                model=model,
                folder=folder or (None if isinstance(model, Path | str) else request.config.rootpath),
                secrets=secrets,
                home=datasurface_home,
            )
            return stack.enter_context(bench)

        yield make
