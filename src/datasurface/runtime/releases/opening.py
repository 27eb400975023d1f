"""From an address to the place that it means."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from datasurface.errors import ConfigurationError
from datasurface.model.infrastructure import Credential
from datasurface.model.ownership import Repository
from datasurface.model.release_address import ReleaseAddress, StoreKind, parse_address
from datasurface.release.job import Follows, PlatformSpec
from datasurface.runtime.releases.base import ReleaseSource
from datasurface.runtime.releases.folder import FolderObjects
from datasurface.runtime.releases.git import GitReleases
from datasurface.runtime.releases.objects import StoredReleases
from datasurface.runtime.releases.s3 import S3Objects
from datasurface.secrets.base import Secret
from datasurface.secrets.keyring import Keyring
from datasurface.transform.git import GitSource

__all__ = ["address_in", "open_source", "open_store", "source_of_platform"]


def address_in(text: str | Repository, folder: Path | None = None) -> ReleaseAddress:
    """Return what an address means; a relative folder starts from `folder`, if one is given.

    Raises:
        ConfigurationError: it means nothing.
    """
    if isinstance(text, str) and folder is not None and "://" not in text:
        text = str((folder / text).absolute())
    try:
        return parse_address(text)
    except ValueError as error:
        raise ConfigurationError(
            f"the release store cannot be used: {error}", hint="a folder, s3://bucket/prefix, or git+https://…"
        ) from None


def open_store(
    address: ReleaseAddress, ecosystem: str, environment: str | None, environ: Mapping[str, str]
) -> StoredReleases:
    """Return a place that releases are published to.

    Raises:
        ConfigurationError: it is a repository, which is followed directly.
        MissingExtraError: what it needs is not installed.
    """
    match address.kind:
        case StoreKind.FOLDER:
            return StoredReleases(FolderObjects(Path(address.place)), ecosystem, environment)
        case StoreKind.S3:
            objects = S3Objects.opened(address.place, address.prefix, environ)
            return StoredReleases(objects, ecosystem, environment)
    raise ConfigurationError(
        f"{address} is a repository, and nothing is published to it",
        hint="its tags and branches are followed directly: push to it",
    )


def open_source(
    address: ReleaseAddress,
    ecosystem: str,
    environment: str | None,
    environ: Mapping[str, str],
    *,
    folder: Path | None,
    credential: Credential | None = None,
    secret: Callable[[Credential], Secret] | None = None,
) -> ReleaseSource:
    """Return a place that releases are taken from, of any kind.

    Raises:
        MissingExtraError: what it needs is not installed.
    """
    if address.kind is not StoreKind.GIT:
        return open_store(address, ecosystem, environment, environ)
    home = environ.get("DATASURFACE_HOME")
    cache = Path(home) if home else (folder or Path.cwd()) / ".datasurface"
    return GitReleases(
        source=GitSource(repository=address.repository or address.place, release="", credential=credential),
        ecosystem=ecosystem,
        environment=environment,
        label=str(address),
        folder=folder,
        cache=cache / "followed",
        secret=secret,
    )


def source_of_platform(
    spec: PlatformSpec, follows: Follows, folder: Path | None, environ: Mapping[str, str]
) -> ReleaseSource:
    """Return where a platform's releases come from; the login is looked up in its secret stores."""
    keyring = Keyring.of(spec, folder or Path.cwd(), environ)
    return open_source(
        address_in(follows.store),
        spec.ecosystem,
        spec.environment,
        environ,
        folder=folder,
        credential=follows.credential,
        secret=lambda wanted: keyring.locate(wanted).secret,
    )
