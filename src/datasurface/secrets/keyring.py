"""The secret stores of one platform, asked in order at the moment of use; what remote ones answer is kept briefly."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from datasurface.errors import SecretError
from datasurface.model.infrastructure import Credential
from datasurface.model.secret_stores import StoreChoice, store_label
from datasurface.release.job import PlatformSpec
from datasurface.secrets.base import Secret, SecretStore, Surroundings, WritableStore
from datasurface.secrets.resolve import open_store

__all__ = ["Found", "Keyring"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A secret, and which store has it.

    Attributes:
        store: The store, as messages name it.
    """

    secret: Secret
    store: str


class Keyring:
    """Finds secrets for many threads at once.

    Stores are opened when they are first asked, so that one which is never reached needs nothing installed.
    """

    def __init__(
        self, stores: Sequence[tuple[str, Callable[[], SecretStore]]], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._makers = tuple(stores)
        self._clock = clock
        self._lock = threading.Lock()
        self._opened: dict[int, SecretStore] = {}
        self._kept: dict[Credential, tuple[Found, float]] = {}
        self._asking: dict[Credential, threading.Lock] = {}

    @classmethod
    def opened(cls, choices: Sequence[StoreChoice], surroundings: Surroundings) -> Self:
        """Return the keyring of the stores that a model chooses."""

        def maker(choice: StoreChoice) -> Callable[[], SecretStore]:
            return lambda: open_store(choice, surroundings)

        return cls([(store_label(choice), maker(choice)) for choice in choices])

    @classmethod
    def of(cls, spec: PlatformSpec, folder: Path, environ: Mapping[str, str]) -> Self:
        """Return the keyring of a platform, for a model folder."""
        where = Surroundings(environ=environ, ecosystem=spec.ecosystem, environment=spec.environment, folder=folder)
        return cls.opened(spec.secrets, where)

    def __repr__(self) -> str:
        return f"Keyring({', '.join(label for label, _ in self._makers)})"

    def find(self, credential: Credential | None) -> Secret | None:
        """Return the secret that the first store to know it holds; None for no credential: the driver's own defaults.

        Raises:
            SecretError: no store has it, or the store that has it holds only a part of it.
            ConfigurationError: a store is not installed, or its settings do not fit.
        """
        return None if credential is None else self.locate(credential).secret

    def refresh(self, credential: Credential | None) -> Secret | None:
        """Return the secret looked up anew, for one that was refused: it may have been rotated meanwhile.

        Raises:
            SecretError: as `find`.
        """
        return None if credential is None else self._locate(credential, fresh=True).secret

    def now(self, credential: Credential) -> Secret | None:
        """Return the secret that stores have at this moment, whatever was kept; None if none of them has it.

        Raises:
            SecretError: the store that has it holds only a part of it.
        """
        stores = (self._store(number) for number in range(len(self._makers)))
        return next((secret for store in stores if (secret := store.lookup(credential)) is not None), None)

    def locate(self, credential: Credential) -> Found:
        """Return the secret and the store that has it.

        Raises:
            SecretError: as `find`.
        """
        return self._locate(credential, fresh=False)

    def writable(self) -> WritableStore:
        """Return the store that new secrets go to: the first that can be written to.

        Raises:
            SecretError: there is none.
        """
        for number in range(len(self._makers)):
            store = self._store(number)
            if isinstance(store, WritableStore) and store.accepts_new:
                return store
        asked = ", ".join(label for label, _ in self._makers) or "none"
        raise SecretError(
            f"no secret store can be written to; the stores are {asked}",
            hint="set DATASURFACE_SECRETS to a folder of your own, or name another store in secrets=",
        )

    def _locate(self, credential: Credential, *, fresh: bool) -> Found:
        """Return what is kept, or ask; a fresh answer is one that was asked for after the call."""
        with self._lock:
            asking = self._asking.setdefault(credential, threading.Lock())
        with asking:
            found, until = self._kept.get(credential, (None, 0.0))
            if fresh or found is None or self._clock() >= until:
                found = self._ask(credential)
            return found

    def _ask(self, credential: Credential) -> Found:
        keeps, looked = 0.0, list[str]()
        for number, (label, _) in enumerate(self._makers):
            store = self._store(number)
            keeps = max(keeps, store.keeps)
            secret = store.lookup(credential)
            if secret is not None:
                found = Found(secret=secret, store=label)
                with self._lock:
                    self._kept[credential] = (found, self._clock() + keeps)
                return found
            looked.append(f"{label}: {', '.join(store.places(credential))}")
        raise SecretError(
            f"no secret for credential {credential.name!r} ({credential.kind.value}); "
            f"looked for {'; '.join(looked) or 'it in no store'}",
            hint="set it in one of these places",
        )

    def _store(self, number: int) -> SecretStore:
        with self._lock:
            if number not in self._opened:
                self._opened[number] = self._makers[number][1]()
            return self._opened[number]
