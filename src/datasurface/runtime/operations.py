"""Write what a platform did into a datastore: from its own tables, and from the database's catalog of who may read.

What is idle is left out: a batch that changed nothing says no more than how fresh its stream is, and that is in `lag`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select

from datasurface.databases.base import adapter_for
from datasurface.errors import ConfigurationError, DataSurfaceError
from datasurface.model.capture import Capture, Every
from datasurface.model.serial import decode
from datasurface.release.job import Changed
from datasurface.runtime.schedule import next_due
from datasurface.runtime.status import every_text
from datasurface.store.tables import audits, bind, checks, jobs, ledger, ledger_datasets, releases, streams, views
from datasurface.transform.system import SystemRun

__all__ = ["externalize_operations"]

Row = dict[str, object]

_DAYS = 30
_PATIENCE = timedelta(minutes=1)
_LATER = ledger.alias("later")


def externalize_operations(run: SystemRun) -> None:
    """Write every dataset of operations that somebody consumes.

    The parameter `days` says how far batches, failures, checks and audits reach back; 30 if it is not given.
    """
    since = _now(run) - timedelta(days=float(run.context.params.get("days", _DAYS)))
    for dataset in run.job.datasets:
        rows = ({"platform": run.job.platform, **row} for row in _WRITERS[dataset.name](run, since))
        run.context.output(dataset.name).write(rows)


def _now(run: SystemRun) -> datetime:
    now: datetime = run.reader.execute(select(func.now())).scalar_one()
    return now


def _rows(run: SystemRun, query: Select[*tuple[Any, ...]]) -> Iterator[Row]:
    """Yield the rows of a query on the platform's tables by name, in bounded memory."""
    bound = bind(run.reader, run.schema).execution_options(yield_per=5_000)
    for row in bound.execute(query).mappings():
        yield {str(name): value for name, value in row.items()}


def _told(run: SystemRun, since: datetime) -> ColumnElement[bool]:
    """Return which batches are told: recent ones that changed something or went wrong, without this stream's own."""
    changed = ledger.c.inserted + ledger.c.updated + ledger.c.deleted > 0
    idle = and_(ledger.c.state == "merged", ~changed)
    own = and_(ledger.c.stream == run.job.stream, ledger.c.state.in_(("open", "staged", "merged")))
    return and_(ledger.c.started_at >= since, ~or_(idle, own))


def _batches(run: SystemRun, since: datetime) -> Iterator[Row]:
    names = (
        *("stream", "batch_id", "state", "started_at", "finished_at", "read_at"),
        *("rows_read", "inserted", "updated", "deleted", "error"),
    )
    columns = [ledger.c[name] for name in names]
    return _rows(run, select(*columns, ledger.c.model_digest.label("release")).where(_told(run, since)))


def _batch_datasets(run: SystemRun, since: datetime) -> Iterator[Row]:
    names = ("stream", "batch_id", "dataset", "rows_read", "inserted", "updated", "deleted")
    same = and_(ledger.c.stream == ledger_datasets.c.stream, ledger.c.batch_id == ledger_datasets.c.batch_id)
    query = select(*[ledger_datasets.c[name] for name in names]).join(ledger, same)
    return _rows(run, query.where(_told(run, since)))


def _failures(run: SystemRun, since: datetime) -> Iterator[Row]:
    names = ("stream", "batch_id", "state", "started_at", "finished_at", "error")
    recovered = (
        select(_LATER.c.batch_id)
        .where(_LATER.c.stream == ledger.c.stream, _LATER.c.batch_id > ledger.c.batch_id, _LATER.c.state == "merged")
        .exists()
        .label("recovered")
    )
    wrong = and_(ledger.c.started_at >= since, ledger.c.state.in_(("failed", "parked", "abandoned")))
    return _rows(run, select(*[ledger.c[name] for name in names], recovered).where(wrong))


def _lag(run: SystemRun, _since: datetime) -> Iterator[Row]:
    now = _now(run)
    known = {row["stream"]: row for row in _rows(run, select(streams))}
    others = and_(jobs.c.digest == run.release, jobs.c.stream != run.job.stream)
    for job in _rows(run, select(jobs.c.stream, jobs.c.spec).where(others)):
        spec = json.loads(str(job["spec"]))
        state = known.get(job["stream"], {})
        yield {"stream": job["stream"], "datastore": spec["datastore"], **_freshness(spec, state, now)}


def _freshness(spec: Mapping[str, object], state: Mapping[str, object], now: datetime) -> Row:
    capture = decode(spec["capture"])
    every = capture.every if isinstance(capture, Capture) else Changed()
    read_at = state.get("read_at")
    due_at = _due(every, read_at if isinstance(read_at, datetime) else None, now)
    late = due_at is not None and due_at + _PATIENCE < now
    return {
        "every": None if isinstance(every, Changed) else every_text(every),
        "due_at": None if read_at is None else due_at,
        "read_at": read_at,
        "changed_batch": state.get("changed_batch"),
        "late": late or (read_at is None and due_at is not None),
    }


def _due(every: Every, read_at: datetime | None, now: datetime) -> datetime | None:
    """Return when a source has to be read again; None if never by itself, or its schedule is unusable here."""
    try:
        return next_due(every, read_at, now)
    except DataSurfaceError:
        return None


def _checks(run: SystemRun, since: datetime) -> Iterator[Row]:
    names = ("stream", "batch_id", "dataset", "kind", "on_failure", "ok", "detail")
    columns = [*[checks.c[name] for name in names], checks.c.check_name.label("name")]
    same = and_(ledger.c.stream == checks.c.stream, ledger.c.batch_id == checks.c.batch_id)
    query = select(*columns, checks.c.failing_rows.label("failing")).join(ledger, same)
    return _rows(run, query.where(ledger.c.started_at >= since))


def _audits(run: SystemRun, since: datetime) -> Iterator[Row]:
    names = ("stream", "dataset", "ran_at", "verified_through", "ok", "rows", "wrong", "changed_since")
    return _rows(run, select(*[audits.c[name] for name in names]).where(audits.c.ran_at >= since))


def _grants(run: SystemRun, _since: datetime) -> Iterator[Row]:
    """Yield who may read the views that this platform made."""
    shown = {(row["schema_name"], row["view_name"]): row for row in _rows(run, select(views))}
    adapter = adapter_for(run.job.capture.container)
    make = getattr(adapter, "access_catalog", None)
    if make is None:
        raise ConfigurationError(f"{adapter.capabilities.database} does not say who may read what")
    for found in make().read_access(run.reader, {str(schema) for schema, _ in shown}):
        view = shown.get((found.schema, found.view))
        if view is not None:
            yield {
                "grantee": found.grantee,
                "view_schema": found.schema,
                "view_name": found.view,
                "through": found.through,
                "datastore": str(view["stream"]).partition(".")[0],
                "dataset": view["dataset"],
                "columns": None if found.columns is None else ", ".join(found.columns),
                "can_login": found.can_login,
            }


def _deployments(run: SystemRun, _since: datetime) -> Iterator[Row]:
    names = ("built_at", "activated_at", "active")
    return _rows(run, select(releases.c.digest.label("release"), *[releases.c[name] for name in names]))


_WRITERS: Mapping[str, Callable[[SystemRun, datetime], Iterator[Row]]] = {
    "batches": _batches,
    "batch_datasets": _batch_datasets,
    "failures": _failures,
    "lag": _lag,
    "checks": _checks,
    "audits": _audits,
    "grants": _grants,
    "deployments": _deployments,
}
