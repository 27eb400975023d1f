"""Bind a model to databases: an environment's stand-ins for containers, platforms and secret stores.

Fills in, too, what jobs would otherwise have to ask the model for: the database of an embedded server.
"""

from __future__ import annotations

import dataclasses

from datasurface.errors import ConfigurationError
from datasurface.model.base import replaced
from datasurface.model.binding import bound, environment_of, stand_in, stand_in_platform
from datasurface.model.capture import Capture
from datasurface.model.ecosystem import Ecosystem
from datasurface.model.effective import embedded_database
from datasurface.model.infrastructure import Container, EmbeddedPostgres
from datasurface.model.platform import Environment, Hint, Platform, YellowPlatform
from datasurface.model.secret_stores import DEFAULT_STORES, StoreChoice

__all__ = ["Binding", "better_hint", "binding_of", "replaced"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """What stands in for what.

    Attributes:
        ecosystem: The ecosystem's name: the database of embedded servers that name none.
        environment: The environment that binds; None for the model as it is.
    """

    ecosystem: str
    environment: Environment | None = None

    def model(self, ecosystem: Ecosystem) -> Ecosystem:
        """Return the model with everything that stands in put in place, which is what to derive pipelines from."""
        return bound(ecosystem, self.environment)

    def platform(self, platform: Platform) -> Platform:
        """Return what stands in for a platform of the model, or itself."""
        return platform if self.environment is None else stand_in_platform(self.environment, platform)

    def container(self, container: Container) -> Container:
        """Return what stands in for a container of the model, or itself; an embedded server with its database."""
        return self.with_database(container if self.environment is None else stand_in(self.environment, container))

    def with_database(self, container: Container) -> Container:
        """Return `container`, an embedded server with its database's name."""
        if isinstance(container, EmbeddedPostgres) and container.database is None:
            return replaced(container, database=embedded_database(container, self.ecosystem))
        return container

    def capture(self, capture: Capture) -> Capture:
        """Return a capture of the model on the container that stands in for its own."""
        return self._on(capture, self.container(capture.container))

    def completed(self, capture: Capture) -> Capture:
        """Return a capture that is bound already; an embedded server with its database."""
        return self._on(capture, self.with_database(capture.container))

    def _on(self, capture: Capture, container: Container) -> Capture:
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
    found = environment_of(ecosystem, environment)
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
