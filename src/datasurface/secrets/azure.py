"""The secret store `azure`: secrets of a Key Vault, one a credential, each value one JSON object.

A vault's newest version is the current one, and it has no other labels. So what is staged is a second secret, named
`…--pending`; promoting writes its value as a new version of the first, with a tag that says from which staged version
it came. That is one request: done whole or not at all. Former versions are the vault's own history.
"""

from __future__ import annotations

from typing import Self

from datasurface.errors import ConfigurationError, SecretError
from datasurface.model.infrastructure import Credential
from datasurface.model.secret_names import azure_name
from datasurface.model.secret_stores import AzureKeyVault, StoreChoice
from datasurface.secrets.azure_client import AzureClient, VaultVersion
from datasurface.secrets.base import Secret, Surroundings, pieces_of
from datasurface.secrets.document import Document

__all__ = ["AzureStore"]

_PENDING = "--pending"
_FROM = "promoted-from"


class AzureStore:
    """Reads and writes secrets of one Key Vault; it changes only those that it has made, or may adopt."""

    keeps: float = 60

    def __init__(self, choice: AzureKeyVault, surroundings: Surroundings, client: AzureClient) -> None:
        self._choice = choice
        self._surroundings = surroundings
        self._client = client

    @classmethod
    def opened(cls, choice: StoreChoice, surroundings: Surroundings) -> Self:
        """Return the store of a vault.

        Raises:
            ConfigurationError: the model names no vault, or no ecosystem is known.
            MissingExtraError: the client library is not installed.
        """
        if not isinstance(choice, AzureKeyVault):
            raise ConfigurationError("the secret store azure has no vault", hint='write AzureKeyVault("its-name")')
        if not surroundings.ecosystem:
            raise ConfigurationError("the secret store azure needs a model: its names hold the ecosystem's")
        return cls(choice, surroundings, AzureClient.opened(choice.vault))

    def __repr__(self) -> str:
        return f"AzureStore({self._client.url})"

    @property
    def accepts_new(self) -> bool:
        """Whether the model allows to write to it."""
        return not self._choice.read_only

    def name(self, credential: Credential) -> str:
        """Return the name of a credential's secret."""
        where = self._surroundings
        return azure_name(self._choice.prefix, where.ecosystem, where.environment, credential.name)

    def lookup(self, credential: Credential) -> Secret | None:
        """Return the newest version, or None if there is none.

        Raises:
            SecretError: it is incomplete, disabled or no JSON object, or the vault refuses; the hint names the role.
            TransientError: the vault cannot be reached.
        """
        found = self._client.read(self.name(credential), credential)
        return self._secret(credential, found, self._place(credential)) if found is not None else None

    def places(self, credential: Credential) -> tuple[str, ...]:
        """Return the secret's name and the vault."""
        return (self._place(credential),)

    def pending(self, credential: Credential) -> Secret | None:
        """Return what is staged and not yet promoted, or None.

        Raises:
            SecretError, TransientError: as `lookup`.
        """
        coming = self._coming(credential, self._client.read(self.name(credential), credential))
        return None if coming is None else self._secret(credential, coming, self._place(credential, _PENDING))

    def stage(self, credential: Credential, secret: Secret) -> None:
        """Write a secret as the newest version of the one that is pending.

        Raises:
            SecretError: the secret is incomplete, somebody else's, or the vault refuses.
            TransientError: the vault cannot be reached.
        """
        pieces = pieces_of(credential, secret)
        current = self._client.read(self.name(credential), credential)
        self._refuse_strange(credential, current)
        former = (current.document if current is not None else None) or Document()
        self._client.write(f"{self.name(credential)}{_PENDING}", former.holding(pieces), self._tags(credential))

    def promote(self, credential: Credential) -> None:
        """Write what is staged as the newest version of the current secret.

        Raises:
            SecretError: nothing is staged and there is no current one, it is somebody else's, or the vault refuses.
            TransientError: the vault cannot be reached.
        """
        current = self._client.read(self.name(credential), credential)
        coming = self._coming(credential, current)
        if coming is None or coming.document is None:
            if current is None:
                raise SecretError(f"credential {credential.name!r} has no secret to come in {self._place(credential)}")
            return
        self._refuse_strange(credential, current)
        tags = {**self._tags(credential), _FROM: coming.version}
        self._client.write(self.name(credential), coming.document, tags)

    def remove(self, credential: Credential) -> None:
        """Delete the secret and what is staged; the vault keeps both for its own time, and can recover them.

        Raises:
            SecretError: it is somebody else's, or the vault refuses.
            TransientError: the vault cannot be reached.
        """
        current = self._client.read(self.name(credential), credential)
        self._refuse_strange(credential, current)
        self._client.delete(f"{self.name(credential)}{_PENDING}")
        self._client.delete(self.name(credential))

    def _coming(self, credential: Credential, current: VaultVersion | None) -> VaultVersion | None:
        """Return the staged version, unless the current one came from it."""
        staged = self._client.read(f"{self.name(credential)}{_PENDING}", credential)
        done = current is not None and staged is not None and current.tags.get(_FROM) == staged.version
        return None if done else staged

    def _secret(self, credential: Credential, found: VaultVersion, place: str) -> Secret | None:
        if found.document is None:
            raise SecretError(
                f"the secret {place} is no JSON object", hint='write it as {"username": …, "password": …}'
            )
        return found.document.secret(credential, place)

    def _place(self, credential: Credential, suffix: str = "") -> str:
        return f"{self.name(credential)}{suffix} in {self._client.url}"

    def _tags(self, credential: Credential) -> dict[str, str]:
        where = self._surroundings
        tags = {"managed-by": "datasurface", "ecosystem": where.ecosystem, "credential": credential.name[:256]}
        return tags if where.environment is None else {**tags, "environment": where.environment}

    def _refuse_strange(self, credential: Credential, current: VaultVersion | None) -> None:
        if current is None or self._choice.adopt:
            return
        where, tags = self._surroundings, current.tags
        own = (tags.get("managed-by"), tags.get("ecosystem"), tags.get("environment"))
        if own != ("datasurface", where.ecosystem, where.environment):
            raise SecretError(
                f"the newest version of {self._place(credential)} was not made by DataSurface for this ecosystem",
                hint="AzureKeyVault(…, adopt=True) lets DataSurface change it",
            )
