"""Calls to AWS that only read: clients made once, and what errors mean for a check. Remembers what was called."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from datasurface.deploy.preflight.check import UnseenError
from datasurface.errors import DataSurfaceError, MissingExtraError, SecretError, TransientError

__all__ = ["AwsReader", "AwsRefusalError", "Clients", "Session", "action_of"]

_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError", "403"})
_LOGIN = frozenset(
    {
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
_PREFIXES = {
    "efs": "elasticfilesystem",
    "elbv2": "elasticloadbalancing",
    "service-quotas": "servicequotas",
}
_ACTIONS = {("s3", "head_bucket"): "s3:ListBucket"}
"""Where the action is not called as the operation."""
_ACRONYMS = {"aws": "AWS", "db": "DB", "id": "ID"}


class AwsRefusalError(DataSurfaceError):
    """AWS has answered with an error that is neither about the login nor about a permission.

    Attributes:
        aws_code: The error's name in AWS.
    """

    code = "DS-602"
    exit_code = 1

    def __init__(self, message: str, *, aws_code: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.aws_code = aws_code


class Session(Protocol):
    """What makes clients: boto3's session, or a stand-in."""

    @property
    def client(self) -> Callable[..., Any]:
        """Return the client of a service."""
        ...


def action_of(service: str, operation: str) -> str:
    """Return the IAM action of an operation: `ec2:DescribeVpcs` for `ec2` and `describe_vpcs`."""
    known = _ACTIONS.get((service, operation))
    if known is not None:
        return known
    words = "".join(_ACRONYMS.get(part, part.capitalize()) for part in operation.split("_"))
    return f"{_PREFIXES.get(service, service)}:{words}"


class Clients:
    """The clients of one region, each made when it is first needed; safe for many threads."""

    def __init__(self, region: str, session: Session | None = None) -> None:
        self.region = region
        self._session = session
        self._clients: dict[tuple[str, str], Any] = {}
        self._lock = threading.Lock()

    def client(self, service: str, region: str | None = None) -> Any:
        """Return the client of a service.

        Raises:
            MissingExtraError: boto3 is not installed.
        """
        where = region or self.region
        with self._lock:
            if (service, where) not in self._clients:
                self._clients[service, where] = self._make(service, where)
            return self._clients[service, where]

    def _make(self, service: str, region: str) -> Any:
        try:
            import boto3  # type: ignore[import-untyped]  # noqa: PLC0415 - an extra
            from botocore.config import Config  # type: ignore[import-untyped]  # noqa: PLC0415
        except ImportError as error:
            raise MissingExtraError("asking AWS before a deployment", "aws") from error
        logger = logging.getLogger("botocore")  # at DEBUG it logs what is sent and received, secrets included
        logger.setLevel(max(logger.level, logging.INFO))
        self._session = self._session or boto3.Session()
        config = Config(
            retries={"mode": "standard", "total_max_attempts": 3},
            connect_timeout=4,
            read_timeout=8,
            max_pool_connections=20,
        )
        return self._session.client(service, region_name=region, config=config)


class AwsReader:
    """Reads from AWS for one check after another.

    Attributes:
        asked: The IAM actions that were used.
    """

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self.asked: set[str] = set()

    def ask(self, service: str, operation: str, *, region: str | None = None, **arguments: Any) -> Mapping[str, Any]:
        """Return the answer of an operation.

        Raises:
            UnseenError: this login may not call it.
            SecretError: there is no login, or it has expired.
            TransientError: AWS cannot be reached.
            AwsRefusalError: any other error of AWS.
        """
        client = self._clients.client(service, region)
        return self._guarded(service, operation, lambda: getattr(client, operation)(**arguments))

    def pages(self, service: str, operation: str, key: str, **arguments: Any) -> list[Any]:
        """Return all that the pages of an operation list under a key.

        Raises:
            UnseenError, SecretError, TransientError, AwsRefusalError: as `ask`.
        """
        client = self._clients.client(service)

        def every() -> Mapping[str, Any]:
            found: list[Any] = []
            for page in _pages(client, operation, arguments):
                found += page.get(key, [])
            return {key: found}

        listed: list[Any] = self._guarded(service, operation, every)[key]
        return listed

    def find(self, service: str, operation: str, absent: set[str], **arguments: Any) -> Mapping[str, Any] | None:
        """Return the answer, or None if AWS says with one of these errors that there is no such thing.

        Raises:
            UnseenError, SecretError, TransientError, AwsRefusalError: as `ask`.
        """
        try:
            return self.ask(service, operation, **arguments)
        except AwsRefusalError as error:
            if error.aws_code in absent:
                return None
            raise

    def _guarded(self, service: str, operation: str, call: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped] # noqa: PLC0415
        from botocore.parsers import ResponseParserError  # type: ignore[import-untyped] # noqa: PLC0415

        action = action_of(service, operation)
        self.asked.add(action)
        try:
            answer: Mapping[str, Any] = call()
        except ClientError as error:
            problem = _refusal(action, error.response.get("Error", {}))
        except (BotoCoreError, ResponseParserError) as error:
            problem = _trouble(action, error)
        else:
            return answer
        raise problem


def _pages(client: Any, operation: str, arguments: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if client.can_paginate(operation):
        yield from client.get_paginator(operation).paginate(**arguments)
    else:
        yield getattr(client, operation)(**arguments)


def _refusal(action: str, told: Mapping[str, str]) -> DataSurfaceError:
    code, message = told.get("Code", "unknown"), told.get("Message", "")
    if code in _DENIED:
        return UnseenError(f"this login may not call {action}", hint=f"allow {action}, or have somebody look who may")
    if code in _LOGIN:
        return SecretError(f"AWS refuses this login: {code}", hint="log in anew: aws sso login, or aws configure")
    first = message.strip().splitlines()[0] if message.strip() else "no reason is given"
    return AwsRefusalError(f"{action}: {code}: {first}", aws_code=code, hint="try again, then ask AWS's support")


def _trouble(action: str, error: Exception) -> DataSurfaceError:
    kind = type(error).__name__
    if kind in {"NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "ProfileNotFound"}:
        return SecretError(f"there is no login to AWS ({kind})", hint="log in: aws sso login, or set AWS_PROFILE")
    if kind in {"TokenRetrievalError", "SSOTokenLoadError", "UnauthorizedSSOTokenError"}:
        return SecretError(f"the login to AWS has expired ({kind})", hint="log in anew: aws sso login")
    if kind == "ParamValidationError":
        return AwsRefusalError(f"{action}: AWS takes no such argument: {error}", aws_code=kind)
    if kind == "ResponseParserError":
        return TransientError(f"{action}: the answer is not one of AWS", hint="is a proxy in between? Then try again")
    return TransientError(f"{action}: AWS cannot be reached: {kind}", hint="is there a way to its endpoint?")
