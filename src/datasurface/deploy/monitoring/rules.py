"""The alerts as data: when each fires, how bad it is, what it means and what to do. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from datasurface.deploy.monitoring.queries import FOREIGN, Scope

__all__ = ["Alert", "Severity", "alerts"]


class Severity(StrEnum):
    """How soon somebody has to look."""

    CRITICAL = "critical"
    """Now: consumers of production data are without it, or nothing runs."""
    WARNING = "warning"
    """Today."""
    INFO = "info"
    """When there is time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert.

    Attributes:
        name: In CamelCase, with `DataSurface` at its head.
        query: PromQL; it fires for each series that this gives.
        lasting: How long it has to be so, as Prometheus writes durations.
        summary: In one line, with Prometheus' `{{ $labels.… }}`.
        means: What it means.
        remedy: What to do.
    """

    name: str
    query: str
    lasting: str
    severity: Severity
    summary: str
    means: str
    remedy: str


_STREAM = "Stream {{ $labels.stream }} of platform {{ $labels.platform }}"
_PLATFORM = "Platform {{ $labels.platform }}"
_OTHERS = 'task!~"audit|security"'
_RETENTION = 'task="retention"'
_JOIN = "on(environment, platform, stream) group_left(zone, team, owner, production)"


def alerts(scope: Scope, platforms: Sequence[tuple[str, str]], *, volumes: str = "") -> tuple[Alert, ...]:
    """Return all alerts.

    Args:
        scope: Which series they are about.
        platforms: The environments and names of the platforms that have to be there.
        volumes: The namespace of the merge database's volumes; empty if they are not in the cluster.
    """
    found = [
        *_of_streams(scope),
        *_of_platforms(scope),
        *_of_databases(scope),
        *(_absent(environment, platform) for environment, platform in platforms),
    ]
    return (*found, _disk(volumes)) if volumes else tuple(found)


def _of_streams(scope: Scope) -> Iterator[Alert]:
    lag, limit = scope.series("stream_lag_seconds"), scope.series("stream_lag_limit_seconds")
    for production, severity in (("true", Severity.CRITICAL), ("false", Severity.WARNING)):
        info = scope.series("stream_info", f'production="{production}"')
        yield Alert(
            name="DataSurfaceStreamLate" if production == "false" else "DataSurfaceProductionStreamLate",
            query=f"({lag} > {limit}) * {_JOIN} {info}",
            lasting="5m",
            severity=severity,
            summary=_STREAM + " is {{ $value | humanizeDuration }} behind its source",
            means="What consumers see is older than the stream's schedule and their latency allow.",
            remedy="`datasurface explain STREAM` says why it does not run; `datasurface history STREAM` what became of "
            "its batches.",
        )
    yield Alert(
        name="DataSurfaceBatchesFail",
        query=_state(scope, "failed"),
        lasting="15m",
        severity=Severity.WARNING,
        summary=_STREAM + " fails",
        means="Its last batch failed and no later one has succeeded; consumers see what they saw before.",
        remedy="`datasurface history STREAM` tells the error. Correct the source, the secret or the model; the next "
        "run starts clean.",
    )
    yield Alert(
        name="DataSurfaceBatchParked",
        query=_state(scope, "parked"),
        lasting="0m",
        severity=Severity.WARNING,
        summary=_STREAM + " is parked by its guard or a check",
        means="A batch would delete more than its guard allows, or a check fails: it was not published.",
        remedy="`datasurface history STREAM` tells the reason. `datasurface accept STREAM` publishes it as it was "
        "read; a corrected source is published by the next run.",
    )
    yield Alert(
        name="DataSurfaceBatchInterrupted",
        query=_state(scope, "interrupted"),
        lasting="30m",
        severity=Severity.WARNING,
        summary=_STREAM + " was interrupted and nothing has gone on with it",
        means="The process of its last batch was ended, and no other has been started.",
        remedy="Nothing has to be repaired: start the scheduler, or `datasurface run --once --stream STREAM`.",
    )
    yield Alert(
        name="DataSurfaceStreamNeverRead",
        query=_state(scope, "never"),
        lasting="1h",
        severity=Severity.WARNING,
        summary=_STREAM + " has never been read",
        means="It is in the active release, and nothing has run it yet: its consumers' views are empty.",
        remedy="`datasurface explain STREAM` says what it waits for.",
    )
    yield Alert(
        name="DataSurfaceStreamOverdue",
        query=f"{scope.series('stream_overdue_seconds')} > 600",
        lasting="5m",
        severity=Severity.WARNING,
        summary=_STREAM + " is due since {{ $value | humanizeDuration }} and does not run",
        means="Its schedule says that it should have been started.",
        remedy="See whether the scheduler runs, has free workers or slots, and is not paused: `datasurface explain "
        "STREAM`.",
    )
    yield Alert(
        name="DataSurfaceChecksFail",
        query=f"{scope.series('stream_failing_checks')} > 0",
        lasting="5m",
        severity=Severity.INFO,
        summary=_STREAM + " was published although {{ $value }} of its checks fail",
        means="Checks that only warn fail for what consumers see.",
        remedy="`datasurface status` names them and says how many rows are wrong; tell the producer.",
    )


def _of_platforms(scope: Scope) -> Iterator[Alert]:
    overdue = scope.series("stream_overdue_seconds")
    yield Alert(
        name="DataSurfaceNothingRuns",
        query=f"count by (environment, platform) ({overdue} > 300) "
        f"/ count by (environment, platform) ({overdue}) > 0.5",
        lasting="5m",
        severity=Severity.CRITICAL,
        summary=_PLATFORM + ": more than half of all streams are overdue",
        means="The scheduler, whichever it is, starts too little or nothing.",
        remedy="Look after `datasurface run`, or after Airflow's scheduler and its pools, or the CronJobs.",
    )
    yield Alert(
        name="DataSurfaceNoHeartbeat",
        query=f"time() - {scope.series('scheduler_heartbeat_timestamp_seconds')} > 60",
        lasting="1m",
        severity=Severity.CRITICAL,
        summary=_PLATFORM + ": its scheduler has not looked at its timetable for {{ $value | humanizeDuration }}",
        means="The process of `datasurface run` lives, but its loop hangs.",
        remedy="Keep its log, then start it anew; batches that were interrupted are gone on with.",
    )
    yield Alert(
        name="DataSurfaceReleasePending",
        query=f"{scope.series('release_pending')} == 1",
        lasting="30m",
        severity=Severity.WARNING,
        summary=_PLATFORM + ": a release that was published does not become active",
        means="The environment's rule selects a release that is refused, blocked, or not applied by anything.",
        remedy="`datasurface status` says which one waits and why.",
    )
    yield Alert(
        name="DataSurfaceAuditFails",
        query=f"{_task(scope, 'audit')} == 0",
        lasting="5m",
        severity=Severity.CRITICAL,
        summary=_PLATFORM + ": the last audit found differences, or could not be made",
        means="What consumers see may not equal the source.",
        remedy="`datasurface audit` shows the keys that differ; `datasurface resnapshot STREAM` reads all again.",
    )
    yield Alert(
        name="DataSurfaceSecurityDrift",
        query=f"{_task(scope, 'security')} == 0",
        lasting="30m",
        severity=Severity.WARNING,
        summary=_PLATFORM + ": roles and grants are not as the model says",
        means="What somebody changed could not be put right, or a change is unsafe and waits for consent.",
        remedy="`datasurface security plan` shows what differs; `datasurface security sync --unsafe` consents.",
    )
    access, activated = scope.series("access_changes"), scope.series("release_activated_timestamp_seconds")
    yield Alert(
        name="DataSurfaceAccessChanged",
        query=f"(delta({access}[1h]) > 0) unless on(environment, platform) (changes({activated}[1h]) > 0)",
        lasting="0m",
        severity=Severity.INFO,
        summary=_PLATFORM + ": roles or grants were changed, and not by a release",
        means="Passwords were rotated, readers' time has come to its end, or somebody changed access by hand and it "
        "was put right.",
        remedy="The table `access_changes` tells what was changed and by whom.",
    )
    yield Alert(
        name="DataSurfaceSystemTaskFails",
        query=f"{scope.series('system_job_ok', _OTHERS)} == 0",
        lasting="1h",
        severity=Severity.WARNING,
        summary=_PLATFORM + ": its task {{ $labels.task }} fails",
        means="A task of the system does not come to a good end: releases are not applied, or nothing is forgotten.",
        remedy="Its log, in Airflow or of its CronJob, tells the error.",
    )
    yield Alert(
        name="DataSurfaceSystemTaskMissing",
        query=f"time() - {scope.series('system_job_timestamp_seconds', _RETENTION)} > 259200",
        lasting="1h",
        severity=Severity.WARNING,
        summary=_PLATFORM + ": its task {{ $labels.task }} has not run for {{ $value | humanizeDuration }}",
        means="The ledger grows, and what has to be forgotten is kept.",
        remedy="See whether its DAG is paused, or its CronJob suspended.",
    )


def _of_databases(scope: Scope) -> Iterator[Alert]:
    yield Alert(
        name="DataSurfaceDatabaseOut",
        query=f"{scope.series('platform_up')} == 0",
        lasting="2m",
        severity=Severity.CRITICAL,
        summary=_PLATFORM + ": its merge database is out of reach",
        means="No batch can be merged, and consumers cannot read.",
        remedy="`datasurface doctor` checks the way to it. Interrupted batches are gone on with by themselves.",
    )
    connections, limit = scope.series("database_connections"), scope.series("database_connections_limit")
    yield Alert(
        name="DataSurfaceConnectionsNearlyUsed",
        query=f"{connections} / {limit} > 0.8",
        lasting="10m",
        severity=Severity.WARNING,
        summary=_PLATFORM + ": {{ $value | humanizePercentage }} of its database's connections are used",
        means="Soon batches and consumers are refused.",
        remedy="Raise max_connections, put a pooler before it, or lower `connections` and the parallelism of jobs.",
    )
    size = scope.series("database_size_bytes")
    yield Alert(
        name="DataSurfaceDatabaseGrows",
        query=f"predict_linear({size}[6h], 86400) > 1.5 * {size} and {size} > 1e9",
        lasting="1h",
        severity=Severity.WARNING,
        summary=_PLATFORM + ": its database, now {{ $value | humanize1024 }}B in a day, grows by more than half a day",
        means="History or deltas grow faster than expected: a source changes every row, or a key is wrong.",
        remedy="The metric of rows by stream shows which; see `retention`, `keep_batches` and the stream's key.",
    )


def _absent(environment: str, platform: str) -> Alert:
    selector = Scope((f'environment="{environment}"', f'platform="{platform}"')).series("platform_up")
    return Alert(
        name="DataSurfaceExporterAbsent",
        query=f"absent({selector})",
        lasting="10m",
        severity=Severity.CRITICAL,
        summary=f"Platform {platform}: nothing exports its metrics",
        means="`datasurface metrics` or `datasurface run --metrics-port` does not run or is not scraped: no other "
        "alert of this platform can fire.",
        remedy="Start it, and see Prometheus' targets.",
    )


def _disk(namespace: str) -> Alert:
    available, capacity = sorted(FOREIGN)
    where = f'{{namespace="{namespace}"}}'
    return Alert(
        name="DataSurfaceDiskNearlyFull",
        query=f"{available}{where} / {capacity}{where} < 0.1",
        lasting="10m",
        severity=Severity.CRITICAL,
        summary="Volume {{ $labels.persistentvolumeclaim }} is full but for {{ $value | humanizePercentage }}",
        means="The merge database stops when it is full.",
        remedy="Enlarge the volume claim; then see which stream grows.",
    )


def _state(scope: Scope, state: str) -> str:
    found = scope.series("stream_state", f'state="{state}"')
    return f"{found} * {_JOIN} {scope.series('stream_info')}"


def _task(scope: Scope, task: str) -> str:
    return scope.series("system_job_ok", f'task="{task}"')
