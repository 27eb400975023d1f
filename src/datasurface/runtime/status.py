"""What runs, and how far behind it is: each platform's streams as its own tables and the active release say."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from datasurface.errors import DataSurfaceError
from datasurface.model.capture import Cron, Every, External
from datasurface.release.job import Changed, JobSpec
from datasurface.runtime.embedded import EmbeddedServer, embedded_of
from datasurface.runtime.facts import PlatformFacts, StreamFacts, read_facts
from datasurface.runtime.folder import ModelFolder
from datasurface.runtime.releases.standing import ReleaseStanding, release_standing
from datasurface.runtime.schedule import next_due, offset

__all__ = ["PlatformStatus", "StreamStatus", "due_at", "every_text", "platform_status", "stream_status"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamStatus:
    """One stream of the active release.

    Attributes:
        every: Its schedule in words.
        next_due: When it is to run next; in the past if it is overdue, None if it runs only on demand.
        behind: Seconds since the moment of the source that consumers see; None before the first merge.
        overdue: Seconds since it was due; 0 if it is not.
    """

    facts: StreamFacts
    every: str
    next_due: datetime | None
    behind: float | None
    overdue: float

    def to_json(self) -> dict[str, object]:
        """Return what `--json` prints."""
        facts, last = self.facts, self.facts.last
        return {
            "stream": facts.stream,
            "state": facts.state,
            "batch": last.batch_id if last else None,
            "started_at": _iso(last.started_at) if last else None,
            "finished_at": _iso(last.finished_at) if last else None,
            "read_at": _iso(facts.read_at),
            "rows": facts.rows,
            "rows_read": last.counts.rows_read if last else None,
            "inserted": last.counts.inserted if last else None,
            "updated": last.counts.updated if last else None,
            "deleted": last.counts.deleted if last else None,
            "every": self.every,
            "next_due": _iso(self.next_due),
            "behind_seconds": self.behind,
            "overdue_seconds": self.overdue,
            "owner": facts.owner or None,
            "owner_silent_seconds": facts.silent,
            "error": last.error if last else None,
            "failing_checks": [{"batch": r.batch_id, **r.to_json()} for r in facts.failing],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformStatus:
    """One platform.

    Attributes:
        platform: Its name.
        container: Its merge database in words.
        embedded: Its embedded server; None if the database is no embedded one.
        standing: Where it stands between the release that is wanted and the active one.
        active: The digest of the active release; None if nothing is active.
        streams: The streams of the active release, sorted by name.
    """

    platform: str
    container: str
    embedded: EmbeddedServer | None
    standing: ReleaseStanding
    active: str | None
    activated_at: datetime | None
    streams: tuple[StreamStatus, ...]

    def to_json(self) -> dict[str, object]:
        """Return what `--json` prints."""
        return {
            "platform": self.platform,
            "container": self.container,
            "embedded": self.embedded.to_json() if self.embedded else None,
            "release_wanted": self.standing.wanted,
            "release_model": self.standing.model,
            "release_active": self.active,
            "activated_at": _iso(self.activated_at),
            "up_to_date": self.active == self.standing.wanted,
            "release": self.standing.to_json(),
            "streams": [stream.to_json() for stream in self.streams],
        }


def platform_status(model: ModelFolder) -> list[PlatformStatus]:
    """Return where every platform stands. An embedded server that was never made is not made for it.

    Raises:
        StoreError: a merge database is out of reach.
    """
    found = []
    for spec in model.platforms:
        embedded = embedded_of(model, spec.container)
        facts, standing = None, release_standing(spec, model.release.digest, None)
        if embedded is None or embedded.made:
            with model.open_one(spec) as running:
                facts = read_facts(running)
                standing = release_standing(spec, model.release.digest, running)
            embedded = embedded_of(model, spec.container)
        found.append(
            PlatformStatus(
                platform=spec.name,
                container=spec.container.label(),
                embedded=embedded,
                standing=standing,
                active=facts.active if facts else None,
                activated_at=facts.activated_at if facts else None,
                streams=_streams(facts) if facts else (),
            )
        )
    return found


def stream_status(job: JobSpec, facts: StreamFacts, now: datetime) -> StreamStatus:
    """Return where a stream stands at a time."""
    due = due_at(job.capture.every, facts, now, job.stream)
    overdue = (now - due).total_seconds() if due is not None and due < now and not facts.running else 0.0
    return StreamStatus(
        facts=facts,
        every=every_text(job.capture.every),
        next_due=due,
        behind=max(0.0, (now - facts.read_at).total_seconds()) if facts.read_at else None,
        overdue=overdue,
    )


def due_at(every: Every, facts: StreamFacts, now: datetime, stream: str) -> datetime | None:
    """Return when a stream is due, as the scheduler sees it; None if never by itself or its schedule is unusable."""
    last = facts.last.started_at if facts.last else None
    try:
        return next_due(every, last, now, spread=offset(stream, every))
    except DataSurfaceError:
        return None


def every_text(every: Every) -> str:
    """Return a schedule in words."""
    if isinstance(every, Cron):
        return f"{every.expression} ({every.tz})"
    if isinstance(every, Changed):
        return "on change"
    return "external" if isinstance(every, External) else every


def _streams(facts: PlatformFacts) -> tuple[StreamStatus, ...]:
    jobs = sorted(facts.spec.jobs, key=lambda job: job.stream) if facts.spec else []
    return tuple([stream_status(job, facts.streams[job.stream], facts.now) for job in jobs])


def _iso(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat()
