"""Find a credential's secret by asking the stores in order; the entry points `datasurface.secrets` name the stores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import entry_points
from typing import cast

from datasurface.errors import ConfigurationError, SecretError
from datasurface.model.infrastructure import Credential
from datasurface.secrets.base import Secret, SecretStore

__all__ = ["DEFAULT_STORES", "open_store", "resolve"]

DEFAULT_STORES = ("environment", "files")
_GROUP = "datasurface.secrets"


def resolve(credential: Credential | None, stores: Sequence[str], environ: Mapping[str, str]) -> Secret | None:
    """Return the secret that the first store to know it holds; None for no credential: the driver's own defaults.

    Raises:
        SecretError: no store has it, or the store that has it holds only a part of it.
        ConfigurationError: a store of that name is not installed.
    """
    if credential is None:
        return None
    opened = [open_store(name, environ) for name in stores]
    for store in opened:
        secret = store.lookup(credential)
        if secret is not None:
            return secret
    looked = [f"{name}: {', '.join(store.places(credential))}" for name, store in zip(stores, opened, strict=True)]
    raise SecretError(
        f"no secret for credential {credential.name!r} ({credential.kind.value}); "
        f"looked for {'; '.join(looked) or 'it in no store'}",
        hint="set it in one of these places",
    )


def open_store(name: str, environ: Mapping[str, str]) -> SecretStore:
    """Return the installed store of that name.

    Raises:
        ConfigurationError: there is none.
    """
    points = {point.name: point for point in entry_points(group=_GROUP)}
    if name not in points:
        raise ConfigurationError(f"no secret store {name!r}", hint=f"installed are {', '.join(sorted(points))}")
    make = cast("Callable[[Mapping[str, str]], SecretStore]", points[name].load())
    return make(environ)
