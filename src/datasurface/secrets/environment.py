"""The secret store `environment`: variables such as `DATASURFACE_<NAME>_USER` and `DATASURFACE_<NAME>_PASSWORD`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from datasurface.model.infrastructure import Credential
from datasurface.model.secret_names import variable_stem
from datasurface.model.secret_stores import StoreChoice
from datasurface.secrets.base import Secret, Surroundings, assemble, required_pieces

__all__ = ["EnvironmentStore", "variable"]


def variable(credential: str, piece: str) -> str:
    """Return the variable that holds a piece of a credential's secret: the name in upper case, others as `_`."""
    return f"{variable_stem(credential)}{piece.upper()}"


class EnvironmentStore:
    """Finds secrets in variables. A variable that is empty counts as not set."""

    keeps: float = 0

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    @classmethod
    def opened(cls, _: StoreChoice, surroundings: Surroundings) -> Self:
        """Return the store of this process."""
        return cls(surroundings.environ)

    def __repr__(self) -> str:
        return "EnvironmentStore()"

    def lookup(self, credential: Credential) -> Secret | None:
        """Return the secret, or None if none of its variables is set.

        Raises:
            SecretError: some are set and a required one is not.
        """

        def place(piece: str) -> str:
            return variable(credential.name, piece)

        return assemble(credential, lambda piece: self._environ.get(place(piece)) or None, place)

    def places(self, credential: Credential) -> tuple[str, ...]:
        """Return the variables that a secret of this kind needs."""
        return tuple([variable(credential.name, piece) for piece in required_pieces(credential.kind)])
