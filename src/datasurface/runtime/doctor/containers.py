"""Containers from where the jobs run: reached, logged in to, of a version that is supported, with the rights needed."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import UTC, datetime

from sqlalchemy import func, select, text
from sqlalchemy.exc import SQLAlchemyError

from datasurface.databases.base import Login, Source, adapter_for
from datasurface.databases.merge import MergeStore
from datasurface.errors import DataSurfaceError
from datasurface.model.infrastructure import Container, Credential
from datasurface.release.job import JobDataset, JobSpec
from datasurface.runtime.doctor.check import Check, failed, passed, warned
from datasurface.runtime.logins import Logins

__all__ = ["network", "source", "store", "version"]

_TIMEOUT = 5.0
_OLDEST, _NEWEST = 14, 18
_SKEW = 5.0


def network(container: Container) -> Check | None:
    """Return whether a container's port answers; None if it has none."""
    host, port = getattr(container, "host", None), getattr(container, "port", None)
    if not isinstance(host, str) or not isinstance(port, int) or host.startswith("/"):
        return None
    subject = f"{container.label()}: network"
    try:
        socket.create_connection((host, port), timeout=_TIMEOUT).close()
    except OSError as error:
        return failed(
            subject,
            f"{host}:{port} does not answer: {error}",
            "is it running, and may this machine reach it?",
        )
    return passed(subject, f"{host}:{port} answers")


def store(found: MergeStore, container: Container) -> Iterator[Check]:
    """Yield what a merge database is like: version, rights, clock."""
    label = container.label()
    try:
        with found.engine.connect() as connection:
            yield version(label, connection.dialect.server_version_info, connection.dialect.name)
            may = connection.execute(text("SELECT has_database_privilege(current_database(), 'CREATE')")).scalar_one()
            now: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
    except (SQLAlchemyError, DataSurfaceError) as error:
        problem = error if isinstance(error, DataSurfaceError) else found.explain_error(error)
        yield failed(f"{label}: login", problem)
        return
    yield passed(f"{label}: login", "accepted")
    if may:
        yield passed(f"{label}: rights", "may create schemas")
    else:
        yield failed(f"{label}: rights", "may not create schemas", "GRANT CREATE ON DATABASE to the platform's user")
    skew = (now - datetime.now(UTC)).total_seconds()
    if abs(skew) > _SKEW:
        yield warned(
            f"{label}: clock",
            f"{abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} this machine's",
            "set both clocks by NTP; schedules follow this machine's, history the source's",
        )
    else:
        yield passed(f"{label}: clock", "as this machine's")


def version(label: str, found: tuple[int | str, ...] | None, dialect: str) -> Check:
    """Return whether a database's version is one that is supported."""
    subject = f"{label}: version"
    if dialect != "postgresql" or not found:
        return passed(subject, "not known")
    shown = f"PostgreSQL {'.'.join(str(part) for part in found)}"
    major = int(found[0])
    if major < _OLDEST:
        return failed(subject, f"{shown} is too old", f"upgrade it to {_OLDEST} to {_NEWEST}")
    if major > _NEWEST:
        return warned(subject, f"{shown} is newer than what was tested", f"{_OLDEST} to {_NEWEST} are supported")
    return passed(subject, shown)


def source(logins: Logins, container: Container, credential: Credential | None, jobs: list[JobSpec]) -> Iterator[Check]:
    """Yield whether a source can be logged in to, and whether it has every table that is read, as the model says."""
    label = container.label()
    try:
        login = logins.login(container, credential)
        yield from _version(login, label)
        opened = adapter_for(container).source(login)
    except DataSurfaceError as error:
        yield failed(f"{label}: login", error)
        return
    try:
        wanted = [(job, dataset) for job in jobs for dataset in job.datasets]
        problems = [check for job, dataset in wanted if (check := _table(opened, label, job, dataset))]
        yield from problems
        if not problems:
            number = len(wanted)
            yield passed(f"{label}: tables", f"{number} table{'' if number == 1 else 's'} as the model says")
    finally:
        opened.close()


def _version(login: Login, label: str) -> Iterator[Check]:
    """Yield the version of a source that is also able to merge, because only such tell it."""
    make = getattr(adapter_for(login.container), "merge_store", None)
    if make is None:
        return
    opened: MergeStore = make(login)
    try:
        with opened.engine.connect() as connection:
            yield version(label, connection.dialect.server_version_info, connection.dialect.name)
    finally:
        opened.close()


def _table(opened: Source, label: str, job: JobSpec, dataset: JobDataset) -> Check | None:
    """Return what is wrong with a table; None if nothing is."""
    try:
        opened.verify(dataset)
    except DataSurfaceError as error:
        return failed(f"{label}: {job.datastore}.{dataset.name}", error)
    return None
