"""The stack `secrets`: a place for each secret that people have to put in. It outlives the databases.

What jobs log in to the merge database with is not here: `security` makes those secrets, and is the only one to rotate
them.
"""

from __future__ import annotations

import hashlib

from troposphere import secretsmanager

from datasurface.deploy.aws.ground import Ground
from datasurface.deploy.aws.template import Stack, StackBuilder
from datasurface.model.infrastructure import Credential
from datasurface.model.vocabulary import CredentialKind
from datasurface.secrets.document import KEYS

__all__ = ["given_secrets", "secrets", "shape_of"]

_PIECES = {
    CredentialKind.PASSWORD: ("user", "password"),
    CredentialKind.TOKEN: ("token",),
    CredentialKind.KEY_PAIR: ("user", "private_key"),
    CredentialKind.CERTIFICATE: ("certificate", "private_key"),
}
_MOST = 450
"""Fewer resources than the 500 that a template may have."""


def secrets(ground: Ground) -> tuple[Stack, ...]:
    """Return the stacks of secrets; sixteen, by their names' digests, if they do not fit into one."""
    found = given_secrets(ground)
    parts: dict[str, list[str]] = {}
    for name in found:
        parts.setdefault("secrets" if len(found) <= _MOST else f"secrets-{_digest(name)[0]}", []).append(name)
    stacks = []
    for key, names in sorted(parts.items()):
        stack = StackBuilder(ground=ground, key=key, purpose="places for secrets that people put in")
        for name in names:
            _add(stack, name, found[name])
        stacks.append(stack.built())
    return tuple(stacks)


def given_secrets(ground: Ground) -> dict[str, Credential]:
    """Return the credentials whose secrets people put in, by the secret's name, sorted."""
    found = {
        ground.secret_name(platform, credential): credential
        for platform in ground.platforms
        for credential in ground.given(platform)
    }
    return dict(sorted(found.items()))


def shape_of(credential: Credential) -> str:
    """Return how a secret is written, with points for what only its owner knows."""
    pieces = ", ".join(f'"{KEYS[piece]}": "…"' for piece in _PIECES[credential.kind])
    return f"{{{pieces}}}"


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def _add(stack: StackBuilder, name: str, credential: Credential) -> None:
    secret = stack.add(
        secretsmanager.Secret(
            f"Secret{_digest(name)[:16]}",
            DeletionPolicy="Retain",
            UpdateReplacePolicy="Retain",
            Name=name,
            Description=f"the secret of the credential {credential.name}: {shape_of(credential)}".replace("…", "..."),
            KmsKeyId=stack.told("SecretsKey"),
        )
    )
    stack.except_from(
        secret, {"CKV2_AWS_57": "its owner changes it at the source; nothing here may log in there to do so"}
    )
