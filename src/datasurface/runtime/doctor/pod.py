"""The examination from where a job runs: a platform file, and no model. It ends, whatever does not answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from datasurface.errors import DataSurfaceError
from datasurface.model.infrastructure import Credential, EmbeddedPostgres
from datasurface.release.job import JobSpec, PlatformSpec
from datasurface.release.needs import SystemJob, credentials_of, system_credentials
from datasurface.release.platform_file import read_platform_file
from datasurface.runtime.doctor.check import Check, failed, passed, warned
from datasurface.runtime.doctor.containers import source, store
from datasurface.runtime.doctor.machine import disk, extras, inodes, memory_limit, python
from datasurface.runtime.doctor.reach import limited, reach
from datasurface.runtime.doctor.secrets import needed_by_stores
from datasurface.runtime.platform import RunningPlatform, open_platform
from datasurface.secrets.keyring import Keyring

__all__ = ["examine_pod"]

_SECONDS = 30.0
_IDENTITY = text("SELECT host(inet_server_addr()), inet_server_port(), current_database(), session_user, version()")


def examine_pod(
    path: Path, streams: Sequence[str], environ: Mapping[str, str], folder: Path, scratch: Path
) -> Iterator[Check]:
    """Yield what was found of a platform, and of the sources of these streams, from where this runs.

    Args:
        path: The platform file.
        streams: The streams of the active release that a job here would run.
        environ: The variables of the process.
        folder: Where relative paths start.
        scratch: The folder for temporary files.

    Raises:
        ConfigurationError: the platform file cannot be read.
    """
    platform = read_platform_file(path)
    yield passed(
        "platform file", f"{platform.name} of {platform.ecosystem}, {platform.environment or 'no environment'}"
    )
    yield python()
    yield from extras(needed_by_stores(platform))
    yield disk(scratch)
    yield inodes(scratch)
    yield memory_limit(Path("/sys/fs/cgroup"))
    if not isinstance(platform.container, EmbeddedPostgres):
        yield from reach(platform.container, environ)
    keyring = Keyring.of(platform, folder, environ)
    yield from _secrets(system_credentials(platform, SystemJob.RETENTION), platform, keyring)
    subject = f"platform {platform.name}"
    yield from limited(subject, _SECONDS, lambda: _platform(platform, streams, environ, folder))


def _platform(
    platform: PlatformSpec, streams: Sequence[str], environ: Mapping[str, str], folder: Path
) -> Iterator[Check]:
    """Yield what the merge database is like, whether a release is active, and what the streams' sources are like."""
    try:
        with open_platform(platform, folder, environ) as running:
            yield from store(running.store, platform.container)
            yield _identity(running, platform)
            yield _release(running)
            for name in streams:
                yield from _stream(running, platform, name, environ)
    except DataSurfaceError as error:
        yield failed(f"platform {platform.name}", error)


def _identity(running: RunningPlatform, platform: PlatformSpec) -> Check:
    """Return which server was really reached: behind a name may be another one than was meant."""
    subject = f"{platform.container.label()}: server"
    try:
        with running.reading() as connection:
            address, port, database, user, version = connection.execute(_IDENTITY).one()
    except (DataSurfaceError, SQLAlchemyError) as error:
        problem = error if isinstance(error, DataSurfaceError) else running.store.explain_error(error)
        return failed(subject, problem)
    where = f"{address}:{port}" if address else "a socket"
    return passed(subject, f"{version.split(' on ')[0]} at {where}, database {database}, as {user}")


def _release(running: RunningPlatform) -> Check:
    subject = f"platform {running.name}: release"
    try:
        return passed(subject, f"{running.active_digest()[:12]} is active")
    except DataSurfaceError as error:
        return warned(subject, error.message, error.hint)


def _stream(running: RunningPlatform, platform: PlatformSpec, name: str, environ: Mapping[str, str]) -> Iterator[Check]:
    """Yield what a batch of a stream would meet: its secrets, and its source."""
    try:
        job, _ = running.job(name)
    except DataSurfaceError as error:
        yield failed(f"stream {name}", error)
        return
    seen = system_credentials(platform, SystemJob.RETENTION)
    wanted = [credential for credential in credentials_of(platform, job) if credential not in seen]
    yield from _secrets(wanted, platform, running.logins.secrets)
    if job.transformer is None and not isinstance(job.source, EmbeddedPostgres):
        yield from _source(running, job, environ)


def _source(running: RunningPlatform, job: JobSpec, environ: Mapping[str, str]) -> Iterator[Check]:
    met = list(reach(job.source, environ))
    yield from met
    if not any(check.verdict == "fail" for check in met):
        label = job.source.label()
        yield from limited(
            f"{label}: login", _SECONDS / 2, lambda: source(running.logins, job.source, job.credential, [job])
        )


def _secrets(wanted: Sequence[Credential], platform: PlatformSpec, keyring: Keyring) -> Iterator[Check]:
    """Yield in which store each secret is found, and which parts of it there are; never what they hold.

    As long as the platform has no login of its own, jobs log in as its credential says.
    """
    for credential in wanted:
        subject = f"secret {credential.name}"
        try:
            found = keyring.locate(credential)
        except DataSurfaceError as error:
            if credential.name != f"{platform.name}.run" or platform.credential is None:
                yield failed(subject, error)
                continue
            yield warned(subject, error.message, "it is made by `datasurface job --system security`")
            yield from _secrets([platform.credential], platform, keyring)
        else:
            yield passed(subject, f"{', '.join(sorted(found.secret.pieces()))} found in {found.store}")
