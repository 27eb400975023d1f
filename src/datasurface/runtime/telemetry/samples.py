"""A platform's state as samples of the metrics that are declared. Pure; it knows no client library."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from datasurface.runtime.telemetry.state import PlatformState, StreamState

__all__ = ["Sample", "platform_samples"]

_SHORT = 12
_ACTIONS = ("inserted", "updated", "deleted")


class Sample(NamedTuple):
    """One value: the metric's name without `datasurface_`, its labels' values in their order, the value."""

    metric: str
    labels: tuple[str, ...]
    value: float


def platform_samples(environment: str, platform: str, state: PlatformState | None, seconds: float) -> Iterator[Sample]:
    """Yield the samples of a platform.

    Args:
        environment: Which binds it; empty for the model as it is.
        platform: Its name.
        state: Where it stands; None if the merge database did not answer.
        seconds: How long it took to find out.
    """
    where = (environment, platform)
    yield Sample("platform_up", where, float(state is not None))
    yield Sample("platform_read_seconds", where, seconds)
    if state is None:
        return
    yield from _releases(where, state)
    yield Sample("access_changes", where, state.changes)
    for run in state.runs:
        yield Sample("system_job_ok", (*where, run.kind), float(run.ok))
        yield Sample("system_job_timestamp_seconds", (*where, run.kind), run.at.timestamp())
    if state.vitals is not None:
        yield Sample("database_connections", where, state.vitals.connections)
        yield Sample("database_connections_limit", where, state.vitals.most_connections)
        yield Sample("database_size_bytes", where, state.vitals.size)
    for stream in state.streams:
        yield from _stream((*where, stream.job.stream), stream)


def _releases(where: tuple[str, str], state: PlatformState) -> Iterator[Sample]:
    if state.active is not None:
        yield Sample("release_info", (*where, state.active[:_SHORT], "active"), 1)
    if state.activated_at is not None:
        yield Sample("release_activated_timestamp_seconds", where, state.activated_at.timestamp())
    if state.wanted is not None:
        yield Sample("release_info", (*where, state.wanted[:_SHORT], "wanted"), 1)
    yield Sample("release_pending", where, float(state.wanted is not None and state.wanted != state.active))
    yield Sample("release_pending_seconds", where, _since(state.pending_since, state.now))


def _stream(where: tuple[str, str, str], stream: StreamState) -> Iterator[Sample]:
    status, facts = stream.status, stream.status.facts
    yield Sample("stream_info", (*where, *_info(stream)), 1)
    yield Sample("stream_state", (*where, facts.state), 1)
    if status.behind is not None:
        yield Sample("stream_lag_seconds", where, status.behind)
    if stream.limit is not None:
        yield Sample("stream_lag_limit_seconds", where, stream.limit)
    yield Sample("stream_overdue_seconds", where, status.overdue)
    yield Sample("stream_rows", where, facts.rows)
    yield Sample("stream_failing_checks", where, stream.failing)
    last = facts.last
    if last is not None and last.finished_at is not None:
        yield Sample("stream_last_batch_seconds", where, (last.finished_at - last.started_at).total_seconds())
    if last is not None and last.memory is not None:
        yield Sample("stream_last_batch_memory_bytes", where, last.memory)
    yield from _totals(where, stream)


def _totals(where: tuple[str, str, str], stream: StreamState) -> Iterator[Sample]:
    for each in stream.totals:
        yield Sample("batches_total", (*where, each.outcome), each.batches)
    yield Sample("batch_seconds_total", where, sum(each.seconds for each in stream.totals))
    yield Sample("batch_rows_total", (*where, "read"), sum(each.rows_read for each in stream.totals))
    for action in _ACTIONS:
        yield Sample("batch_rows_total", (*where, action), sum(getattr(each, action) for each in stream.totals))


def _info(stream: StreamState) -> tuple[str, ...]:
    job, labels = stream.job, stream.job.labels
    kind = "transformer" if job.transformer is not None else "ingestion"
    head = (job.datastore, kind, stream.status.every, job.priority.value)
    if labels is None:
        return (*head, "", "", "", "", "", "")
    return (
        *head,
        labels.zone,
        labels.team,
        labels.owner,
        _word(yes=labels.production),
        _word(yes=labels.deprecated is not None),
        ",".join(labels.classifications),
    )


def _word(*, yes: bool) -> str:
    return "true" if yes else "false"


def _since(moment: datetime | None, now: datetime) -> float:
    return 0.0 if moment is None else max(0.0, (now - moment).total_seconds())
