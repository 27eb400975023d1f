"""Where the passwords of a platform's logins are kept: found in several secret stores, written to one of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress

from datasurface.errors import SecretError
from datasurface.model.infrastructure import Credential
from datasurface.secrets.base import ManySecrets, Secret, WritableStore
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

    def stage(self, secrets: Mapping[str, Secret]) -> None:
        """Keep secrets that are not in use yet.

        Raises:
            SecretError: no store can be written to.
        """
        wanted = {Credential(name): secret for name, secret in secrets.items()}
        store: object = self._writable() if wanted else None
        if isinstance(store, ManySecrets):
            store.stage_all(wanted)
            return
        for credential, secret in wanted.items():
            self._writable().stage(credential, secret)

    def promote(self, credentials: Collection[str]) -> None:
        """Make the staged secrets those that jobs find."""
        wanted = [Credential(name) for name in credentials]
        store: object = self._writable() if wanted else None
        if isinstance(store, ManySecrets):
            store.promote_all(wanted)
            return
        for credential in wanted:
            self._writable().promote(credential)

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
