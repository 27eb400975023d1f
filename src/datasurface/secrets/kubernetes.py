"""The secret store `kubernetes`: Secrets of a namespace, one a credential, with the keys `user`, `password` and so on.

The version to come and the former one are keys of the same Secret, `pending.password` and `previous.password`, and each
change is one request, for the revision that was read. So no crash and no second writer can tear it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

from datasurface.errors import ConfigurationError, SecretError
from datasurface.model.infrastructure import Credential
from datasurface.model.secret_names import kubernetes_name
from datasurface.model.secret_stores import KubernetesSecrets, StoreChoice
from datasurface.secrets.base import Secret, Surroundings, assemble, pieces_of
from datasurface.secrets.kubernetes_client import ChangedError, KubernetesClient
from datasurface.secrets.kubernetes_object import PENDING, SecretObject

__all__ = ["KubernetesStore"]

_ATTEMPTS = 20


class KubernetesStore:
    """Reads and writes Secrets of one namespace; it changes only those that it has made, or may adopt."""

    keeps: float = 60

    def __init__(self, choice: KubernetesSecrets, surroundings: Surroundings, client: KubernetesClient) -> None:
        self._choice = choice
        self._surroundings = surroundings
        self._client = client

    @classmethod
    def opened(cls, choice: StoreChoice, surroundings: Surroundings) -> Self:
        """Return the store of a namespace, reached as the pod's service account, else as the kubeconfig says.

        Raises:
            ConfigurationError: no cluster is known, or no ecosystem.
            MissingExtraError: the client library is not installed.
        """
        settings = choice if isinstance(choice, KubernetesSecrets) else KubernetesSecrets()
        if not surroundings.ecosystem:
            raise ConfigurationError("the secret store kubernetes needs a model: its names hold the ecosystem's")
        return cls(settings, surroundings, KubernetesClient.opened(settings, surroundings.environ))

    def __repr__(self) -> str:
        return f"KubernetesStore({self._client.namespace})"

    @property
    def accepts_new(self) -> bool:
        """Whether the model allows to write to it."""
        return not self._choice.read_only

    def name(self, credential: Credential) -> str:
        """Return the name of a credential's Secret."""
        where = self._surroundings
        return kubernetes_name(self._choice.prefix, where.ecosystem, where.environment, credential.name)

    def lookup(self, credential: Credential) -> Secret | None:
        """Return the current version, or None if there is none.

        Raises:
            SecretError: it is incomplete, or the cluster refuses; the hint names the permission.
            TransientError: the cluster cannot be reached.
        """
        return self._read(credential, "")

    def places(self, credential: Credential) -> tuple[str, ...]:
        """Return the Secret and its namespace."""
        return (self._place(credential),)

    def pending(self, credential: Credential) -> Secret | None:
        """Return the version to come, or None.

        Raises:
            SecretError, TransientError: as `lookup`.
        """
        return self._read(credential, PENDING)

    def stage(self, credential: Credential, secret: Secret) -> None:
        """Keep a secret as the version to come; a Secret that does not exist yet is made.

        Raises:
            SecretError: the secret is incomplete, somebody else's, or the cluster refuses.
            TransientError: the cluster cannot be reached, or others change the Secret all the time.
        """
        pieces = pieces_of(credential, secret)
        self._change(credential, lambda found: found.staged(pieces))

    def promote(self, credential: Credential) -> None:
        """Make the version to come the current one, and keep the former, in one request.

        Raises:
            SecretError, TransientError: as `stage`; there is neither one to come nor a current one.
        """
        name = self.name(credential)
        found = self._client.read(name)
        if found is None or not found.version(PENDING):
            if found is None or not found.version(""):
                raise SecretError(f"credential {credential.name!r} has no secret to come in {self._place(credential)}")
            return
        self._change(credential, SecretObject.promoted)

    def remove(self, credential: Credential) -> None:
        """Delete the Secret.

        Raises:
            SecretError, TransientError: as `stage`.
        """
        found = self._client.read(self.name(credential))
        if found is not None:
            self._refuse_strange(credential, found)
            self._client.delete(self.name(credential))

    def _place(self, credential: Credential) -> str:
        return f"Secret {self.name(credential)} in namespace {self._client.namespace}"

    def _read(self, credential: Credential, version: str) -> Secret | None:
        found = self._client.read(self.name(credential))
        if found is None:
            return None
        place = self._place(credential)
        if not found.is_text:
            raise SecretError(f"{place} holds something that is no text in UTF-8")
        return assemble(credential, found.version(version).get, lambda piece: f"key {version}{piece} of {place}")

    def _change(self, credential: Credential, change: Callable[[SecretObject], SecretObject]) -> None:
        """Read, change and write, from the beginning if somebody else was faster."""
        name, where = self.name(credential), self._surroundings
        for attempt in range(_ATTEMPTS):
            found = self._client.read(name)
            try:
                if found is None:
                    new = SecretObject.new(where.ecosystem, where.environment, credential.name)
                    self._client.create(name, change(new))
                else:
                    self._refuse_strange(credential, found)
                    self._client.change(name, found, change(found))
            except ChangedError:
                if attempt == _ATTEMPTS - 1:
                    raise
            else:
                return

    def _refuse_strange(self, credential: Credential, found: SecretObject) -> None:
        where = self._surroundings
        if not found.is_of(where.ecosystem, where.environment) and not self._choice.adopt:
            raise SecretError(
                f"{self._place(credential)} was not made by DataSurface for this ecosystem",
                hint="KubernetesSecrets(adopt=True) lets DataSurface change it",
            )
