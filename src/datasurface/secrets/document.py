"""A secret as one JSON object, as clouds' stores hold it: `{"username": …, "password": …}` and whatever else is in it.

What an object has besides, such as the host and the engine that a database service adds, stays in it when the secret
is changed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Self

from datasurface.model.infrastructure import Credential
from datasurface.model.vocabulary import CredentialKind
from datasurface.secrets.base import Pieces, Secret, assemble

__all__ = ["KEYS", "Document"]

KEYS = {
    "user": "username",
    "password": "password",
    "token": "token",
    "private_key": "private_key",
    "certificate": "certificate",
}
"""The key of the object that holds each piece."""
_ALSO = {"user": "user"}


class Document:
    """A JSON object with a secret in it; what shows variables shows nothing of it."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, object] | None = None) -> None:
        self._values = dict(values or {})

    def __repr__(self) -> str:
        return "Document(***)"

    @classmethod
    def parse(cls, text: str | None, credential: Credential) -> Self | None:
        """Return the object that a text holds; a text that is no JSON may be a token. None if it is neither."""
        try:
            values = json.loads(text or "")
        except ValueError:
            values = None
        if isinstance(values, dict):
            return cls(values)
        return cls({"token": text}) if text and credential.kind is CredentialKind.TOKEN else None

    def secret(self, credential: Credential, place: str) -> Secret | None:
        """Return the secret, or None if no piece of it is there.

        Raises:
            SecretError: some pieces are there and a required one is not.
        """
        return assemble(credential, self._piece, lambda piece: f"{KEYS[piece]!r} in {place}")

    def holding(self, pieces: Pieces) -> Self:
        """Return the object with these pieces in it, and all else as it was."""
        kept = {key: value for key, value in self._values.items() if key not in (*KEYS.values(), *_ALSO.values())}
        return type(self)({**kept, **{KEYS[name]: value for name, value in pieces.items()}})

    def text(self) -> str:
        """Return the JSON text."""
        return json.dumps(self._values, ensure_ascii=False)

    def _piece(self, name: str) -> str | None:
        value = self._values.get(KEYS[name])
        if value is None and name in _ALSO:
            value = self._values.get(_ALSO[name])
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        return value if isinstance(value, str) else None
