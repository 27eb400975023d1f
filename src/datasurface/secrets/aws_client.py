"""Calls of AWS Secrets Manager: the client, its region, and what its errors mean in words and permissions.

Errors are raised where no variable holds what was sent or received, because tracebacks may show variables.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self, TypeVar, cast

from datasurface.errors import ConfigurationError, MissingExtraError, SecretError, TransientError
from datasurface.model.infrastructure import Credential
from datasurface.secrets.document import Document

__all__ = ["ABSENT", "BEING_DELETED", "CONFLICT", "AwsClient", "AwsError"]

ABSENT = frozenset({"ResourceNotFoundException"})
BEING_DELETED = frozenset({"InvalidRequestException"})
CONFLICT = frozenset({"InvalidParameterException", "InvalidRequestException", "ResourceNotFoundException"})
_REFUSED = frozenset({"AccessDeniedException", "AccessDenied", "UnauthorizedOperation"})
_SLOW = frozenset({"ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded"})
_LOGIN = frozenset(
    {
        "UnrecognizedClientException",
        "InvalidSignatureException",
        "ExpiredTokenException",
        "ExpiredToken",
        "InvalidClientTokenId",
        "IncompleteSignature",
        "MissingAuthenticationToken",
    }
)
_T = TypeVar("_T")
_ENDPOINTS = ("AWS_ENDPOINT_URL_SECRETS_MANAGER", "AWS_ENDPOINT_URL")
_REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")


class AwsError(SecretError):
    """AWS has answered with an error.

    Attributes:
        aws_code: The error's name in AWS.
        says_deleted: Whether it is about a secret that is being deleted.
    """

    def __init__(self, message: str, *, hint: str, aws_code: str, says_deleted: bool) -> None:
        super().__init__(message, hint=hint)
        self.aws_code = aws_code
        self.says_deleted = says_deleted


class AwsClient:
    """Secrets Manager of one region; safe for many threads."""

    def __init__(self, client: Any, region: str) -> None:
        self._client = client
        self.region = region

    @classmethod
    def opened(cls, region: str | None, environ: Mapping[str, str]) -> Self:
        """Return the client of a region; None for `AWS_REGION`, `AWS_DEFAULT_REGION` or the profile's.

        Raises:
            ConfigurationError: no region is known.
            MissingExtraError: boto3 is not installed.
        """
        try:
            import boto3  # type: ignore[import-untyped]  # noqa: PLC0415 - an extra
            from botocore.config import Config  # type: ignore[import-untyped]  # noqa: PLC0415
            from botocore.exceptions import BotoCoreError  # type: ignore[import-untyped]  # noqa: PLC0415
        except ImportError as error:
            raise MissingExtraError("the secret store aws", "aws") from error
        logger = logging.getLogger("botocore")  # at DEBUG it logs what is sent and received, secrets included
        logger.setLevel(max(logger.level, logging.INFO))
        try:
            session = boto3.Session()
            chosen = region or next((environ[name] for name in _REGIONS if environ.get(name)), session.region_name)
        except BotoCoreError as error:
            raise ConfigurationError(f"the secret store aws: {error}") from None
        if not chosen:
            raise ConfigurationError(
                "the secret store aws has no region", hint='set AWS_REGION, or AwsSecrets(region="eu-west-1")'
            )
        endpoint = next((environ[name] for name in _ENDPOINTS if environ.get(name)), None)
        config = Config(retries={"mode": "standard", "total_max_attempts": 8}, connect_timeout=5, read_timeout=10)
        made = session.client("secretsmanager", region_name=chosen, endpoint_url=endpoint, config=config)
        return cls(made, chosen)

    def call(self, operation: str, **arguments: Any) -> Mapping[str, Any]:
        """Call an operation with arguments that hold no secret.

        Raises:
            AwsError: AWS answered with an error.
            SecretError: there is no login to AWS.
            TransientError: AWS cannot be reached, or asks to slow down for too long.
        """
        method = getattr(self._client, operation)
        name = str(arguments.get("SecretId") or arguments.get("Name") or "")
        return self._guarded(operation, name, lambda: cast("Mapping[str, Any]", method(**arguments)))

    def put_version(self, name: str, document: Document, token: str, stages: Sequence[str]) -> None:
        """Write a version; again with the same token and content it does nothing.

        Raises:
            SecretError, TransientError: as `call`.
        """
        self._guarded(
            "put_secret_value",
            name,
            lambda: self._client.put_secret_value(
                SecretId=name, SecretString=document.text(), ClientRequestToken=token, VersionStages=list(stages)
            ),
        )

    def version(self, name: str, stage: str, credential: Credential, token: str | None = None) -> Document | None:
        """Return a version's object; None if what it holds is none.

        Raises:
            SecretError, TransientError: as `call`.
        """
        which = {"VersionStage": stage} | ({} if token is None else {"VersionId": token})
        return self._guarded(
            "get_secret_value",
            name,
            lambda: Document.parse(
                self._client.get_secret_value(SecretId=name, **which).get("SecretString"), credential
            ),
        )

    def _guarded(self, operation: str, name: str, call: Callable[[], _T]) -> _T:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - an extra

        try:
            return call()
        except ClientError as error:
            problem = self._refusal(operation, name, error.response.get("Error", {}))
        except BotoCoreError as error:
            problem = _trouble(name, error)
        raise problem

    def _refusal(self, operation: str, name: str, told: Mapping[str, str]) -> SecretError | TransientError:
        code, message = told.get("Code", "unknown"), told.get("Message", "")
        action = "".join(part.capitalize() for part in operation.split("_"))
        what = f"AWS Secrets Manager in {self.region}: {action} of {name}"
        if code in _SLOW:
            return TransientError(f"{what}: too many requests", hint="other programs share this quota")
        hint = ""
        if code in _REFUSED and "kms" in message.lower():
            hint = "allow kms:Decrypt and kms:GenerateDataKey on the secret's key"
        elif code in _REFUSED:
            hint = f"allow secretsmanager:{action} on arn:aws:secretsmanager:{self.region}:…:secret:{name}-??????"
        elif code in {"DecryptionFailure", "EncryptionFailure"}:
            hint = "is the secret's KMS key enabled, and may this role use it?"
        elif code in _LOGIN:
            hint = "this process's login to AWS is not valid (any more)"
        deleted = "deletion" in message or "marked deleted" in message
        return AwsError(f"{what}: {code}: {message}", hint=hint, aws_code=code, says_deleted=deleted)


def _trouble(name: str, error: Exception) -> SecretError | TransientError:
    """Return what an error of the library means; its text is left out where it might repeat what was sent."""
    kind = type(error).__name__
    if kind in {"NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "TokenRetrievalError"}:
        return SecretError(
            f"AWS Secrets Manager: there is no login to AWS ({kind})",
            hint="set AWS_PROFILE, or run under a role: aws sts get-caller-identity shows it",
        )
    if kind == "ParamValidationError":
        return SecretError(f"AWS Secrets Manager: {name} is no name or value that AWS takes")
    return TransientError(f"AWS Secrets Manager cannot be reached: {kind}", hint="is there a way to its endpoint?")
