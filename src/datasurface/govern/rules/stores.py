"""Secret stores that platforms and environments choose."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from datasurface.govern.paths import shown, step
from datasurface.govern.report import Finding, finding
from datasurface.govern.scope import Scope, closest, known
from datasurface.model.secret_stores import DEFAULT_STORES, StoreChoice, kind_of_store, store_problem

__all__ = ["kinds_of_stores", "secret_stores"]


def kinds_of_stores(scope: Scope) -> set[str]:
    """Return the kinds of store that any platform or environment asks."""
    chosen = [platform.secrets for platform in scope.yellow]
    chosen += [environment.secrets for environment in scope.ecosystem.environments if environment.secrets is not None]
    return {kind_of_store(choice) for stores in chosen or [None] for choice in _or_default(stores)}


def _or_default(stores: Sequence[StoreChoice] | None) -> Sequence[StoreChoice]:
    return DEFAULT_STORES if stores is None else stores


def secret_stores(scope: Scope) -> Iterator[Finding]:
    """DS-R015 and DS-N009: stores are installed, and their settings can be."""
    platforms = [(step("", "platform", p.name), p, p.secrets) for p in scope.yellow]
    environments = [(step("", "environment", e.name), e, e.secrets) for e in scope.ecosystem.environments]
    for path, holder, stores in (*platforms, *environments):
        for choice in stores or ():
            kind = kind_of_store(choice)
            if kind not in scope.secret_stores:
                message = f"there is no secret store {shown(kind)}"
                hint = closest(kind, scope.secret_stores) or f"installed are {known(scope.secret_stores)}"
                yield finding("DS-R015", choice, path, message, hint, holder=holder)
            elif problem := store_problem(choice):
                message = f"the secret store {shown(kind)} cannot have {problem}"
                yield finding("DS-N009", choice, path, message, "correct the setting", holder=holder)
