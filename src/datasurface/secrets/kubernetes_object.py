"""A Kubernetes Secret as a value that shows nothing of what it holds: its keys, its revision and whose it is.

Pure: changes give new values; somebody else sends them.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from datasurface.secrets.base import Pieces

__all__ = ["PENDING", "PREVIOUS", "SecretObject"]

PENDING, PREVIOUS = "pending.", "previous."
"""What the keys of the version to come, and of the former one, begin with."""
_PIECES = ("user", "password", "token", "private_key", "certificate")
_BASIC_AUTH = {"user": "username"}
"""The key that Kubernetes itself has for a user, in Secrets of the type `kubernetes.io/basic-auth`."""
_LABEL = "app.kubernetes.io/managed-by"
_ECOSYSTEM, _ENVIRONMENT = "datasurface/ecosystem", "datasurface/environment"
_CREDENTIAL = "datasurface/credential"


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretObject:
    """What a Secret holds.

    Attributes:
        data: The values in base64, by key.
        revision: The resource version that was read; None for one that does not exist yet.
        type: The Secret's type.
    """

    data: Mapping[str, str] = field(repr=False)
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    revision: str | None = None
    type: str = "Opaque"

    @classmethod
    def new(cls, ecosystem: str, environment: str | None, credential: str) -> Self:
        """Return an empty Secret of an ecosystem."""
        annotations = {_ECOSYSTEM: ecosystem, _CREDENTIAL: credential}
        if environment is not None:
            annotations[_ENVIRONMENT] = environment
        return cls(data=Pieces({}), labels={_LABEL: "datasurface"}, annotations=annotations)

    def is_of(self, ecosystem: str, environment: str | None) -> bool:
        """Tell whether DataSurface made it for this ecosystem and environment."""
        found = (self.labels.get(_LABEL), self.annotations.get(_ECOSYSTEM), self.annotations.get(_ENVIRONMENT))
        return found == ("datasurface", ecosystem, environment)

    @property
    def is_text(self) -> bool:
        """Whether every piece of a secret is text."""
        return all(_text(self.data[key]) is not None for key in self.data if _piece_of(key))

    def version(self, version: str) -> Pieces:
        """Return the pieces of a version: `PENDING`, `PREVIOUS`, or an empty text for the current one."""
        keys = {piece: f"{version}{self._key(piece)}" for piece in _PIECES}
        return Pieces({piece: _text(self.data[key]) or "" for piece, key in keys.items() if key in self.data})

    def staged(self, pieces: Pieces) -> Self:
        """Return it with a version to come, in place of an earlier one."""
        kept = {key: self.data[key] for key in self.data if not key.startswith(PENDING)}
        return self._with(Pieces({**kept, **self._encoded(PENDING, pieces)}))

    def promoted(self) -> Self:
        """Return it with the version to come as the current one, and the current as the former; else as it is."""
        coming = self.version(PENDING)
        if not coming:
            return self
        kept = {key: self.data[key] for key in self.data if _piece_of(key) is None}
        changed = {**self._encoded("", coming), **self._encoded(PREVIOUS, self.version(""))}
        return self._with(Pieces({**kept, **changed}))

    def _with(self, data: Pieces) -> Self:
        return replace(self, data=data)

    def _key(self, piece: str) -> str:
        """Return the key of a piece, which Kubernetes' own type and whoever made the Secret may call otherwise."""
        other = _BASIC_AUTH.get(piece)
        return other if other is not None and other in self.data else piece

    def _encoded(self, version: str, pieces: Pieces) -> dict[str, str]:
        return {f"{version}{self._key(name)}": base64.b64encode(pieces[name].encode()).decode() for name in pieces}


def _piece_of(key: str) -> str | None:
    """Return the piece that a key holds a version of; None for a key of somebody else's."""
    name = key.removeprefix(PENDING).removeprefix(PREVIOUS)
    return name if name in _PIECES or name in _BASIC_AUTH.values() else None


def _text(encoded: str) -> str | None:
    try:
        return base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
