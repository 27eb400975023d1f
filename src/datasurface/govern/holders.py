"""Containers and credentials of a model, each with the object that names it: where a finding about it belongs.

A default or a plain string stands on no line of the model, so that the object that holds it has to say where.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from datasurface.govern.paths import step, store_path, workspace_path
from datasurface.model.ecosystem import Ecosystem
from datasurface.model.effective import all_datastores, all_workspaces
from datasurface.model.infrastructure import Container, Credential
from datasurface.model.platform import LegacyPlatform, YellowPlatform

__all__ = ["HeldContainer", "HeldCredential", "held_containers", "held_credentials", "held_stand_ins"]


@dataclass(frozen=True, slots=True)
class HeldContainer:
    """A container, and the capture, platform, replica or workspace that names it."""

    container: Container
    holder: object

    @property
    def path(self) -> str:
        """The path of the container: it belongs to no zone."""
        return step("", "container", self.container.name)


@dataclass(frozen=True, slots=True)
class HeldCredential:
    """A credential, the object that names it, and that object's path."""

    credential: Credential
    holder: object
    path: str


def held_containers(ecosystem: Ecosystem) -> Iterator[HeldContainer]:
    """Yield every container object of the model once."""
    seen: set[int] = set()
    for held in _mentions(ecosystem):
        if id(held.container) not in seen:
            seen.add(id(held.container))
            yield held


def _mentions(ecosystem: Ecosystem) -> Iterator[HeldContainer]:
    for platform in ecosystem.platforms:
        if isinstance(platform, YellowPlatform):
            yield HeldContainer(platform.container, platform)
            yield from (HeldContainer(replica.container, replica) for replica in platform.replicas)
        elif isinstance(platform, LegacyPlatform) and platform.container is not None:
            yield HeldContainer(platform.container, platform)
    for placed in all_datastores(ecosystem):
        capture = placed.datastore.capture
        if capture is not None:
            yield HeldContainer(capture.container, capture)
    for where in all_workspaces(ecosystem):
        if where.workspace.container is not None:
            yield HeldContainer(where.workspace.container, where.workspace)


def held_stand_ins(ecosystem: Ecosystem) -> Iterator[HeldContainer]:
    """Yield every container that stands in for another one in an environment."""
    for environment in ecosystem.environments:
        yield from (HeldContainer(container, environment) for container in environment.containers.values())
        for platform in environment.platforms:
            if isinstance(platform, YellowPlatform):
                yield HeldContainer(platform.container, platform)


def held_credentials(ecosystem: Ecosystem, containers: tuple[HeldContainer, ...]) -> Iterator[HeldCredential]:
    """Yield every mention of a credential."""
    for holder, path, value in _values(ecosystem, containers):
        if isinstance(value, str):
            yield HeldCredential(Credential(value), holder, path)
        elif isinstance(value, Credential):
            yield HeldCredential(value, holder, path)


def _values(ecosystem: Ecosystem, containers: tuple[HeldContainer, ...]) -> Iterator[tuple[object, str, object]]:
    for placed in all_datastores(ecosystem):
        capture = placed.datastore.capture
        if capture is not None and capture.credential is not None:
            yield capture, store_path(placed), capture.credential
    for platform in ecosystem.platforms:
        if isinstance(platform, YellowPlatform):
            yield platform, step("", "platform", platform.name), platform.credential
    for held in containers:
        yield held.container, held.path, getattr(held.container, "credential", None)
    for where in all_workspaces(ecosystem):
        transformer = where.workspace.transformer
        if transformer is not None:
            path = step(workspace_path(where), "transformer", transformer.name)
            yield from ((transformer, path, secret) for secret in transformer.secrets.values())
            yield transformer.code, path, getattr(transformer.code, "credential", None)
