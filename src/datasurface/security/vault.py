"""Where the passwords of a platform's logins are kept: found in several secret stores, written to one of them."""

from __future__ import annotations

from contextlib import suppress

from datasurface.errors import SecretError
from datasurface.model.infrastructure import Credential
from datasurface.secrets.base import Secret, WritableStore
from datasurface.secrets.keyring import Keyring

__all__ = ["Vault"]


class Vault:
    """The secrets of logins by the names of their credentials."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self._store: WritableStore | None = None

    def current(self, credential: str) -> Secret | None:
        """Return the secret that jobs find now; None if no store has any."""
        return self._keyring.now(Credential(credential))

    def pending(self, credential: str) -> Secret | None:
        """Return the secret that is staged and not in use yet."""
        with suppress(SecretError):
            self._writable()
        return self._store.pending(Credential(credential)) if self._store is not None else None

    def stage(self, credential: str, secret: Secret) -> None:
        """Keep a secret that is not in use yet.

        Raises:
            SecretError: no store can be written to.
        """
        self._writable().stage(Credential(credential), secret)

    def promote(self, credential: str) -> None:
        """Make the staged secret the one that jobs find."""
        self._writable().promote(Credential(credential))

    def remove(self, credential: str) -> None:
        """Remove a secret with all its versions; one that is kept elsewhere by hand stays."""
        with suppress(SecretError):
            self._writable()
        if self._store is not None:
            self._store.remove(Credential(credential))

    def _writable(self) -> WritableStore:
        if self._store is None:
            self._store = self._keyring.writable()
        return self._store
