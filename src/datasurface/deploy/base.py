"""What a deployment target is made from, and what it gives: files. Targets are found by entry point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import Protocol, TypeVar

from datasurface.errors import ConfigurationError
from datasurface.model.deployment import Deployment
from datasurface.model.platform import Environment
from datasurface.release.compile import Release
from datasurface.release.job import PlatformSpec

__all__ = ["Deployable", "GeneratedFile", "Learned", "Target", "target", "target_names"]

_GROUP = "datasurface.targets"
_D = TypeVar("_D", bound=Deployment)


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """What the ledger tells of a stream's batches.

    Attributes:
        seconds: How long one takes.
        memory: The peak of its memory in bytes; None if nobody has measured it.
    """

    seconds: float
    memory: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratedFile:
    """A file of a target.

    Attributes:
        path: Where it belongs in the folder, with `/` between its parts.
        content: Its text; the same for the same release.
    """

    path: str
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployable:
    """All that a target's files follow from.

    Attributes:
        release: The release, bound by the environment.
        environment: The environment; None for the model as it is.
        learned: What the ledger tells, by platform and stream.
        outputs: What another target's tools have said, such as the outputs of CloudFormation stacks, by name.
    """

    release: Release
    environment: Environment | None = None
    learned: Mapping[str, Mapping[str, Learned]] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)

    @property
    def platforms(self) -> tuple[PlatformSpec, ...]:
        """The platforms whose jobs are deployed."""
        return self.release.platforms

    @property
    def ecosystem(self) -> str:
        """The ecosystem's name."""
        return self.release.ecosystem.name

    @property
    def environment_name(self) -> str | None:
        """The environment's name; None for the model as it is."""
        return self.environment.name if self.environment is not None else None

    def find(self, kind: type[_D]) -> _D | None:
        """Return the environment's settings of that kind, or None."""
        declared = self.environment.deployments if self.environment is not None else ()
        return next((each for each in declared if isinstance(each, kind)), None)

    def settings(self, kind: type[_D]) -> _D:
        """Return the environment's settings of that kind.

        Raises:
            ConfigurationError: it has none.
        """
        found = self.find(kind)
        if found is not None:
            return found
        name = kind.__name__
        if self.environment is None:
            raise ConfigurationError(
                f"nothing says how to deploy to {name}: no environment was chosen",
                hint=f"-e NAME, with Environment(NAME, deployments=[{name}(…)]) in the model",
            )
        raise ConfigurationError(
            f"environment {self.environment.name!r} has no {name} among its deployments",
            hint=f"add {name}(…) to deployments=[…]",
        )


class Target(Protocol):
    """Turns a release into files."""

    @property
    def name(self) -> str:
        """What it is called on the command line."""
        ...

    def files(self, deployable: Deployable) -> tuple[GeneratedFile, ...]:
        """Return the files, sorted by path.

        Raises:
            ConfigurationError: the environment does not say what the target has to know.
        """
        ...


def target_names() -> tuple[str, ...]:
    """Return the names of the installed targets, sorted."""
    return tuple(sorted({point.name for point in entry_points(group=_GROUP)}))


def target(name: str) -> Target:
    """Return the target of that name.

    Raises:
        ConfigurationError: none is installed.
    """
    for point in entry_points(group=_GROUP):
        if point.name == name:
            found: Target = point.load()
            return found
    raise ConfigurationError(f"no installed target is called {name!r}", hint=f"there are {', '.join(target_names())}")
