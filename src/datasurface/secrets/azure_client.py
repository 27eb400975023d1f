"""Calls of an Azure Key Vault: the login, soft-deleted names, and what its errors mean in words and roles.

Errors are raised where no variable holds what was sent or received, because tracebacks may show variables.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from datasurface.errors import DataSurfaceError, MissingExtraError, SecretError, TransientError
from datasurface.model.infrastructure import Credential
from datasurface.secrets.document import Document

__all__ = ["AzureClient", "VaultVersion"]

_T = TypeVar("_T")
_CONFLICT, _NOT_FOUND, _UNAUTHORIZED, _FORBIDDEN, _SLOW = 409, 404, 401, 403, 429
_SERVER_FAULT = 500
_WAITS = (0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0)
"""Seconds between attempts to write a name that the vault is just deleting or recovering."""


class _TakenError(SecretError):
    """The name belongs to a deleted secret, or to one that is just being deleted or recovered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultVersion:
    """The newest version of a secret.

    Attributes:
        document: What it holds; None if that is no JSON object.
    """

    version: str
    document: Document | None
    tags: Mapping[str, str]


class AzureClient:
    """One vault."""

    def __init__(self, client: Any, url: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._client = client
        self._sleep = sleep
        self.url = url

    @classmethod
    def opened(cls, vault: str) -> Self:
        """Return the client of a vault, by its name or URL; the login is Azure's default chain.

        Raises:
            MissingExtraError: the client library is not installed.
        """
        try:
            from azure.identity import DefaultAzureCredential  # noqa: PLC0415 - an extra
            from azure.keyvault.secrets import SecretClient  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise MissingExtraError("the secret store azure", "azure") from error
        url = vault if "://" in vault else f"https://{vault}.vault.azure.net"
        client = SecretClient(
            url,
            DefaultAzureCredential(),
            retry_total=5,
            retry_backoff_factor=0.4,
            connection_timeout=5,
            read_timeout=15,
        )
        return cls(client, url)

    def read(self, name: str, credential: Credential) -> VaultVersion | None:
        """Return the newest version of a secret, or None if there is none of that name.

        Raises:
            SecretError: the vault refuses, or the version is disabled.
            TransientError: the vault cannot be reached.
        """

        def get() -> VaultVersion:
            found = self._client.get_secret(name)
            return VaultVersion(
                version=found.properties.version,
                document=Document.parse(found.value, credential),
                tags=found.properties.tags or {},
            )

        return self._guarded("get", name, get, absent=lambda: None)

    def write(self, name: str, document: Document, tags: Mapping[str, str]) -> None:
        """Write a new version; a deleted secret of that name is recovered first.

        Raises:
            SecretError: the vault refuses.
            TransientError: the vault cannot be reached.
        """

        def put() -> None:
            self._client.set_secret(name, document.text(), tags=dict(tags), content_type="application/json")

        for wait in (*_WAITS, None):
            try:
                self._guarded("set", name, put)
            except _TakenError:
                if wait is None:
                    raise
                self._recover(name)
                self._sleep(wait)
            else:
                return

    def delete(self, name: str) -> None:
        """Delete a secret; none being there is no error.

        Raises:
            SecretError: the vault refuses.
            TransientError: the vault cannot be reached.
        """
        self._guarded("delete", name, lambda: self._client.begin_delete_secret(name), absent=lambda: None)

    def _recover(self, name: str) -> None:
        try:
            self._guarded("recover", name, lambda: self._client.begin_recover_deleted_secret(name), absent=lambda: None)
        except _TakenError:  # it is being deleted or recovered just now
            return

    def _guarded(self, verb: str, name: str, call: Callable[[], _T], *, absent: Callable[[], _T] | None = None) -> _T:
        from azure.core import exceptions as azure  # noqa: PLC0415 - an extra

        problem: DataSurfaceError
        try:
            return call()
        except azure.ClientAuthenticationError as error:
            status = error.status_code
            problem = SecretError(
                f"Azure: {verb} secret {name} in {self.url}: there is no login to Azure that is valid",
                hint="run under a managed or workload identity, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and its secret",
            )
            if status == _FORBIDDEN:
                problem = self._refusal(verb, name, status, "")
        except azure.HttpResponseError as error:
            if error.status_code == _NOT_FOUND and absent is not None:
                return absent()
            problem = self._refusal(verb, name, error.status_code or 0, _told(error))
        except azure.AzureError as error:
            problem = TransientError(
                f"Azure: {self.url} cannot be reached: {type(error).__name__}", hint="is that the vault's name?"
            )
        raise problem

    def _refusal(self, verb: str, name: str, status: int, told: str) -> DataSurfaceError:
        what = f"Azure: {verb} secret {name} in {self.url}: {status} {told}".rstrip()
        if status == _CONFLICT:
            return _TakenError(what)
        if status == _SLOW or status >= _SERVER_FAULT:
            return TransientError(what)
        if status == _FORBIDDEN and "Disabled" in told:
            return SecretError(what, hint="enable the newest version of the secret")
        if status == _FORBIDDEN and "Firewall" in told:
            return SecretError(what, hint="the vault's network rules must let this machine in")
        if status == _FORBIDDEN:
            role = "Key Vault Secrets User" if verb == "get" else "Key Vault Secrets Officer"
            return SecretError(what, hint=f"the role {role}, or secrets/{verb} in an access policy, is needed")
        return SecretError(what)


def _told(error: Any) -> str:
    """Return the codes of the vault's answer; its message is left out where it might repeat what was sent."""
    found = getattr(error, "error", None)
    inner = getattr(found, "innererror", None) or {}
    return " ".join(
        filter(None, [getattr(found, "code", None), inner.get("code") if isinstance(inner, dict) else None])
    )
