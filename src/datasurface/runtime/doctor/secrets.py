"""Secrets from where the jobs run: in which store each is found. Never says a secret."""

from __future__ import annotations

from collections.abc import Iterator

from datasurface.errors import DataSurfaceError
from datasurface.model.effective import credential_of
from datasurface.model.infrastructure import Credential, EmbeddedPostgres
from datasurface.model.secret_stores import kind_of_store
from datasurface.names import RoleNames
from datasurface.release.job import PlatformSpec
from datasurface.runtime.doctor.check import Check, failed, passed, warned
from datasurface.secrets.keyring import Keyring

__all__ = ["EXTRAS_OF_STORES", "needed_by_stores", "secret", "transformer_secrets"]

EXTRAS_OF_STORES = frozenset({"aws", "azure", "kubernetes"})
"""The secret stores that need an extra, which is named as the store."""
_LONGEST_ROLE = 63


def needed_by_stores(spec: PlatformSpec) -> set[str]:
    """Return the extras that a platform's secret stores need."""
    return {kind_of_store(choice) for choice in spec.secrets} & EXTRAS_OF_STORES


def secret(credential: Credential | None, secrets: Keyring) -> Iterator[Check]:
    """Yield in which store a secret is found."""
    if credential is None:
        return
    subject = f"secret {credential.name}"
    try:
        found = secrets.locate(credential)
    except DataSurfaceError as error:
        yield failed(subject, error)
    else:
        yield passed(subject, f"found in {found.store} ({credential.kind.value})")


def transformer_secrets(spec: PlatformSpec, secrets: Keyring) -> Iterator[Check]:
    """Yield where the secrets are that transformers and their code declare, and the logins made by `security sync`."""
    transformers = [job.transformer for job in spec.jobs if job.transformer is not None]
    declared = {credential for transformer in transformers for credential in transformer.secrets.values()}
    fetching = [credential_of(getattr(transformer.code, "credential", None)) for transformer in transformers]
    declared |= {credential for credential in fetching if credential is not None}
    for credential in sorted(declared, key=lambda credential: (credential.name, credential.kind.value)):
        yield from secret(credential, secrets)
    if isinstance(spec.container, EmbeddedPostgres):
        return
    roles = RoleNames(spec.ecosystem, spec.environment, spec.name, _LONGEST_ROLE)
    for workspace in sorted({transformer.workspace for transformer in transformers}):
        login = Credential(roles.credential("transformer", workspace))
        for check in secret(login, secrets):
            made = check.verdict == "pass"
            yield check if made else warned(check.subject, check.detail, "run `datasurface security sync`")
