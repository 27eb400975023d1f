"""What running code needs of its platform, and the combination of inputs and code that it would see now."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from datasurface.databases.base import Login, Source
from datasurface.databases.code import CodeDatabase
from datasurface.databases.merge import MergeStore
from datasurface.errors import ConfigurationError, DataSurfaceError
from datasurface.model.infrastructure import Credential
from datasurface.model.transformer import SystemCode
from datasurface.release.job import JobSpec, TransformerSpec
from datasurface.secrets.base import Secret
from datasurface.store.streams import changed_batches
from datasurface.transform.base import Place, kind_of
from datasurface.transform.combination import Combination
from datasurface.transform.container import ContainerRunner

__all__ = ["CodeHost", "combination_of", "transformer_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeHost:
    """What running code needs of the platform.

    Attributes:
        store: The merge database.
        database: What it does for code.
        schema: The platform's schema.
        release: The active release's digest.
        tables: Opens the merge database as a source, to take the output tables.
        login: Returns the code's own login; asked at the moment of use.
        role: The role of that login, which may write output tables.
        secrets: Returns the declared secrets of a transformer; asked at the moment of use.
        hide: Takes secrets out of a text.
        record: Opens the lasting record of what the code of a stream's batch prints.
        folder: The model folder; None where there is none.
        cache: A private folder that lasts.
        platform: The running platform, handed to system code.
        own_login: Returns the platform's login, for system code.
        secret: Returns the secret of a credential with which code is fetched.
        containers: Runs containers; None where nothing does.
    """

    store: MergeStore
    database: CodeDatabase
    schema: str
    release: str
    tables: Callable[[], Source]
    login: Callable[[], Login]
    role: str | None
    secrets: Callable[[], Mapping[str, Secret]]
    hide: Callable[[str], str]
    record: Callable[[JobSpec, int], AbstractContextManager[Callable[[str], None]]]
    folder: Path | None
    cache: Path
    platform: object
    own_login: Callable[[], Login]
    secret: Callable[[Credential], Secret]
    containers: ContainerRunner | None = None


def combination_of(host: CodeHost, job: JobSpec, connection: Connection) -> Combination:
    """Return what a run of a transformer would see now, at the moment of a connection's transaction."""
    spec = transformer_of(job)
    changed = changed_batches(connection, host.schema)
    streams = sorted({i.stream for i in spec.inputs})
    return Combination(
        inputs={name: changed.get(name) for name in streams},
        code=_code_digest(host, job),
        release=host.release if isinstance(spec.code, SystemCode) else "",
    )


def _code_digest(host: CodeHost, job: JobSpec) -> str:
    spec = transformer_of(job)
    place = Place(folder=host.folder, cache=host.cache, work=host.cache)
    parts = [job.job_digest, _version(spec, place, host)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _version(spec: TransformerSpec, place: Place, host: CodeHost) -> str:
    """Return the version of code outside the model; of what cannot run here none, and its run says why.

    Where the output depends on the secrets, another secret is another version.
    """
    if isinstance(spec.code, SystemCode):
        return ""
    try:
        kind = kind_of(spec.code)
        version = kind.version(spec.code, place)
    except ConfigurationError:
        return ""
    return f"{version}\n{_fingerprint(host)}" if getattr(kind, "secret_bound", False) and spec.secrets else version


def _fingerprint(host: CodeHost) -> str:
    """Return what changes with the declared secrets and tells nothing of them; empty while they cannot be read.

    Then the run, which needs them, says why.
    """
    try:
        found = {name: secret.pieces() for name, secret in host.secrets().items()}
    except DataSurfaceError:
        return ""
    return hmac.new(json.dumps(found, sort_keys=True).encode(), b"datasurface: which secrets", "sha256").hexdigest()


def transformer_of(job: JobSpec) -> TransformerSpec:
    """Return the transformer whose output a stream is.

    Raises:
        ValueError: it is no transformer's output.
    """
    if job.transformer is None:
        raise ValueError(f"stream {job.stream} is no transformer's output")
    return job.transformer
