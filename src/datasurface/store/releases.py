"""Releases in the merge database: which one is active, and each job's slice of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, delete, func, insert, select, update

from datasurface.release.job import JobSpec, PlatformSpec
from datasurface.store.following import Origin, record_activation
from datasurface.store.tables import bind, jobs, release_tables, releases

__all__ = [
    "KEPT",
    "KeptRelease",
    "TablePart",
    "activate",
    "activated_at",
    "active_digest",
    "active_spec",
    "active_streams",
    "job_of",
    "keep_tables",
    "kept_digests",
    "kept_release",
    "table_parts",
]

KEPT = 20
"""Releases kept, the active one included, so that it can be told what ran when."""
_TABLES_KEPT = 2
"""Releases whose tables are kept: a run that began before another release became active still finds its own."""


class KeptRelease(NamedTuple):
    """A release that was active before.

    Attributes:
        model: The model, as canonical JSON.
        spec: The platform, with its jobs.
        activated_at: When it became active last.
        has_tables: Whether the tables of it that somebody consumes are kept too.
    """

    digest: str
    model: str
    spec: PlatformSpec
    activated_at: datetime
    has_tables: bool


class TablePart(NamedTuple):
    """Some rows of a table of a release, compressed."""

    columns: Sequence[str]
    content: bytes


def active_digest(connection: Connection, schema: str) -> str | None:
    """Return the digest of the active release, or None if nothing is active."""
    query = select(releases.c.digest).where(releases.c.active)
    return bind(connection, schema).execute(query).scalar_one_or_none()


def activated_at(connection: Connection, schema: str, digest: str) -> datetime:
    """Return when a release that the platform knows was made the active one last."""
    query = select(releases.c.activated_at).where(releases.c.digest == digest)
    found: datetime = bind(connection, schema).execute(query).scalar_one()
    return found


def active_spec(connection: Connection, schema: str) -> PlatformSpec | None:
    """Return the platform of the active release, or None if nothing is active."""
    text = bind(connection, schema).execute(select(releases.c.spec).where(releases.c.active)).scalar_one_or_none()
    return None if text is None else PlatformSpec.from_json(text)


def active_streams(connection: Connection, schema: str) -> list[str]:
    """Return the streams of the active release, sorted."""
    query = select(jobs.c.stream).join(releases, releases.c.digest == jobs.c.digest).where(releases.c.active)
    return sorted(bind(connection, schema).execute(query).scalars())


def job_of(connection: Connection, schema: str, stream: str) -> tuple[JobSpec, str] | None:
    """Return the active release's job for a stream, and that release's digest; None if it has no such stream."""
    query = (
        select(jobs.c.spec, jobs.c.digest)
        .join(releases, releases.c.digest == jobs.c.digest)
        .where(releases.c.active, jobs.c.stream == stream)
    )
    row = bind(connection, schema).execute(query).one_or_none()
    return None if row is None else (JobSpec.from_json(row.spec), row.digest)


def kept_release(connection: Connection, schema: str, digest: str) -> KeptRelease | None:
    """Return a release that the platform has kept, with its jobs as they were; None if it has not."""
    bound = bind(connection, schema)
    row = bound.execute(select(releases).where(releases.c.digest == digest)).one_or_none()
    if row is None:
        return None
    tables = bound.execute(select(func.count()).select_from(release_tables).where(release_tables.c.digest == digest))
    return KeptRelease(
        digest=digest,
        model=row.model,
        spec=PlatformSpec.from_json(row.spec),
        activated_at=row.activated_at,
        has_tables=bool(tables.scalar_one()),
    )


def kept_digests(connection: Connection, schema: str) -> dict[str, datetime]:
    """Return the releases that the platform has kept, and when each was active last; the newest first."""
    query = select(releases.c.digest, releases.c.activated_at).order_by(releases.c.activated_at.desc())
    return {row.digest: row.activated_at for row in bind(connection, schema).execute(query)}


def activate(
    connection: Connection, schema: str, digest: str, model: str, spec: PlatformSpec, now: datetime, origin: Origin
) -> None:
    """Make a release the active one, with the slices of its jobs; remember who did; forget the oldest ones."""
    record_activation(connection, schema, digest, origin, now)
    bound = bind(connection, schema)
    bound.execute(update(releases).where(releases.c.active).values(active=False))
    known = bound.execute(select(releases.c.digest).where(releases.c.digest == digest)).one_or_none()
    if known is None:
        values = {"model": model, "spec": spec.to_json(), "built_at": now, "activated_at": now, "active": True}
        bound.execute(insert(releases).values(digest=digest, **values))
    else:
        bound.execute(
            update(releases)
            .where(releases.c.digest == digest)
            .values(active=True, activated_at=now, spec=spec.to_json())
        )
        bound.execute(delete(jobs).where(jobs.c.digest == digest))
    if spec.jobs:
        rows = [{"digest": digest, "stream": job.stream, "spec": job.to_json()} for job in spec.jobs]
        bound.execute(insert(jobs), rows)
    _forget_old(bound)


def keep_tables(
    connection: Connection, schema: str, digest: str, parts: Iterable[tuple[str, int, Sequence[str], bytes]]
) -> None:
    """Keep tables of a release in place of what was kept of it; each part with its dataset, place and columns."""
    bound = bind(connection, schema)
    bound.execute(delete(release_tables).where(release_tables.c.digest == digest))
    for dataset, part, columns, content in parts:
        values = {"dataset": dataset, "part": part, "columns": json.dumps(list(columns)), "content": content}
        bound.execute(insert(release_tables).values(digest=digest, **values))


def table_parts(connection: Connection, schema: str, digest: str, dataset: str) -> Iterator[TablePart]:
    """Yield the parts of a table of a release, one at a time; none if it was not kept."""
    bound = bind(connection, schema)
    own = (release_tables.c.digest == digest, release_tables.c.dataset == dataset)
    for part in sorted(bound.execute(select(release_tables.c.part).where(*own)).scalars()):
        query = select(release_tables.c.columns, release_tables.c.content)
        row = bound.execute(query.where(*own, release_tables.c.part == part)).one()
        yield TablePart(json.loads(row.columns), row.content)


def _forget_old(bound: Connection) -> None:
    kept = bound.execute(select(releases.c.digest).order_by(releases.c.activated_at.desc()).limit(KEPT)).scalars()
    names = list(kept)
    bound.execute(delete(jobs).where(jobs.c.digest.not_in(names)))
    bound.execute(delete(releases).where(releases.c.digest.not_in(names)))
    bound.execute(delete(release_tables).where(release_tables.c.digest.not_in(names[:_TABLES_KEPT])))
