"""Which secrets a job looks up: what its pod, process or identity has to be given, and nothing else.

Pure: names only. `runtime` looks them up in the platform's secret stores at the moment of use.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum

from datasurface.model.effective import credential_of
from datasurface.model.infrastructure import Credential, EmbeddedPostgres
from datasurface.model.transformer import SystemCode
from datasurface.names import RoleNames
from datasurface.release.job import JobSpec, PlatformSpec, TransformerSpec

__all__ = ["SystemJob", "credentials_of", "issued_credentials", "system_credentials"]

_LIMIT = 63


class SystemJob(StrEnum):
    """What has to be done for a platform besides its streams, each by a job of its own."""

    APPLY = "apply"
    """Make the running system as a release says."""
    SECURITY = "security"
    """Make roles, grants and logins as the model says."""
    RETENTION = "retention"
    """Forget what the ledger need not keep."""
    AUDIT = "audit"
    """Prove that what consumers see equals the sources."""


def credentials_of(platform: PlatformSpec, job: JobSpec, *, synced: bool = True) -> tuple[Credential, ...]:
    """Return the credentials whose secrets a batch of a stream looks up, sorted by name.

    Args:
        platform: The platform that the stream is on.
        job: The stream.
        synced: Whether the platform has a login of its own; before the first `security sync` batches log in as the
            platform's credential says.
    """
    return _sorted(_of_job(platform, job, synced=synced))


def system_credentials(platform: PlatformSpec, kind: SystemJob, *, synced: bool = True) -> tuple[Credential, ...]:
    """Return the credentials whose secrets a job of the system looks up, sorted by name.

    Those that `security` issues are in `issued_credentials`: it reads and writes them.
    """
    found = list(_working(platform, synced=synced))
    if kind is SystemJob.APPLY and platform.follows is not None:
        found += _given(platform.follows.credential)
    if kind is SystemJob.SECURITY:
        found += _administrator(platform)
    if kind is SystemJob.AUDIT:
        for job in platform.jobs:
            if job.transformer is None and not isinstance(job.source, EmbeddedPostgres):
                found += _given(job.credential)
    return _sorted(found)


def issued_credentials(platform: PlatformSpec) -> tuple[Credential, ...]:
    """Return the credentials of the logins that `security sync` makes and keeps in a store, sorted by name."""
    if isinstance(platform.container, EmbeddedPostgres):
        return ()
    names = _names(platform)
    found = [names.credential("run"), names.credential("monitor")]
    found += [names.credential("transformer", j.transformer.workspace) for j in platform.jobs if j.transformer]
    found += [names.credential("person", reader.role) for reader in platform.readers if reader.login]
    return _sorted(Credential(name) for name in found)


def _of_job(platform: PlatformSpec, job: JobSpec, *, synced: bool) -> Iterator[Credential]:
    yield from _working(platform, synced=synced)
    if job.transformer is not None:
        yield from _of_code(platform, job.transformer)
    elif not isinstance(job.source, EmbeddedPostgres):
        yield from _given(job.credential)


def _of_code(platform: PlatformSpec, transformer: TransformerSpec) -> Iterator[Credential]:
    """Yield what code is given, fetched with and logged in as; the system's own works as the platform."""
    yield from transformer.secrets.values()
    yield from _given(credential_of(getattr(transformer.code, "credential", None)))
    if isinstance(transformer.code, SystemCode):
        if transformer.code.name == "security_sync":
            yield from _administrator(platform)
            yield from issued_credentials(platform)
    elif not isinstance(platform.container, EmbeddedPostgres):
        yield Credential(_names(platform).credential("transformer", transformer.workspace))


def _working(platform: PlatformSpec, *, synced: bool) -> Iterator[Credential]:
    """Yield how batches and `apply` log in to the merge database."""
    if synced and not isinstance(platform.container, EmbeddedPostgres):
        yield Credential(_names(platform).credential("run"))
    else:
        yield from _administrator(platform)


def _administrator(platform: PlatformSpec) -> Iterator[Credential]:
    if not isinstance(platform.container, EmbeddedPostgres):
        yield from _given(platform.credential)


def _given(credential: Credential | None) -> Iterator[Credential]:
    if credential is not None:
        yield credential


def _names(platform: PlatformSpec) -> RoleNames:
    return RoleNames(platform.ecosystem, platform.environment, platform.name, _LIMIT)


def _sorted(credentials: Iterable[Credential]) -> tuple[Credential, ...]:
    return tuple(sorted(set(credentials), key=lambda c: (c.name, c.kind.value)))
