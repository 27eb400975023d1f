"""How releases reach environments: the rule that selects them, and the store that they are taken from."""

from __future__ import annotations

from collections.abc import Iterator

from datasurface.govern.paths import step
from datasurface.govern.report import Finding, finding
from datasurface.govern.scope import Scope
from datasurface.model.platform import Environment
from datasurface.model.release_address import parse_address
from datasurface.model.release_rule import parse_rule

__all__ = ["releases"]


def releases(scope: Scope) -> Iterator[Finding]:
    """DS-L001 to DS-L003: rules and stores can be read, and come together."""
    for environment in scope.ecosystem.environments:
        path = step("", "environment", environment.name)
        if environment.releases is not None:
            yield from _rule(environment, environment.releases, path)
        if environment.release_store is not None:
            yield from _store(environment, path)
        if (environment.releases is None) != (environment.release_store is None):
            yield from _alone(environment, path)


def _rule(environment: Environment, rule: str, path: str) -> Iterator[Finding]:
    try:
        parse_rule(rule)
    except ValueError as error:
        message = f"releases={rule!r} selects nothing: {error}"
        yield finding("DS-L001", environment, path, message, 'write a pattern of tags, such as "v*", or "branch:main"')


def _store(environment: Environment, path: str) -> Iterator[Finding]:
    try:
        parse_address(environment.release_store or "")
    except ValueError as error:
        hint = 'write "s3://bucket/prefix", "/an/absolute/folder", "git+https://…", or a repository'
        yield finding("DS-L002", environment, path, f"its release store cannot be used: {error}", hint)


def _alone(environment: Environment, path: str) -> Iterator[Finding]:
    if environment.releases is None:
        message = "it has a release store, but no rule says which releases reach it by themselves"
        hint = 'say releases="v*" or "branch:main", or apply them by hand'
    else:
        message = f"releases={environment.releases!r} selects, but no release store says where from"
        hint = "say release_store=, or apply releases by hand"
    yield finding("DS-L003", environment, path, message, hint)
