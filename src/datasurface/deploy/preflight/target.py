"""Targets that can be asked before anything is deployed, found by the entry points `datasurface.preflights`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points
from typing import Any, Protocol, TypeVar

from datasurface.deploy.base import Deployable
from datasurface.deploy.preflight.check import Check
from datasurface.errors import ConfigurationError

__all__ = ["Preflight", "chosen_checks", "installed_preflights", "preflight_of"]

_GROUP = "datasurface.preflights"
T = TypeVar("T")


class Preflight(Protocol[T]):
    """What a target offers to be checked beforehand: its checks, as data, and what they are given."""

    @property
    def name(self) -> str:
        """The target's name, as on the command line; all its checks' names begin with it and a dot."""
        ...

    @property
    def checks(self) -> Sequence[Check[T]]:
        """All checks, in the order of the documentation."""
        ...

    def subject(self, deployable: Deployable, environ: Mapping[str, str], *, lint: bool = False) -> T:
        """Return what the checks are given; reaches nothing yet.

        Args:
            deployable: What is to be deployed.
            environ: The variables of the process.
            lint: Whether the target's own linter is run, too.

        Raises:
            ConfigurationError: the environment does not say what the target has to know.
        """
        ...


def installed_preflights() -> tuple[str, ...]:
    """Return the names of the targets that can be checked, sorted."""
    return tuple(sorted({point.name for point in entry_points(group=_GROUP)}))


def preflight_of(name: str) -> Preflight[Any]:
    """Return a target's checks.

    Raises:
        ConfigurationError: none of that name is installed.
    """
    for point in entry_points(group=_GROUP, name=name):
        found: Preflight[Any] = point.load()
        return found
    known = ", ".join(installed_preflights())
    raise ConfigurationError(f"there are no checks of a target {name!r}", hint=f"there are those of {known}")


def chosen_checks(target: Preflight[T], beginnings: Sequence[str]) -> tuple[Check[T], ...]:
    """Return the checks whose names begin with one of `beginnings`, and those they wait for; all for none.

    Raises:
        ConfigurationError: no check's name begins so.
    """
    if not beginnings:
        return tuple(target.checks)
    for beginning in beginnings:
        if not any(check.id.startswith(beginning) for check in target.checks):
            known = ", ".join(check.id for check in target.checks)
            raise ConfigurationError(f"no check's name begins with {beginning!r}", hint=f"the checks are {known}")
    chosen = {check.id for check in target.checks if check.id.startswith(tuple(beginnings))}
    before = {check.after for check in target.checks if check.id in chosen}
    return tuple(check for check in target.checks if check.id in chosen | before)
