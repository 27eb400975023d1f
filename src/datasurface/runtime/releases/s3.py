"""Releases in an S3 bucket. The login is the process's own: a role of its pod, or what AWS's tools are set up with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar, cast

from datasurface.errors import MissingExtraError, StoreError, TransientError

__all__ = ["S3Objects"]

_ABSENT = frozenset({"NoSuchKey", "404"})
_TAKEN = frozenset({"PreconditionFailed", "412"})
_MEANWHILE = frozenset({"ConditionalRequestConflict", "409"})
_REFUSED = frozenset({"AccessDenied", "AccessDeniedException", "AllAccessDisabled", "403"})
_PASSING = frozenset({"SlowDown", "InternalError", "ServiceUnavailable", "RequestTimeout", "500", "503"})
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
_REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
_ATTEMPTS = 3
_T = TypeVar("_T")


class S3Objects:
    """Files of a bucket below a prefix."""

    def __init__(self, client: Any, bucket: str, prefix: str) -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""

    @classmethod
    def opened(cls, bucket: str, prefix: str, environ: Mapping[str, str]) -> Self:
        """Return the files of a bucket; its region is found by S3 itself where none is set.

        Raises:
            MissingExtraError: boto3 is not installed.
        """
        try:
            import boto3  # type: ignore[import-untyped]  # noqa: PLC0415 - an extra
            from botocore.config import Config  # type: ignore[import-untyped]  # noqa: PLC0415
        except ImportError as error:
            raise MissingExtraError("a release store on S3", "aws") from error
        region = next((environ[name] for name in _REGIONS if environ.get(name)), None)
        endpoint = next((environ[name] for name in _ENDPOINTS if environ.get(name)), None)
        config = Config(
            retries={"mode": "standard", "total_max_attempts": 4},
            connect_timeout=5,
            read_timeout=60,
            s3={"addressing_style": "path"} if endpoint else {},
        )
        return cls(
            boto3.Session().client("s3", region_name=region, endpoint_url=endpoint, config=config), bucket, prefix
        )

    @property
    def label(self) -> str:
        """The address."""
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    def keys(self, prefix: str) -> list[str]:
        """Return the keys that begin with `prefix`, sorted."""
        pages = self._client.get_paginator("list_objects_v2")

        def collect() -> list[str]:
            found = pages.paginate(Bucket=self._bucket, Prefix=self._prefix + prefix)
            return [item["Key"].removeprefix(self._prefix) for page in found for item in page.get("Contents", ())]

        return sorted(self._call("s3:ListBucket", collect))

    def read(self, key: str) -> bytes | None:
        """Return the content; None if there is none."""

        def get() -> bytes:
            body: bytes = self._client.get_object(Bucket=self._bucket, Key=self._prefix + key)["Body"].read()
            return body

        return self._present("s3:GetObject", get)

    def save(self, key: str, path: Path) -> bool:
        """Download the content into a file; return False if there is none."""

        def download() -> bool:
            self._client.download_file(self._bucket, self._prefix + key, str(path))
            return True

        return bool(self._present("s3:GetObject", download))

    def create(self, key: str, content: bytes | Path) -> bool:
        """Write content under a key that is free; return False if it is taken."""
        for _ in range(_ATTEMPTS):
            code = self._put(key, content, IfNoneMatch="*")
            if code not in _MEANWHILE:
                return code not in _TAKEN
        raise TransientError(f"{self.label}: others write {key} at this moment")

    def replace(self, key: str, content: bytes | Path) -> None:
        """Write content in place of what is there."""
        self._put(key, content)

    def _put(self, key: str, content: bytes | Path, **condition: str) -> str:
        """Write content and return an empty text, or the code with which a condition was refused."""

        def put() -> str:
            where = {"Bucket": self._bucket, "Key": self._prefix + key}
            if isinstance(content, bytes):
                self._client.put_object(**where, Body=content, **condition)
            else:
                with content.open("rb") as file:
                    self._client.put_object(**where, Body=file, **condition)
            return ""

        return str(self._call("s3:PutObject", put, answers=_TAKEN | _MEANWHILE))

    def _present(self, action: str, call: Callable[[], _T]) -> _T | None:
        found: Any = self._call(action, call, answers=_ABSENT)
        absent = isinstance(found, str) and found in _ABSENT
        return None if absent else cast("_T", found)

    def _call(self, action: str, call: Callable[[], Any], *, answers: frozenset[str] = frozenset()) -> Any:
        """Return what a call returns, or the code of an error that is an answer.

        Raises:
            StoreError: S3 refuses.
            TransientError: it is out of reach, or asks to come back later.
        """
        from botocore.exceptions import (  # type: ignore[import-untyped]  # noqa: PLC0415
            BotoCoreError,
            ClientError,
        )

        try:
            return call()
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", "unknown"))
            if code in answers:
                return code
            raise self._refusal(action, code, str(error)) from error
        except BotoCoreError as error:
            kind = type(error).__name__
            if kind in {"NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError"}:
                raise StoreError(
                    f"{self.label}: there is no login to AWS ({kind})",
                    hint="set AWS_PROFILE, or run under a role: aws sts get-caller-identity shows it",
                ) from None
            raise TransientError(f"{self.label} cannot be reached: {kind}") from error

    def _refusal(self, action: str, code: str, message: str) -> StoreError | TransientError:
        if code in _PASSING:
            return TransientError(f"{self.label}: {message}")
        hint = ""
        if code in _REFUSED:
            below = f"{self._bucket}" if action == "s3:ListBucket" else f"{self._bucket}/{self._prefix}*"
            hint = f"allow {action} on arn:aws:s3:::{below}, and the use of its KMS key if it has one"
        elif code == "NoSuchBucket":
            hint = "make the bucket first, or correct release_store="
        return StoreError(f"{self.label}: {message}", hint=hint)
