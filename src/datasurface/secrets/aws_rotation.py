"""The four steps by which AWS Secrets Manager rotates a secret itself, as functions that a rotation Lambda calls.

Secrets Manager calls them in this order with one token, and again after any failure; each does nothing that is done
already. What a password is for is handed in: this module knows no database.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from datasurface.errors import ConfigurationError, SecretError
from datasurface.model.infrastructure import Credential
from datasurface.secrets.aws_client import ABSENT, AwsClient, AwsError
from datasurface.secrets.base import Secret, pieces_of
from datasurface.secrets.document import Document

__all__ = ["RotationSteps", "create_secret", "finish_secret", "handle", "set_secret", "test_secret"]

_CURRENT, _PENDING = "AWSCURRENT", "AWSPENDING"


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationSteps:
    """What a rotation does to the thing that is logged in to.

    Attributes:
        credential: Whose secret it is.
        make: Returns the new secret, from the current one.
        apply: Gives the new secret to the database; again with the same one it changes nothing.
        prove: Logs in with the new secret; raises if that is refused.
    """

    credential: Credential
    make: Callable[[Secret], Secret]
    apply: Callable[[Secret, Secret], None]
    prove: Callable[[Secret], None]


def handle(event: Mapping[str, str], client: AwsClient, steps: RotationSteps) -> None:
    """Do the step that an event of Secrets Manager asks for: `SecretId`, `ClientRequestToken` and `Step`.

    Raises:
        ConfigurationError: the event is none of a rotation, or the secret does not rotate or has no such version.
        SecretError, TransientError: as the steps.
    """
    missing = [key for key in ("SecretId", "ClientRequestToken", "Step") if not event.get(key)]
    if missing:
        raise ConfigurationError(f"the event is none of a rotation: it has no {' and no '.join(missing)}")
    secret, token, step = event["SecretId"], event["ClientRequestToken"], event["Step"]
    stages = _stages_of_rotating(client, secret, token)
    if _CURRENT in stages and step != "finishSecret":
        return
    if _PENDING not in stages and _CURRENT not in stages:
        raise ConfigurationError(f"version {token} of {secret} is not the one to come")
    doing = {
        "createSecret": create_secret,
        "setSecret": set_secret,
        "testSecret": test_secret,
        "finishSecret": finish_secret,
    }
    if step not in doing:
        raise ConfigurationError(f"a rotation has no step {step!r}", hint=f"the steps are {', '.join(doing)}")
    doing[step](client, secret, token, steps)


def create_secret(client: AwsClient, secret: str, token: str, steps: RotationSteps) -> None:
    """Make the new secret, unless an earlier attempt has, and keep it as the version to come.

    Raises:
        SecretError: the current secret is absent or incomplete, or AWS refuses.
    """
    if _version(client, secret, _PENDING, steps, token) is not None:
        return
    current = _needed(client, secret, _CURRENT, steps)
    former = client.version(secret, _CURRENT, steps.credential) or Document()
    coming = former.holding(pieces_of(steps.credential, steps.make(current)))
    client.put_version(secret, coming, token, [_PENDING])


def set_secret(client: AwsClient, secret: str, token: str, steps: RotationSteps) -> None:
    """Give the new secret to the database.

    Raises:
        SecretError: the version to come is absent or incomplete, or AWS refuses.
    """
    steps.apply(_needed(client, secret, _CURRENT, steps), _needed(client, secret, _PENDING, steps, token))


def test_secret(client: AwsClient, secret: str, token: str, steps: RotationSteps) -> None:
    """Prove that the new secret logs in.

    Raises:
        SecretError: the version to come is absent or incomplete, or AWS refuses.
    """
    steps.prove(_needed(client, secret, _PENDING, steps, token))


def finish_secret(client: AwsClient, secret: str, token: str, _: RotationSteps) -> None:
    """Make the version to come the current one, in one call; then take the other label from it.

    Raises:
        SecretError: AWS refuses.
    """
    stages = _all_stages(client.call("describe_secret", SecretId=secret))
    current = next((version for version, labels in stages.items() if _CURRENT in labels), None)
    if current != token:
        removed = {} if current is None else {"RemoveFromVersionId": current}
        client.call(
            "update_secret_version_stage", SecretId=secret, VersionStage=_CURRENT, MoveToVersionId=token, **removed
        )
    if _PENDING in stages.get(token, ()):
        client.call("update_secret_version_stage", SecretId=secret, VersionStage=_PENDING, RemoveFromVersionId=token)


def _stages_of_rotating(client: AwsClient, secret: str, token: str) -> tuple[str, ...]:
    described = client.call("describe_secret", SecretId=secret)
    if not described.get("RotationEnabled"):
        raise ConfigurationError(f"the secret {secret} does not rotate")
    found = _all_stages(described)
    if token not in found:
        raise ConfigurationError(f"the secret {secret} has no version {token}")
    return tuple(found[token])


def _all_stages(described: Mapping[str, Any]) -> Mapping[str, list[str]]:
    return described.get("VersionIdsToStages") or {}


def _version(
    client: AwsClient, secret: str, stage: str, steps: RotationSteps, token: str | None = None
) -> Secret | None:
    try:
        found = client.version(secret, stage, steps.credential, token)
    except AwsError as error:
        if error.aws_code in ABSENT:
            return None
        raise
    return found.secret(steps.credential, secret) if found is not None else None


def _needed(client: AwsClient, secret: str, stage: str, steps: RotationSteps, token: str | None = None) -> Secret:
    found = _version(client, secret, stage, steps, token)
    if found is None:
        raise SecretError(f"the secret {secret} has nothing with the label {stage}")
    return found
