"""What a kind of code must do, as a protocol, and how the installed kinds are found. Knows no kind itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol, cast

from datasurface.errors import ConfigurationError
from datasurface.model.infrastructure import Credential
from datasurface.model.transformer import Code
from datasurface.secrets.base import Secret
from datasurface.transform.context import TransformerContext

__all__ = ["CodeKind", "Launch", "Place", "kind_of", "kinds"]

_GROUP = "datasurface.code"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where code is run.

    Attributes:
        folder: The model folder, whose modules and files code may name; None where there is none.
        cache: A private folder that lasts, for what kinds fetch once.
        work: A private folder that is removed after the run.
        secret: Returns the secret of a credential that the code names, to fetch it with; None where nothing is fetched.
    """

    folder: Path | None
    cache: Path
    work: Path
    secret: Callable[[Credential], Secret] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How the process of a run is started.

    Attributes:
        python: The interpreter, in which `datasurface` can be imported.
        path: Folders from which it may import besides.
        reads: Folders that it reads besides.
        environment: Variables it gets besides.
        frozen: Whether the code opens connections of its own, so that its inputs have to be copied to stay as they are.
    """

    python: Path
    path: tuple[Path, ...] = ()
    reads: tuple[Path, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    frozen: bool = False


class CodeKind(Protocol):
    """A kind of code; its entry point in the group `datasurface.code` is named as its class in the model."""

    def version(self, code: Code, place: Place) -> str:
        """Return what changes when the code does although the model does not; empty if that cannot be."""
        ...

    def launch(self, code: Code, place: Place) -> Launch:
        """Make ready what the code needs, and say how to start it. Runs in the platform's process: no user code here.

        Raises:
            ConfigurationError: it cannot run here; the message says where it can.
            TransientError: something could not be fetched now.
        """
        ...

    def perform(self, code: Code, context: TransformerContext) -> None:
        """Run the code, in a process of its own."""
        ...


def kinds() -> tuple[str, ...]:
    """Return the names of the installed kinds, sorted."""
    return tuple(sorted(point.name for point in entry_points(group=_GROUP)))


def kind_of(code: Code) -> CodeKind:
    """Return the kind of a transformer's code.

    Raises:
        ConfigurationError: none of that name is installed.
    """
    name = type(code).__name__
    for point in entry_points(group=_GROUP, name=name):
        return cast("CodeKind", point.load()())
    raise ConfigurationError(f"nothing installed runs {name}", hint=f"installed kinds of code: {', '.join(kinds())}")
