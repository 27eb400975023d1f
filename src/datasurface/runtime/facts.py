"""What a platform's own tables say about its streams at one moment: owners, newest batches, rows. Read-only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from datasurface.model.check import check_name
from datasurface.release.job import PlatformSpec
from datasurface.runtime.platform import RunningPlatform
from datasurface.store.checks import CheckResult, latest_results
from datasurface.store.ledger import BatchRow, last_batches
from datasurface.store.releases import active_spec
from datasurface.store.streams import SILENCE
from datasurface.store.tables import bind, datasets, releases, streams

__all__ = ["PlatformFacts", "StreamFacts", "read_facts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamFacts:
    """Where one stream stands.

    Attributes:
        owner: Who holds it, in words; empty if nobody does.
        silent: Seconds since its owner was last heard of; None if nobody holds it.
        held_since: When its owner took it.
        read_at: What time of the source consumers see; None before the first merge.
        rows: How many rows are current, over all its datasets.
        last: Its newest batch.
        failing: The checks that fail for what consumers see.
    """

    stream: str
    owner: str = ""
    silent: float | None = None
    held_since: datetime | None = None
    read_at: datetime | None = None
    rows: int = 0
    last: BatchRow | None = None
    failing: tuple[CheckResult, ...] = ()

    @property
    def running(self) -> bool:
        """Whether its owner is alive, as far as can be told from here."""
        return self.silent is not None and self.silent <= SILENCE

    @property
    def stale(self) -> bool:
        """Whether its owner has been silent for so long that the next run takes it."""
        return self.silent is not None and self.silent > SILENCE

    @property
    def state(self) -> str:
        """One word: running, never, idle, merged, parked, failed, abandoned, waiting or interrupted."""
        if self.running:
            return "running"
        if self.last is None:
            return "never"
        counts = self.last.counts
        if self.last.state == "merged" and not (counts.inserted or counts.updated or counts.deleted):
            return "idle"
        return {"open": "interrupted", "staged": "waiting"}.get(self.last.state.value, self.last.state.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformFacts:
    """A platform at one moment.

    Attributes:
        now: The time by the merge database's clock.
        active: The active release's digest; None if nothing is active.
        activated_at: When it became active.
        model: The active release's model as JSON; None if nothing is active.
        spec: The active release's platform.
        streams: Every stream that the active release has or that ever ran, by name.
    """

    now: datetime
    active: str | None = None
    activated_at: datetime | None = None
    model: str | None = None
    spec: PlatformSpec | None = None
    streams: Mapping[str, StreamFacts]


def read_facts(running: RunningPlatform) -> PlatformFacts:
    """Read a platform's tables; one that is not enrolled has no streams.

    Raises:
        StoreError: the merge database is out of reach.
    """
    enrolled = running.is_enrolled()
    with running.reading() as connection:
        now: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
        if not enrolled:
            return PlatformFacts(now=now, streams={})
        bound = bind(connection, running.schema)
        release = bound.execute(select(releases).where(releases.c.active)).one_or_none()
        spec = active_spec(connection, running.schema)
        batches = last_batches(connection, running.schema)
        results = latest_results(connection, running.schema)
        count = select(datasets.c.stream, func.sum(datasets.c.rows)).group_by(datasets.c.stream)
        rows = {name: int(number) for name, number in bound.execute(count)}
        held = {row.stream: row for row in bound.execute(select(streams))}
    jobs = spec.jobs if spec else ()
    declared = {(job.stream, c.dataset, check_name(check)) for job in jobs for c in job.checks for check in c.checks}
    names = {*held, *batches, *(job.stream for job in spec.jobs)} if spec else {*held, *batches}
    found = {}
    for name in sorted(names):
        row = held.get(name)
        beat = row.heartbeat if row is not None and row.owner is not None else None
        found[name] = StreamFacts(
            stream=name,
            owner=_owner(row.owner) if row is not None and row.owner is not None else "",
            silent=max(0.0, (now - beat).total_seconds()) if beat is not None else None,
            held_since=row.started_at if row is not None and row.owner is not None else None,
            read_at=row.read_at if row is not None else None,
            rows=rows.get(name, 0),
            last=batches.get(name),
            failing=tuple(r for r in results.get(name, ()) if not r.ok and (name, r.dataset, r.check) in declared),
        )
    return PlatformFacts(
        now=now,
        active=release.digest if release is not None else None,
        activated_at=release.activated_at if release is not None else None,
        model=release.model if release is not None else None,
        spec=spec,
        streams=found,
    )


def _owner(name: str) -> str:
    """Return an owner's name for people: its machine and process."""
    machine, _, rest = name.partition("/")
    return f"process {rest.partition('/')[0]} on {machine.partition(':')[0]}"
