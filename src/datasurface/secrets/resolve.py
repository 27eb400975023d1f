"""Open secret stores by the entry points `datasurface.secrets`, and find one secret where no platform is at hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points
from typing import cast

from datasurface.errors import ConfigurationError
from datasurface.model.infrastructure import Credential
from datasurface.model.secret_stores import DEFAULT_STORES, StoreChoice, kind_of_store
from datasurface.secrets.base import Secret, SecretStore, StoreFactory, Surroundings

__all__ = ["DEFAULT_STORES", "installed_stores", "open_store", "resolve"]

_GROUP = "datasurface.secrets"


def resolve(
    credential: Credential | None, stores: Sequence[StoreChoice], surroundings: Surroundings | Mapping[str, str]
) -> Secret | None:
    """Return the secret that the first store to know it holds; None for no credential: the driver's own defaults.

    Args:
        credential: Whose secret it is.
        stores: What is asked, in order.
        surroundings: Where that is; of variables alone only stores without ecosystem can make something.

    Raises:
        SecretError: no store has it, or the store that has it holds only a part of it.
        ConfigurationError: a store of that name is not installed.
    """
    from datasurface.secrets.keyring import Keyring  # noqa: PLC0415 - a keyring opens stores with this module

    where = surroundings if isinstance(surroundings, Surroundings) else Surroundings(environ=surroundings)
    return Keyring.opened(stores, where).find(credential)


def installed_stores() -> frozenset[str]:
    """Return the names of the installed stores."""
    return frozenset(point.name for point in entry_points(group=_GROUP))


def open_store(choice: StoreChoice, surroundings: Surroundings) -> SecretStore:
    """Return the installed store that a model chooses.

    Raises:
        ConfigurationError: there is none of that name, or its settings do not fit.
        MissingExtraError: what it needs is not installed.
    """
    points = {point.name: point for point in entry_points(group=_GROUP)}
    kind = kind_of_store(choice)
    if kind not in points:
        raise ConfigurationError(f"no secret store {kind!r}", hint=f"installed are {', '.join(sorted(points))}")
    make = cast("StoreFactory", points[kind].load())
    return make(choice, surroundings)
