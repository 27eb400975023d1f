"""Proof that what was deployed runs: the wanted release is active, streams have merged since, what is seen adds up.

It looks at the merge database alone, so it is the same for every scheduler.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from datasurface.engine.actual import Actual, read_actual
from datasurface.engine.publish import VERSION_COLUMNS, desired_views
from datasurface.errors import StoreError
from datasurface.model.capture import External
from datasurface.release.job import Changed, JobSpec, PlatformSpec
from datasurface.runtime.facts import StreamFacts, read_facts
from datasurface.runtime.folder import ModelFolder
from datasurface.runtime.platform import RunningPlatform
from datasurface.runtime.releases.standing import ReleaseStanding, release_standing
from datasurface.store.ledger import BatchState
from datasurface.store.tables import bind, ledger

__all__ = ["Proof", "Proved", "prove", "wait_for_proof"]

_PAUSE = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Proved:
    """One thing that was looked at.

    Attributes:
        subject: What, such as `release`, `stream crm`, `table crm.orders` or `view reports_all.crm_orders`.
        ok: Whether it is as it has to be.
        detail: What was found, or what is missing and why.
    """

    platform: str
    subject: str
    ok: bool
    detail: str

    def to_json(self) -> dict[str, object]:
        """Return what `--json` prints."""
        return {"platform": self.platform, "subject": self.subject, "ok": self.ok, "detail": self.detail}


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """All that was looked at.

    Attributes:
        seconds: How long it was waited for.
    """

    lines: tuple[Proved, ...]
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether all is as it has to be."""
        return all(line.ok for line in self.lines)

    def to_json(self) -> dict[str, object]:
        """Return what `--json` prints."""
        return {"ok": self.ok, "seconds": round(self.seconds, 3), "proof": [line.to_json() for line in self.lines]}


def wait_for_proof(
    model: ModelFolder,
    seconds: float,
    *,
    since: datetime | None = None,
    told: Callable[[int], None] = lambda _missing: None,
    stop: threading.Event | None = None,
) -> Proof:
    """Look until all is proved or the time is over; a merge database that is out of reach is looked for again.

    Args:
        model: The platforms, and the release that is wanted where no rule says so.
        seconds: How long to wait; 0 to look once.
        since: From when on batches count; None for the activation of the release.
        told: Hears after each look how many things are missing.
        stop: Ends the waiting.
    """
    began, ends = time.monotonic(), time.monotonic() + seconds
    stopped = stop or threading.Event()
    while True:
        lines = tuple(line for spec in model.platforms for line in _proved(model, spec, since))
        proof = Proof(lines=lines, seconds=time.monotonic() - began)
        if proof.ok or time.monotonic() + _PAUSE > ends or stopped.is_set():
            return proof
        told(sum(not line.ok for line in lines))
        stopped.wait(_PAUSE)


def _proved(model: ModelFolder, spec: PlatformSpec, since: datetime | None) -> list[Proved]:
    try:
        with model.open_one(spec) as running:
            return list(prove(running, release_standing(spec, model.release.digest, running), since))
    except StoreError as error:
        return [Proved(platform=spec.name, subject="release", ok=False, detail=error.message)]


def prove(running: RunningPlatform, standing: ReleaseStanding, since: datetime | None) -> Iterator[Proved]:
    """Yield what is as it has to be and what is not: the release, each stream, each table, each view.

    Args:
        running: The platform.
        standing: Which release is wanted.
        since: From when on batches count; None for the activation of the active release.

    Raises:
        StoreError: the merge database is out of reach.
    """
    facts = read_facts(running)
    yield _release(running.name, standing)
    if facts.spec is None or facts.activated_at is None:
        return
    start = since or facts.activated_at
    with running.reading() as opened:
        connection = opened.execution_options(isolation_level="REPEATABLE READ")
        merged = _merged(connection, running.schema, start)
        actual = read_actual(running.store, connection, running.schema)
        for job in facts.spec.jobs:
            yield _stream(running.name, job, facts.streams[job.stream], merged, start)
        yield from _tables(running, facts.spec, actual)
        yield from _views(running, connection, facts.spec, actual)


def _release(platform: str, standing: ReleaseStanding) -> Proved:
    wanted, known = standing.wanted, standing.known
    following = known.following
    if known.active is not None and known.active == wanted:
        origin = known.activation.origin if known.activation else None
        who = f" by {origin.who}" if origin else ""
        return Proved(
            platform=platform,
            subject="release",
            ok=True,
            detail=f"{known.active[:12]} is active since {known.activated_at:%Y-%m-%d %H:%M:%SZ}{who}",
        )
    active = f"{known.active[:12]} is active" if known.active else "nothing is active"
    if following.pin is not None and wanted is not None:
        why = f"{following.pin.who} rolled back from {following.pin.left[:12]}"
    elif following.pending is not None:
        why = f"{following.pending.ref} is pending: {following.pending.reason}"
    elif standing.rule is not None and following.seen is None:
        why = f"nobody has looked for {standing.rule!r} in {standing.store} yet"
    elif standing.rule is not None and wanted is None:
        seen = following.seen
        why = (seen.error if seen else "") or f"{standing.rule!r} selects nothing in {standing.store}"
    else:
        why = f"{(wanted or '')[:12]} is wanted"
    return Proved(platform=platform, subject="release", ok=False, detail=f"{active}, but {why}")


def _merged(connection: Connection, schema: str, start: datetime) -> Mapping[str, tuple[int, datetime]]:
    """Return the newest batch of each stream that was merged since a time."""
    query = (
        select(ledger.c.stream, func.max(ledger.c.batch_id), func.max(ledger.c.finished_at))
        .where(ledger.c.state == BatchState.MERGED.value, ledger.c.finished_at >= start)
        .group_by(ledger.c.stream)
    )
    return {stream: (batch, at) for stream, batch, at in bind(connection, schema).execute(query)}


def _stream(
    platform: str, job: JobSpec, facts: StreamFacts, merged: Mapping[str, tuple[int, datetime]], start: datetime
) -> Proved:
    subject = f"stream {job.stream}"
    found = merged.get(job.stream)
    if found is not None:
        detail = f"batch {found[0]} was merged at {found[1]:%Y-%m-%d %H:%M:%SZ}"
        return Proved(platform=platform, subject=subject, ok=True, detail=detail)
    every, last = job.capture.every, facts.last
    if isinstance(every, External) and not isinstance(every, Changed):
        return Proved(
            platform=platform, subject=subject, ok=True, detail="runs only when something outside asks for it"
        )
    if isinstance(every, Changed) and facts.read_at is not None and (last is None or last.state is BatchState.MERGED):
        detail = "its inputs have not changed since it was merged"
        if all(stream not in merged for stream in (job.transformer.triggers if job.transformer else ())):
            return Proved(platform=platform, subject=subject, ok=True, detail=detail)
    why = "it has never run" if last is None else "its last batch is older"
    if last is not None and last.state is not BatchState.MERGED:
        why = f"batch {last.batch_id} is {last.state.value}" + (f": {last.error}" if last.error else "")
    return Proved(
        platform=platform,
        subject=subject,
        ok=False,
        detail=f"nothing merged since {start:%Y-%m-%d %H:%M:%SZ}: {why}",
    )


def _tables(running: RunningPlatform, spec: PlatformSpec, actual: Actual) -> Iterator[Proved]:
    for job in spec.jobs:
        for dataset in job.datasets:
            name = f"{job.datastore}.{dataset.name}"
            table = actual.tables.get(running.store.tables_of(running.schema, name).current)
            wanted = {c.name: running.store.column_type(dataset, c.name) for c in dataset.columns}
            found = {c.name: c.type for c in table.columns} if table else {}
            wrong = [f"{c} {t}, not {found.get(c, 'there')}" for c, t in wanted.items() if found.get(c) != t]
            detail = f"does not have {'; '.join(wrong)}" if wrong else f"has its {len(wanted)} columns"
            if table is None:
                detail = "is absent: `datasurface apply` makes it"
            yield Proved(platform=running.name, subject=f"table {name}", ok=not wrong, detail=detail)


def _views(running: RunningPlatform, connection: Connection, spec: PlatformSpec, actual: Actual) -> Iterator[Proved]:
    for shape in desired_views(running.store, spec, running.schema, running.limit):
        subject = f"view {shape.schema}.{shape.name}"
        there = actual.views.get((shape.schema, shape.name))
        columns = shape.columns + (VERSION_COLUMNS if shape.history else ())
        if there is None or there.columns != columns:
            has = f"it has the columns {', '.join(there.columns)}" if there else "it is absent"
            detail = f"{has}: `datasurface apply` makes it"
            yield Proved(platform=running.name, subject=subject, ok=False, detail=detail)
        elif shape.history:
            yield Proved(platform=running.name, subject=subject, ok=True, detail=f"has its {len(columns)} columns")
        else:
            state = actual.states.get((shape.stream, shape.dataset))
            rows = running.store.count(connection, shape.schema, shape.name)
            told = state.rows if state else 0
            detail = f"{rows} rows, as the ledger says" if rows == told else f"{rows} rows, but the ledger says {told}"
            yield Proved(platform=running.name, subject=subject, ok=rows == told, detail=detail)
