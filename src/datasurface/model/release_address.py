"""Where releases are published, as models and command lines write it: a folder, a bucket, a git repository. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from datasurface.model.ownership import Repository

__all__ = ["ReleaseAddress", "StoreKind", "parse_address"]

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\Z")
_SCHEMES = ("https", "http", "ssh", "file")


class StoreKind(StrEnum):
    """What holds releases."""

    FOLDER = "folder"
    S3 = "s3"
    GIT = "git"


@dataclass(frozen=True, slots=True)
class ReleaseAddress:
    """An address, taken apart.

    Attributes:
        place: The folder, the bucket, or the repository's address as git takes it.
        prefix: What keys in the bucket begin with, without slashes at its ends; empty elsewhere.
        repository: The repository as the model declares it; None for one that is given by its address.
    """

    kind: StoreKind
    place: str
    prefix: str = ""
    repository: Repository | None = None

    def __str__(self) -> str:
        if self.kind is StoreKind.S3:
            return f"s3://{self.place}/{self.prefix}".rstrip("/")
        return f"git+{self.place}" if self.kind is StoreKind.GIT and self.repository is None else self.place


def parse_address(address: str | Repository) -> ReleaseAddress:
    """Return what an address means.

    Raises:
        ValueError: it means nothing; the message says why, and never repeats a password.
    """
    if isinstance(address, Repository):
        return ReleaseAddress(StoreKind.GIT, _named(address), repository=address)
    scheme, separator, rest = address.partition("://")
    if not separator:
        return _folder(address)
    if urlsplit(address).password is not None:
        raise ValueError("it holds a password; give the login by a credential")
    if scheme == "s3":
        return _bucket(rest)
    if scheme == "file":
        return _folder(unquote(rest))
    if scheme.startswith("git+") and scheme[4:] in _SCHEMES:
        return ReleaseAddress(StoreKind.GIT, address[4:])
    raise ValueError(f"{scheme}:// is none of s3://, file://, {', '.join(f'git+{s}://' for s in _SCHEMES)}")


def _named(repository: Repository) -> str:
    parts = [str(getattr(repository, name, "")) for name in ("url", "name", "path")]
    return "/".join(part for part in parts if part)


def _bucket(rest: str) -> ReleaseAddress:
    bucket, _, prefix = rest.partition("/")
    if not _BUCKET.match(bucket) or ".." in bucket:
        raise ValueError(f"{bucket!r} is no name that a bucket can have")
    return ReleaseAddress(StoreKind.S3, bucket, prefix.strip("/"))


def _folder(path: str) -> ReleaseAddress:
    if not PurePosixPath(path).is_absolute():
        raise ValueError("a folder is named by its absolute path, because jobs have no model folder to start from")
    return ReleaseAddress(StoreKind.FOLDER, path)
