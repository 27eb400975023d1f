"""Secrets as they are: there, JSON, with the keys that each job needs. Never says what is in them."""

from __future__ import annotations

import json
from collections.abc import Iterator

from datasurface.deploy.aws.preflight.clients import AwsRefusalError
from datasurface.deploy.aws.preflight.online.identity import ACCOUNT
from datasurface.deploy.aws.preflight.subject import AwsSubject, NeededSecret
from datasurface.deploy.preflight.check import Check, Needs, Outcome, failed, passed, skipped
from datasurface.model.vocabulary import CredentialKind
from datasurface.secrets.base import required_pieces
from datasurface.secrets.document import KEYS
from datasurface.secrets.masking import remember

__all__ = ["CHECKS"]

_ALSO = {"username": "user"}


def _present(subject: AwsSubject) -> Iterator[Outcome]:
    made = {resource.text("Name") for resource in subject.resources("AWS::SecretsManager::Secret")}
    for secret in subject.secrets:
        try:
            text = _text(subject, secret.name)
        except AwsRefusalError as error:
            deleted = "deletion" in error.message or "marked deleted" in error.message
            yield failed(
                f"the secret {secret.name} is being deleted" if deleted else error.message,
                f"aws secretsmanager restore-secret --secret-id {secret.name}" if deleted else error.hint,
                about=secret.credential.name,
            )
            continue
        if text is not None:
            yield _judged(secret, text)
        elif secret.issued or secret.name in made:
            who = "the stacks make it" if secret.name in made else "`datasurface security sync` makes it"
            yield skipped(f"{secret.name} is not there yet: {who}", about=secret.credential.name)
        else:
            yield failed(f"there is no secret {secret.name}", _command(secret), about=secret.credential.name)


def _text(subject: AwsSubject, name: str) -> str | None:
    absent = {"ResourceNotFoundException"}
    found = subject.aws.find("secretsmanager", "get_secret_value", absent, SecretId=name)
    text = found.get("SecretString") if found is not None else None
    return str(text) if text is not None else None


def _judged(secret: NeededSecret, text: str) -> Outcome:
    kind = secret.credential.kind
    wanted = [KEYS[piece] for piece in required_pieces(kind)]
    form = ", ".join(f'"{key}": …' for key in wanted)
    try:
        values = json.loads(text)
    except ValueError:
        remember([text])
        if kind is CredentialKind.TOKEN:
            return passed(f"{secret.name} is a token", about=secret.credential.name)
        values = None
    if not isinstance(values, dict):
        return failed(f"{secret.name} is no JSON object", _rewrite(secret, form), about=secret.credential.name)
    remember([value for value in values.values() if isinstance(value, str)])
    empty = [key for key in wanted if not (values.get(key) or values.get(_ALSO.get(key, "")))]
    if empty:
        keys = ", ".join(empty)
        return failed(
            f"{secret.name} has no {keys}; its keys are {', '.join(sorted(map(str, values)))}",
            _rewrite(secret, form),
            about=secret.credential.name,
        )
    return passed(f"{secret.name} has {', '.join(wanted)}", about=secret.credential.name)


def _rewrite(secret: NeededSecret, form: str) -> str:
    return (
        f"aws secretsmanager put-secret-value --secret-id {secret.name} --secret-string file://FILE, the file with "
        f"{{{form}}}; then delete the file"
    )


def _command(secret: NeededSecret) -> str:
    form = ", ".join(f'"{KEYS[piece]}": …' for piece in required_pieces(secret.credential.kind))
    return (
        f"aws secretsmanager create-secret --name {secret.name} --secret-string file://FILE, the file with {{{form}}}; "
        "then delete the file"
    )


CHECKS: tuple[Check[AwsSubject], ...] = (
    Check(
        id="aws.secrets.present",
        title="secrets of the jobs",
        looks_at="each secret that a job looks up: that it is there, a JSON object, and has the keys of its kind",
        fails="it is not there and nobody makes it, is being deleted, is no JSON object, or lacks a key",
        remedy="aws secretsmanager create-secret, with a file",
        look=_present,
        needs=Needs.CREDENTIALS,
        after=ACCOUNT,
    ),
)
