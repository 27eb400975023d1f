"""The metrics that are exported, as data: names by Prometheus' conventions, labels of bounded number, what they mean.

The reference, the dashboards and the alert rules are made from these, so that none can name what does not exist.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["METRICS", "Kind", "Metric", "Source", "metric"]


class Kind(StrEnum):
    """What a metric is to Prometheus."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"


class Source(StrEnum):
    """Who exports a metric."""

    PLATFORM = "platform"
    """`run --metrics-port` and `metrics`: read from the merge database, so that no batch of any process is missed."""
    PROCESS = "process"
    """`run --metrics-port` only: what that process itself does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric.

    Attributes:
        name: In full; a counter ends in `_total`.
        labels: In their order.
        help: What a value means, in one sentence.
        buckets: The upper bounds of a histogram's buckets.
    """

    name: str
    kind: Kind
    source: Source
    labels: tuple[str, ...]
    help: str
    buckets: tuple[float, ...] = ()

    @property
    def series(self) -> tuple[str, ...]:
        """The names of the time series that it gives."""
        if self.kind is Kind.HISTOGRAM:
            return (f"{self.name}_bucket", f"{self.name}_sum", f"{self.name}_count")
        return (self.name,)


_PLATFORM = ("environment", "platform")
_STREAM = (*_PLATFORM, "stream")
_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
_WAITS = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0)


def _gauge(name: str, labels: tuple[str, ...], text: str, source: Source = Source.PLATFORM) -> Metric:
    return Metric(name=f"datasurface_{name}", kind=Kind.GAUGE, source=source, labels=labels, help=text)


def _counter(name: str, labels: tuple[str, ...], text: str, source: Source = Source.PLATFORM) -> Metric:
    return Metric(name=f"datasurface_{name}", kind=Kind.COUNTER, source=source, labels=labels, help=text)


def _histogram(name: str, labels: tuple[str, ...], text: str, buckets: tuple[float, ...]) -> Metric:
    return Metric(
        name=f"datasurface_{name}",
        kind=Kind.HISTOGRAM,
        source=Source.PROCESS,
        labels=labels,
        help=text,
        buckets=buckets,
    )


METRICS = (
    _gauge("build_info", ("version",), "1; the version of DataSurface that exports."),
    _gauge("platform_up", _PLATFORM, "Whether the merge database answered: 1, or 0 if it did not."),
    _gauge("platform_read_seconds", _PLATFORM, "How long it took to read what the platform metrics say."),
    _gauge(
        "release_info",
        (*_PLATFORM, "release", "state"),
        "1 for the active release, and for the wanted one that the environment's rule selects; by digest, 12 digits.",
    ),
    _gauge("release_activated_timestamp_seconds", _PLATFORM, "When the active release became active; Unix time."),
    _gauge("release_pending", _PLATFORM, "Whether a release that the rule selects is not active: 1 or 0."),
    _gauge("release_pending_seconds", _PLATFORM, "How long a release has been waiting that was tried and refused; 0."),
    _gauge(
        "stream_info",
        (
            *_STREAM,
            "datastore",
            "kind",
            "every",
            "priority",
            "zone",
            "team",
            "owner",
            "production",
            "deprecated",
            "classifications",
        ),
        "1; what governance says of a stream, to be joined to other metrics by platform and stream.",
    ),
    _gauge(
        "stream_state",
        (*_STREAM, "state"),
        "1 for the state that the stream is in: running, never, idle, merged, parked, failed, abandoned, waiting or "
        "interrupted.",
    ),
    _gauge("stream_lag_seconds", _STREAM, "How old what consumers see is, by the source's clock; absent before."),
    _gauge("stream_lag_limit_seconds", _STREAM, "The lag from which the stream is late, by its schedule and latency."),
    _gauge("stream_overdue_seconds", _STREAM, "How long the stream is due and does not run; 0 if it is not due."),
    _gauge("stream_rows", _STREAM, "How many rows consumers see, over all datasets of the stream."),
    _gauge("stream_failing_checks", _STREAM, "How many checks fail for what consumers see."),
    _gauge("stream_last_batch_seconds", _STREAM, "How long the last batch that ended took."),
    _gauge("stream_last_batch_memory_bytes", _STREAM, "The peak of memory of the last batch, where it was measured."),
    _counter("batches_total", (*_STREAM, "outcome"), "Batches that ended: merged, idle, failed or abandoned."),
    _counter("batch_seconds_total", _STREAM, "Time between start and end of the batches that ended."),
    _counter(
        "batch_rows_total",
        (*_STREAM, "action"),
        "Rows that batches read at the source, and inserted, updated and deleted in the merge database.",
    ),
    _gauge(
        "system_job_ok", (*_PLATFORM, "task"), "Whether the last run of a job of the system found all well: 1 or 0."
    ),
    _gauge("system_job_timestamp_seconds", (*_PLATFORM, "task"), "When a job of the system ended last; Unix time."),
    _gauge("access_changes", _PLATFORM, "Changes of roles, grants and logins that are remembered."),
    _gauge("database_connections", _PLATFORM, "Connections that the merge database's server has."),
    _gauge("database_connections_limit", _PLATFORM, "Connections that it allows to ordinary users."),
    _gauge("database_size_bytes", _PLATFORM, "What the merge database takes on disk."),
    _gauge("streams_due", _PLATFORM, "Streams that are due and not started, in this scheduler.", Source.PROCESS),
    _gauge("streams_running", _PLATFORM, "Streams that run in this scheduler.", Source.PROCESS),
    _gauge(
        "scheduler_heartbeat_timestamp_seconds",
        _PLATFORM,
        "When the scheduler looked at its timetable last; Unix time.",
        Source.PROCESS,
    ),
    _histogram("dispatch_lag_seconds", _PLATFORM, "From when a stream is due to when it is started.", _WAITS),
    _histogram("batch_duration_seconds", (*_PLATFORM, "outcome"), "How long runs of streams took.", _SECONDS),
    _histogram("batch_step_seconds", (*_PLATFORM, "step"), "How long the steps of batches took.", _SECONDS),
    _gauge(
        "pool_connections",
        _PLATFORM,
        "Connections to the merge database that this process has open.",
        Source.PROCESS,
    ),
)
"""Every metric, in the order of the reference. The official client adds `process_…` and `python_…` of the process."""

_BY_NAME = {metric.name: metric for metric in METRICS}


def metric(name: str) -> Metric:
    """Return a metric by its name.

    Raises:
        KeyError: there is none of that name.
    """
    return _BY_NAME[name]
