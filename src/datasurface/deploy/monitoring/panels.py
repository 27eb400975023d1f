"""The dashboards as data: what each panel asks and how it shows it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from datasurface.deploy.monitoring.queries import Scope

__all__ = ["Dashboard", "Panel", "Query", "Variable", "dashboards"]

_CHOSEN = ('platform=~"$platform"',)
_ONE = ('platform=~"$platform"', 'stream="$stream"')
_WINDOW = "[$__rate_interval]"


@dataclass(frozen=True, slots=True)
class Query:
    """A query, and how its series are called.

    Attributes:
        promql: What is asked.
        legend: Grafana's pattern for the names of its series.
    """

    promql: str
    legend: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One panel.

    Attributes:
        kind: Grafana's type: `stat`, `timeseries`, `table` or `state-timeline`.
        unit: As Grafana names it.
        width: Of 24 columns.
        height: In Grafana's rows.
        bad_from: From which value on it is red; None if no value is bad.
        help: What it tells, for the panel's corner.
    """

    title: str
    kind: str
    queries: Sequence[Query]
    unit: str = "short"
    width: int = 12
    height: int = 8
    bad_from: float | None = None
    help: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """Something that is chosen at the head of a dashboard.

    Attributes:
        name: As queries name it.
        series: The series whose label gives the values.
        several: Whether more than one may be chosen, and all.
    """

    name: str
    series: str
    several: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """One dashboard."""

    name: str
    title: str
    variables: Sequence[Variable]
    panels: Sequence[Panel]


def dashboards(scope: Scope, title: str) -> tuple[Dashboard, ...]:
    """Return the dashboards of what `scope` covers; `title` says what that is."""
    platform = Variable(name="platform", series=scope.series("platform_up"), several=True)
    stream = Variable(name="stream", series=scope.series("stream_info", *_CHOSEN), several=False)
    chosen = Scope((*scope.matchers, *_CHOSEN))
    return (
        Dashboard(
            name="overview",
            title=f"DataSurface: {title}",
            variables=[platform],
            panels=[*_counts(chosen), *_work(chosen), *_scheduler(chosen), *_database(chosen)],
        ),
        Dashboard(
            name="stream",
            title=f"DataSurface: one stream of {title}",
            variables=[platform, stream],
            panels=[*_stream(Scope((*scope.matchers, *_ONE)))],
        ),
    )


def _counts(scope: Scope) -> Iterator[Panel]:
    lag, limit = scope.series("stream_lag_seconds"), scope.series("stream_lag_limit_seconds")
    number = Query(f"count({scope.series('stream_info')})")
    yield Panel(title="Streams", kind="stat", queries=[number], width=4, height=4)
    yield _stat("Late", f"count({lag} > {limit}) or vector(0)", "Behind by more than schedule and latency allow.")
    for state in ("parked", "failed"):
        found = scope.series("stream_state", f'state="{state}"')
        yield _stat(state.capitalize(), f"count({found}) or vector(0)", "`datasurface history STREAM` says why.")
    overdue = scope.series("stream_overdue_seconds")
    yield _stat("Overdue", f"count({overdue} > 60) or vector(0)", "Due for more than a minute and not started.")
    down = scope.series("platform_up")
    yield _stat("Databases out of reach", f"count({down} == 0) or vector(0)", "Platforms without merge database.")
    yield Panel(
        title="Streams by state",
        kind="timeseries",
        queries=[Query(f"count by (state) ({scope.series('stream_state')})", "{{state}}")],
    )
    yield Panel(
        title="Lag against its limit, the ten worst",
        kind="timeseries",
        queries=[Query(f"topk(10, {lag} / {limit})", "{{platform}} {{stream}}")],
        unit="percentunit",
        bad_from=1,
        help="100 %: as old as schedule and latency allow.",
    )


def _stat(title: str, promql: str, text: str) -> Panel:
    return Panel(title=title, kind="stat", queries=[Query(promql)], width=4, height=4, bad_from=1, help=text)


def _work(scope: Scope) -> Iterator[Panel]:
    batches, rows = scope.series("batches_total"), scope.series("batch_rows_total")
    seconds = scope.series("batch_seconds_total")
    yield Panel(
        title="Batches a second, by outcome",
        kind="timeseries",
        queries=[Query(f"sum by (outcome) (rate({batches}{_WINDOW}))", "{{outcome}}")],
        unit="ops",
    )
    yield Panel(
        title="Rows a second, read and written",
        kind="timeseries",
        queries=[Query(f"sum by (action) (rate({rows}{_WINDOW}))", "{{action}}")],
        unit="rowsps",
    )
    yield Panel(
        title="Seconds a batch, on average",
        kind="timeseries",
        queries=[
            Query(
                f"sum by (platform) (rate({seconds}{_WINDOW})) / sum by (platform) (rate({batches}{_WINDOW}))",
                "{{platform}}",
            )
        ],
        unit="s",
    )
    last = scope.series("stream_last_batch_seconds")
    yield Panel(
        title="Longest last batches",
        kind="table",
        queries=[Query(f"topk(15, {last})")],
        unit="s",
    )
    memory = scope.series("stream_last_batch_memory_bytes")
    yield Panel(
        title="Largest memory of last batches",
        kind="table",
        queries=[Query(f"topk(15, {memory})")],
        unit="bytes",
    )
    by_team = f"count by (zone, team, production) ({scope.series('stream_info')})"
    yield Panel(title="Streams by team", kind="table", queries=[Query(by_team)])
    checks = scope.series("stream_failing_checks")
    yield Panel(title="Failing checks", kind="table", queries=[Query(f"{checks} > 0")], bad_from=1)


def _scheduler(scope: Scope) -> Iterator[Panel]:
    due, running = scope.series("streams_due"), scope.series("streams_running")
    yield Panel(
        title="Streams that are due and that run",
        kind="timeseries",
        queries=[Query(f"sum({due})", "due"), Query(f"sum({running})", "running")],
        help="Of `datasurface run`; where something else schedules, there is nothing here.",
    )
    waits = scope.series("dispatch_lag_seconds_bucket")
    yield Panel(
        title="From due to started, 95 %",
        kind="timeseries",
        queries=[Query(f"histogram_quantile(0.95, sum by (le, platform) (rate({waits}{_WINDOW})))", "{{platform}}")],
        unit="s",
    )
    steps = scope.series("batch_step_seconds_bucket")
    yield Panel(
        title="Steps of batches, 95 %",
        kind="timeseries",
        queries=[Query(f"histogram_quantile(0.95, sum by (le, step) (rate({steps}{_WINDOW})))", "{{step}}")],
        unit="s",
    )
    durations = scope.series("batch_duration_seconds_bucket")
    yield Panel(
        title="Runs by outcome, 95 %",
        kind="timeseries",
        queries=[Query(f"histogram_quantile(0.95, sum by (le, outcome) (rate({durations}{_WINDOW})))", "{{outcome}}")],
        unit="s",
    )


def _database(scope: Scope) -> Iterator[Panel]:
    connections, limit = scope.series("database_connections"), scope.series("database_connections_limit")
    yield Panel(
        title="Connections of the merge databases",
        kind="timeseries",
        queries=[
            Query(connections, "{{platform}}"),
            Query(limit, "{{platform}} at most"),
            Query(scope.series("pool_connections"), "{{platform}} of datasurface run"),
        ],
    )
    yield Panel(
        title="Size of the merge databases",
        kind="timeseries",
        queries=[Query(scope.series("database_size_bytes"), "{{platform}}")],
        unit="bytes",
    )
    yield Panel(
        title="Releases",
        kind="table",
        queries=[Query(scope.series("release_info"))],
        help="The active one, and the one that the environment's rule selects.",
    )
    yield Panel(
        title="Tasks of the system",
        kind="table",
        queries=[Query(f"time() - {scope.series('system_job_timestamp_seconds')}")],
        unit="s",
        help="How long ago each ended last.",
    )


def _stream(scope: Scope) -> Iterator[Panel]:
    yield Panel(title="What it is", kind="table", queries=[Query(scope.series("stream_info"))], width=24, height=5)
    yield Panel(
        title="State",
        kind="state-timeline",
        queries=[Query(scope.series("stream_state"), "{{state}}")],
        width=24,
        height=6,
    )
    yield Panel(
        title="Lag",
        kind="timeseries",
        queries=[
            Query(scope.series("stream_lag_seconds"), "lag"),
            Query(scope.series("stream_lag_limit_seconds"), "late from"),
            Query(scope.series("stream_overdue_seconds"), "overdue"),
        ],
        unit="s",
    )
    batches = f"sum by (outcome) (increase({scope.series('batches_total')}{_WINDOW}))"
    yield Panel(title="Batches", kind="timeseries", queries=[Query(batches, "{{outcome}}")])
    rows = f"sum by (action) (increase({scope.series('batch_rows_total')}{_WINDOW}))"
    yield Panel(title="Rows of its batches", kind="timeseries", queries=[Query(rows, "{{action}}")])
    yield Panel(
        title="Rows that consumers see", kind="timeseries", queries=[Query(scope.series("stream_rows"), "rows")]
    )
    last = scope.series("stream_last_batch_seconds")
    yield Panel(title="Seconds of its last batch", kind="timeseries", queries=[Query(last, "seconds")], unit="s")
    memory = scope.series("stream_last_batch_memory_bytes")
    yield Panel(title="Memory of its last batch", kind="timeseries", queries=[Query(memory, "peak")], unit="bytes")
