"""Bind a model to databases: an environment's stand-ins for containers, platforms and secret stores.

Fills in, too, what jobs would otherwise have to ask the model for: the database of an embedded server.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TypeVar

from datasurface.errors import ConfigurationError
from datasurface.model.base import Noun
from datasurface.model.capture import Capture
from datasurface.model.ecosystem import Ecosystem
from datasurface.model.effective import embedded_database
from datasurface.model.infrastructure import Container, EmbeddedPostgres
from datasurface.model.platform import Environment, Hint, Platform, YellowPlatform
from datasurface.model.secret_stores import DEFAULT_STORES, StoreChoice

__all__ = ["Binding", "better_hint", "binding_of", "replaced"]

_N = TypeVar("_N", bound=Noun)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """What stands in for what.

    Attributes:
        ecosystem: The ecosystem's name: the database of embedded servers that name none.
        environment: The environment that binds; None for the model as it is.
    """

    ecosystem: str
    environment: Environment | None = None

    def platform(self, platform: Platform) -> Platform:
        """Return what stands in for `platform`: the environment's platform of the same name, or itself."""
        stand_ins = self.environment.platforms if self.environment else ()
        return next((p for p in stand_ins if p.name == platform.name), platform)

    def container(self, container: Container) -> Container:
        """Return what stands in for `container`, an embedded server with its database's name."""
        stand_ins: Mapping[str, Container] = self.environment.containers if self.environment else {}
        return self.with_database(stand_ins.get(container.name, container))

    def with_database(self, container: Container) -> Container:
        """Return `container`, an embedded server with its database's name."""
        if isinstance(container, EmbeddedPostgres) and container.database is None:
            return replaced(container, database=embedded_database(container, self.ecosystem))
        return container

    def capture(self, capture: Capture) -> Capture:
        """Return `capture` on the container that stands in for its own."""
        container = self.container(capture.container)
        return capture if container is capture.container else replaced(capture, container=container)

    def secrets(self, platform: YellowPlatform) -> tuple[StoreChoice, ...]:
        """Return the secret stores to ask, in order: the environment's, else the platform's, else the default."""
        own = self.environment.secrets if self.environment else None
        if own is None:
            own = platform.secrets
        return tuple(DEFAULT_STORES if own is None else own)


def binding_of(ecosystem: Ecosystem, environment: str | None) -> Binding:
    """Return the binding that the environment of that name makes; None for the model as it is.

    Raises:
        ConfigurationError: the model has no such environment.
    """
    if environment is None:
        return Binding(ecosystem=ecosystem.name)
    found = next((e for e in ecosystem.environments if e.name == environment), None)
    if found is None:
        known = ", ".join(e.name for e in ecosystem.environments)
        raise ConfigurationError(
            f"no environment {environment!r} in ecosystem {ecosystem.name!r}",
            hint=f"it has {known}" if known else "it declares no environments",
        )
    return Binding(ecosystem=ecosystem.name, environment=found)


def better_hint(hint: Hint | None, better: Hint | None) -> Hint | None:
    """Return a hint with what another one says in place of what it says itself."""
    if hint is None or better is None:
        return hint or better
    said = {f.name: value for f in dataclasses.fields(better) if (value := getattr(better, f.name)) is not None}
    return replaced(hint, **said)


def replaced(noun: _N, **changes: object) -> _N:
    """Return a copy of `noun` with other values in some fields, at the same place of the source."""
    copy = dataclasses.replace(noun, **changes)  # type: ignore[type-var] # every noun is a dataclass
    for slot in ("_made_in", "_made_at"):
        object.__setattr__(copy, slot, getattr(noun, slot))
    return copy
