"""The pages of the documentation that are made from what the code declares: metrics with alerts, and retention.

`python -m datasurface.deploy.monitoring.reference metrics > docs/reference/metrics.md`, likewise `retention`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping

from datasurface.deploy.monitoring.queries import Scope
from datasurface.deploy.monitoring.rules import Alert, alerts
from datasurface.runtime.retention import KEPT
from datasurface.runtime.telemetry.limits import TOLERATED
from datasurface.runtime.telemetry.metrics import METRICS, Metric, Source

__all__ = ["PAGES", "metrics_page", "retention_page"]

_HEAD = """# Metrics and alerts

This page is made from the code; [how to use it](../how-to/monitor.md).

Every name begins with `datasurface_`. `environment` and `platform` name the platform, `environment` is empty for a
model that none binds. Cardinality is bounded: at most {stream} series for each stream and {platform} for each platform,
besides the histograms, which have no label `stream`. Batches, rows, errors and users' values are never labels.

Scrape a platform once: `datasurface run --metrics-port`, or `datasurface metrics --port` where something else
schedules. Two exporters of one platform give every series twice, and the joins below refuse that.
"""
_JOIN = """Governance is in one metric, to be joined to others:

```
datasurface_stream_lag_seconds
  * on(environment, platform, stream) group_left(team, owner, production, classifications) datasurface_stream_info
```
"""
_LATE = """A stream is late when `datasurface_stream_lag_seconds` is over `datasurface_stream_lag_limit_seconds`: the
longest of one and a half intervals of its schedule, an interval and a minute, and what the tightest `latency` of its
consumers tolerates: {tolerated}. Streams without a schedule have no limit.
"""
_ALERTS = """## Alerts

`datasurface deploy monitoring -e ENVIRONMENT -o DIR` writes them for an environment. Those of streams carry `zone`,
`team`, `owner` and `production`, so that they can be routed to whom the stream belongs to.
"""
_RETENTION = """# What is kept how long

This page is made from the code. Everything that grows is bounded; what is not listed does not grow.

Airflow's own history is cut by its system DAG, logs of pods and of CloudWatch by their settings: `Airflow(history=…)`,
`Kubernetes(log_days=…)`, `Aws(keep_logs=…)`.

| what | where | how long | what forgets it |
|---|---|---|---|
"""


def metrics_page() -> str:
    """Return the page about metrics and alerts."""
    tolerated = ", ".join(f"{latency.value} {_seconds(seconds)}" for latency, seconds in TOLERATED.items())
    parts = [
        _HEAD.format(stream=_number("stream"), platform=_number("platform")),
        *_tables(),
        _JOIN,
        _LATE.format(tolerated=tolerated),
        _ALERTS,
        *(_alert(alert) for alert in _all_alerts()),
    ]
    return "\n".join(parts)


def retention_page() -> str:
    """Return the page about retention."""
    return _RETENTION + "".join(f"| {k.what} | {k.where} | {k.how_long} | {k.by} |\n" for k in KEPT)


def _tables() -> Iterator[str]:
    for source, title in (
        (Source.PLATFORM, "Of platforms: `run --metrics-port` and `metrics`, read from the merge database"),
        (Source.PROCESS, "Of the scheduler: `run --metrics-port` only"),
    ):
        rows = [_row(metric) for metric in METRICS if metric.source is source]
        yield f"## {title}\n\n| metric | kind | labels | is |\n|---|---|---|---|\n" + "".join(rows)
    yield "The official client adds `process_…` (memory, CPU, open files) and `python_gc_…` of the process.\n"


def _row(metric: Metric) -> str:
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    return f"| `{metric.name}` | {metric.kind.value} | {labels} | {metric.help} |\n"


def _number(label: str) -> int:
    """Return how many series there are at most for each value of a label, histograms left out."""
    fan = {"outcome": 4, "action": 4, "task": 5, "release": 1}
    found = 0
    for metric in METRICS:
        about = "stream" if "stream" in metric.labels else "platform" if "platform" in metric.labels else ""
        if about == label and not metric.buckets:
            more = [fan.get(name, 1) for name in metric.labels]
            found += max(more) * (2 if metric.name.endswith("release_info") else 1)
    return found


def _all_alerts() -> Iterable[Alert]:
    return alerts(Scope(), [("prod", "yellow")], volumes="datasurface")


def _alert(alert: Alert) -> str:
    remedy = f"What to do: {alert.remedy}"
    return f"### {alert.name}\n\n{alert.severity}, after {alert.lasting}. {alert.means} {remedy}\n\n    {alert.query}\n"


def _seconds(seconds: float) -> str:
    for size, name in ((604800.0, "week"), (86400.0, "day"), (3600.0, "hour"), (60.0, "minute")):
        if seconds >= size:
            return f"a {name}" if name != "hour" else "an hour"
    return f"{seconds:.0f} seconds"


PAGES: Mapping[str, Callable[[], str]] = {"metrics": metrics_page, "retention": retention_page}


if __name__ == "__main__":
    sys.stdout.write(PAGES[sys.argv[1]]())
