"""Where a platform stands, as its own tables and the active release say: what monitoring asks for every few seconds.

The release is read again only when another one is active, so that a look costs a few small queries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select

from datasurface.databases.base import adapter_for
from datasurface.databases.vitals import Vitals
from datasurface.model.check import check_name
from datasurface.release.job import JobSpec
from datasurface.runtime.facts import StreamFacts
from datasurface.runtime.platform import RunningPlatform
from datasurface.runtime.status import StreamStatus, stream_status
from datasurface.runtime.telemetry.limits import lag_limit
from datasurface.store.checks import latest_results
from datasurface.store.following import read_following
from datasurface.store.ledger import BatchRow, last_batches
from datasurface.store.releases import active_spec
from datasurface.store.system_runs import SystemRun, read_system_runs
from datasurface.store.tables import access_changes, bind, datasets, releases, streams
from datasurface.store.totals import StreamTotals, batch_totals

__all__ = ["PlatformReader", "PlatformState", "StreamState"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamState:
    """One stream of the active release.

    Attributes:
        job: What the release says of it.
        status: Where it stands.
        limit: After how many seconds behind it is late; None if it has no schedule, or was never read.
        failing: How many checks fail for what consumers see.
        totals: What its batches came to, by outcome.
    """

    job: JobSpec
    status: StreamStatus
    limit: float | None
    failing: int
    totals: Sequence[StreamTotals]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformState:
    """A platform at one moment.

    Attributes:
        now: The time by the merge database's clock.
        active: The active release's digest; None if nothing is active.
        wanted: The digest of the release that its environment's rule selects; None if it follows none.
        pending_since: Since when a release waits that cannot become active; None if none does.
        changes: How many changes of access are remembered.
        runs: How the jobs of the system ended last.
    """

    now: datetime
    active: str | None = None
    activated_at: datetime | None = None
    wanted: str | None = None
    pending_since: datetime | None = None
    changes: int = 0
    vitals: Vitals | None = None
    runs: Sequence[SystemRun] = ()
    streams: Sequence[StreamState] = field(default=())


class PlatformReader:
    """Reads one platform again and again.

    Args:
        running: The platform.
    """

    def __init__(self, running: RunningPlatform) -> None:
        self._running = running
        self._digest: str | None = None
        self._jobs: Sequence[JobSpec] = ()
        self._checks: Mapping[str, frozenset[tuple[str, str]]] = {}
        self._vitals = getattr(adapter_for(running.container), "vitals", None)

    @property
    def platform(self) -> str:
        """The platform's name."""
        return self._running.name

    @property
    def environment(self) -> str:
        """The environment that binds it; empty for the model as it is."""
        return self._running.roles.environment or ""

    @property
    def connections(self) -> int:
        """How many connections to the merge database this process has open."""
        pool = self._running.store.engine.pool
        return int(getattr(pool, "checkedout", lambda: 0)()) + int(getattr(pool, "checkedin", lambda: 0)())

    def read(self) -> PlatformState:
        """Return where the platform stands now.

        Raises:
            StoreError: the merge database is out of reach.
        """
        enrolled = self._running.is_enrolled()
        with self._running.reading() as connection:
            now: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
            vitals = self._vitals(connection) if self._vitals is not None else None
            return self._enrolled(connection, now, vitals) if enrolled else PlatformState(now=now, vitals=vitals)

    def _enrolled(self, connection: Connection, now: datetime, vitals: Vitals | None) -> PlatformState:
        schema = self._running.schema
        bound = bind(connection, schema)
        active = bound.execute(
            select(releases.c.digest, releases.c.activated_at).where(releases.c.active)
        ).one_or_none()
        self._follow(connection, active.digest if active else None)
        known = read_following(connection, schema)
        return PlatformState(
            now=now,
            active=active.digest if active else None,
            activated_at=active.activated_at if active else None,
            wanted=known.seen.digest if known.seen else None,
            pending_since=known.pending.since if known.pending else None,
            changes=bound.execute(select(func.count()).select_from(access_changes)).scalar_one(),
            vitals=vitals,
            runs=read_system_runs(connection, schema),
            streams=self._streams(connection, now),
        )

    def _follow(self, connection: Connection, digest: str | None) -> None:
        if digest != self._digest:
            spec = active_spec(connection, self._running.schema)
            self._digest, self._jobs = digest, spec.jobs if spec else ()
            self._checks = {
                job.stream: frozenset((each.dataset, check_name(check)) for each in job.checks for check in each.checks)
                for job in self._jobs
            }

    def _streams(self, connection: Connection, now: datetime) -> list[StreamState]:
        schema = self._running.schema
        bound = bind(connection, schema)
        held = {row.stream: row for row in bound.execute(select(streams))}
        count = select(datasets.c.stream, func.sum(datasets.c.rows)).group_by(datasets.c.stream)
        rows = {name: int(number) for name, number in bound.execute(count)}
        batches = last_batches(connection, schema)
        results = latest_results(connection, schema)
        totals: dict[str, list[StreamTotals]] = {}
        for each in batch_totals(connection, schema):
            totals.setdefault(each.stream, []).append(each)
        found = []
        for job in self._jobs:
            found_results = results.get(job.stream, ())
            facts = _facts(job.stream, held.get(job.stream), now, rows.get(job.stream, 0), batches)
            found.append(
                StreamState(
                    job=job,
                    status=stream_status(job, facts, now),
                    limit=_limit(job, facts),
                    failing=sum(not r.ok and (r.dataset, r.check) in self._checks[job.stream] for r in found_results),
                    totals=totals.get(job.stream, ()),
                )
            )
        return found


def _facts(stream: str, row: Row[Any] | None, now: datetime, rows: int, batches: Mapping[str, BatchRow]) -> StreamFacts:
    beat = row.heartbeat if row is not None and row.owner is not None else None
    return StreamFacts(
        stream=stream,
        owner=row.owner or "" if row is not None else "",
        silent=max(0.0, (now - beat).total_seconds()) if beat is not None else None,
        read_at=row.read_at if row is not None else None,
        rows=rows,
        last=batches.get(stream),
    )


def _limit(job: JobSpec, facts: StreamFacts) -> float | None:
    if facts.read_at is None or job.labels is None:
        return None
    return lag_limit(job.capture.every, job.labels.latency, facts.read_at)
