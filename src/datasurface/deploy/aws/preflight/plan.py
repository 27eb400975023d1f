"""From what is to be deployed to what the checks are given: the stacks as they would be made, pods, objects, images."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, TypeVar

from datasurface.deploy.aws.actions import required_actions
from datasurface.deploy.aws.preflight.clients import AwsReader, Clients
from datasurface.deploy.aws.preflight.subject import AwsSubject, PlannedStack
from datasurface.deploy.aws.target import stacks
from datasurface.deploy.base import Deployable, target, target_names
from datasurface.deploy.pod_needs import pod_needs
from datasurface.errors import DataSurfaceError, MissingExtraError
from datasurface.model.deployment import Aws
from datasurface.model.kubernetes import Kubernetes

__all__ = ["planned"]

_T = TypeVar("_T")

_LOOKED_AT = re.compile(
    r"accessModes:|kind: StorageClass|type: LoadBalancer|name: \w*(PASSWORD|TOKEN|SECRET|KEY)", re.IGNORECASE
)
"""What an object holds that a check looks at: reading a thousand others would take too long."""


def planned(deployable: Deployable, environ: Mapping[str, str], *, today: date, lint: bool = False) -> AwsSubject:
    """Return what the checks are given; AWS is asked nothing yet.

    Raises:
        ConfigurationError: the environment is not deployed to AWS.
        MissingExtraError: what makes the templates is not installed.
    """
    settings = deployable.settings(Aws)
    problems: list[DataSurfaceError] = []
    return AwsSubject(
        deployable=deployable,
        settings=settings,
        stacks=_made(_stacks(deployable), problems),
        aws=AwsReader(Clients(settings.region)),
        today=today,
        pods=pod_needs(deployable),
        manifests=_made(_manifests(deployable), problems),
        problems=problems,
        images=dict(_images(deployable)),
        environ=environ,
        lint=lint,
    )


def _made(parts: Iterator[_T], problems: list[DataSurfaceError]) -> tuple[_T, ...]:
    """Return all parts; none, and the problem among the others, if they cannot be made."""
    try:
        return tuple(parts)
    except MissingExtraError:
        raise
    except DataSurfaceError as error:
        problems.append(error)
        return ()


def _stacks(deployable: Deployable) -> Iterator[PlannedStack]:
    made = stacks(deployable)
    actions = required_actions(made)
    for stack in made:
        yield PlannedStack(
            name=stack.name,
            path=stack.path,
            document=stack.document,
            capabilities=stack.capabilities,
            actions=actions[stack.key],
        )


def _manifests(deployable: Deployable) -> Iterator[Mapping[str, Any]]:
    """Yield the Kubernetes objects that go with the stacks, where the environment has them."""
    if deployable.find(Kubernetes) is None or "kubernetes" not in target_names():
        return
    for file in target("kubernetes").files(deployable):
        for text in file.content.split("\n---\n") if file.path.endswith((".yaml", ".yml")) else ():
            if _LOOKED_AT.search(text):
                yield from _read(text)


def _read(text: str) -> Iterator[Mapping[str, Any]]:
    import yaml  # noqa: PLC0415 - the target kubernetes needs it, too

    document = yaml.safe_load(text)
    if isinstance(document, dict):
        yield document


def _images(deployable: Deployable) -> Iterator[tuple[str, str]]:
    settings = deployable.find(Kubernetes)
    if settings is not None:
        yield "image of the jobs", settings.image
