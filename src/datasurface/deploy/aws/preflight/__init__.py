"""The checks of the target `aws`: what can make it fail, found in seconds and before a resource exists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from functools import cached_property

from datasurface.deploy.aws.preflight import (
    cost,
    exposure,
    lint,
    names,
    network,
    nodes,
    roles,
    settings,
    storage,
    versions,
)
from datasurface.deploy.aws.preflight.plan import planned
from datasurface.deploy.aws.preflight.subject import AwsSubject
from datasurface.deploy.base import Deployable
from datasurface.deploy.preflight.check import Check

__all__ = ["PREFLIGHT", "AwsPreflight"]


class AwsPreflight:
    """What the target `aws` offers to be checked beforehand."""

    name = "aws"

    @cached_property
    def checks(self) -> Sequence[Check[AwsSubject]]:
        """All checks, those that ask nobody first."""
        from datasurface.deploy.aws.preflight.online import ONLINE  # noqa: PLC0415 - not needed offline

        return (
            *settings.CHECKS,
            *names.CHECKS,
            *lint.CHECKS,
            *nodes.CHECKS,
            *storage.CHECKS,
            *versions.CHECKS,
            *network.CHECKS,
            *exposure.CHECKS,
            *roles.CHECKS,
            *cost.CHECKS,
            *ONLINE,
        )

    def subject(self, deployable: Deployable, environ: Mapping[str, str], *, lint: bool = False) -> AwsSubject:
        """Return what the checks are given: the stacks that would be made, and AWS, which nothing has asked yet.

        Raises:
            ConfigurationError: the environment is not deployed to AWS.
            MissingExtraError: what makes the templates is not installed.
        """
        return planned(deployable, environ, today=_today(), lint=lint)


def _today() -> date:
    return datetime.now(UTC).date()


PREFLIGHT = AwsPreflight()
"""The entry point."""
