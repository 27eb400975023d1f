"""Deployments to AWS that fit the model: what is made is for a container of it, and jobs find their secrets there."""

from __future__ import annotations

from collections.abc import Iterator

from datasurface.govern.paths import shown, step
from datasurface.govern.report import Finding, finding
from datasurface.govern.rules.environments import Use, chosen, uses
from datasurface.govern.scope import Scope
from datasurface.model.aws import AuroraCluster
from datasurface.model.aws_check import host_problem
from datasurface.model.binding import stand_in_platform
from datasurface.model.deployment import Aws
from datasurface.model.effective import platform_credential
from datasurface.model.infrastructure import AuroraDatabase
from datasurface.model.platform import Environment, YellowPlatform
from datasurface.model.secret_stores import DEFAULT_STORES, kind_of_store

__all__ = ["aws"]

_Problem = tuple[str, str]
"""What is wrong, and what to do."""


def aws(scope: Scope) -> Iterator[Finding]:
    """DS-L005: databases that are made are those of platforms, with an administrator; secrets are in AWS's store."""
    for environment in chosen(scope):
        path = step("", "environment", environment.name)
        for deployment in environment.deployments:
            if isinstance(deployment, Aws):
                platforms = _platforms(scope, environment)
                found = [*_stores(environment, platforms), *_databases(deployment, platforms, scope, environment)]
                for message, hint in found:
                    yield finding("DS-L005", deployment, path, message, hint, holder=environment)


def _platforms(scope: Scope, environment: Environment) -> list[YellowPlatform]:
    bound = [stand_in_platform(environment, platform) for platform in scope.declared.platforms]
    return [platform for platform in bound if isinstance(platform, YellowPlatform)]


def _stores(environment: Environment, platforms: list[YellowPlatform]) -> Iterator[_Problem]:
    for platform in platforms:
        stores = environment.secrets if environment.secrets is not None else platform.secrets
        if "aws" not in {kind_of_store(choice) for choice in (DEFAULT_STORES if stores is None else stores)}:
            message = f"platform {shown(platform.name)} asks no secret store of AWS, so that its jobs find no secret"
            yield message, "say secrets=[AwsSecrets()] of the environment"


def _databases(
    deployment: Aws, platforms: list[YellowPlatform], scope: Scope, environment: Environment
) -> Iterator[_Problem]:
    used = {use.container.name: use for use in uses(scope, environment)}
    for made in deployment.databases:
        own = [platform for platform in platforms if platform.container.name == made.container]
        if problem := _database(made, own, used):
            message, hint = problem
            yield f"AuroraCluster({shown(made.container)}): {message}", hint


def _database(made: AuroraCluster, own: list[YellowPlatform], used: dict[str, Use]) -> _Problem | None:
    if not own:
        what = "is the database of no platform" if made.container in used else "there is no such container"
        return f"it {what}" if made.container in used else what, "name the container of a platform's merge database"
    container = own[0].container
    if not isinstance(container, AuroraDatabase):
        return f"the container is a {type(container).__name__}", "put an AuroraDatabase in its place"
    if problem := host_problem(container.host):
        return problem, "choose a name such as merge.db.acme.internal, which then leads to the cluster"
    administrators = {credential for platform in own if (credential := platform_credential(platform)) is not None}
    if len(administrators) != 1:
        words = "nobody administers it" if not administrators else "it has several administrators"
        return words, "say credential=… of the container: its secret is made with the database"
    return None
