"""What environments are deployed to."""

from __future__ import annotations

from collections.abc import Iterator

from datasurface.govern.paths import step
from datasurface.govern.report import Finding, finding
from datasurface.govern.scope import Scope
from datasurface.model.deployment_check import deployment_problems

__all__ = ["deployments"]


def deployments(scope: Scope) -> Iterator[Finding]:
    """DS-N010 and DS-D005: settings can be, and there is one deployment of a kind."""
    for environment in scope.ecosystem.environments:
        path = step("", "environment", environment.name)
        kinds: set[str] = set()
        for deployment in environment.deployments:
            kind = type(deployment).__name__
            if kind in kinds:
                message = f"it is deployed to {kind} twice"
                hint = f"leave one, or declare another environment for the other {kind}"
                yield finding("DS-D005", deployment, path, message, hint, holder=environment)
            kinds.add(kind)
            for problem in deployment_problems(deployment):
                message = f"{kind} cannot have {problem}"
                yield finding("DS-N010", deployment, path, message, "correct the setting", holder=environment)
