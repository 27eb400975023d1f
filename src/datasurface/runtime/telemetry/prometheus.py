"""Metrics for Prometheus, by its official client: platforms from their merge databases, this process by its events.

A scrape that finds a merge database out of reach says so in `datasurface_platform_up`, and serves the rest.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from datasurface import __version__
from datasurface.errors import ConfigurationError, DataSurfaceError, MissingExtraError
from datasurface.runtime.telemetry.events import BatchFinished, Event, StreamDispatched
from datasurface.runtime.telemetry.metrics import METRICS, Kind, Metric
from datasurface.runtime.telemetry.paths import only_metrics
from datasurface.runtime.telemetry.pulse import Pulse
from datasurface.runtime.telemetry.samples import Sample, platform_samples
from datasurface.runtime.telemetry.state import PlatformReader, PlatformState

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Histogram
    from prometheus_client.metrics_core import Metric as Family

__all__ = ["PlatformSource", "PrometheusExporter"]

_LOGGER = logging.getLogger("datasurface.telemetry")
_KEPT = 5.0
"""Seconds for which what was read of a platform answers further scrapes."""
_PREFIX = "datasurface_"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformSource:
    """Where the metrics of a platform come from.

    Attributes:
        reader: Reads its own tables.
        pulse: Its scheduler in this process; None if there is none.
    """

    reader: PlatformReader
    pulse: Pulse | None = None

    @property
    def where(self) -> tuple[str, str]:
        """Its environment and name, as labels."""
        return (self.reader.environment, self.reader.platform)


class PrometheusExporter:
    """Everything that is exported to Prometheus by one process.

    Args:
        process: Whether this process runs batches, so that its own metrics are worth something.

    Raises:
        MissingExtraError: the official client is not installed.
    """

    def __init__(self, *, process: bool) -> None:
        client = _client()
        self._registry: CollectorRegistry = client.CollectorRegistry()
        self._registry.register(_Collector(self))
        self._environments: dict[str, str] = {}
        self._sources: list[PlatformSource] = []
        self._reads: dict[tuple[str, str], _Read] = {}
        self._servers: list[tuple[Any, threading.Thread]] = []
        self._histograms: dict[str, Histogram] = {}
        if process:
            client.ProcessCollector(registry=self._registry)
            client.GCCollector(registry=self._registry)
            for declared in METRICS:
                if declared.kind is Kind.HISTOGRAM:
                    self._histograms[declared.name] = client.Histogram(
                        declared.name,
                        declared.help,
                        declared.labels,
                        buckets=declared.buckets,
                        registry=self._registry,
                    )

    def add(self, source: PlatformSource) -> None:
        """Export the metrics of a platform too."""
        self._environments[source.reader.platform] = source.reader.environment
        self._reads[source.where] = _Read(source.reader)
        self._sources.append(source)

    def text(self) -> str:
        """Return all metrics in Prometheus' text format."""
        text: bytes = _client().generate_latest(self._registry)
        return text.decode()

    def serve(self, address: str, port: int) -> int:
        """Serve `/metrics` in threads of their own, until `close`; return the port.

        Raises:
            ConfigurationError: nothing can listen there.
        """
        try:
            server, thread = _client().start_http_server(port, address, registry=self._registry)
        except (OSError, OverflowError) as error:
            raise ConfigurationError(f"metrics cannot be served at {address}:{port}: {error}") from error
        server.set_app(only_metrics(server.get_app()))
        self._servers.append((server, thread))
        return int(server.server_port)

    def export(self, events: Sequence[Event]) -> None:
        """Count what happened."""
        for event in events:
            if isinstance(event, BatchFinished):
                self._batch(event)
            elif isinstance(event, StreamDispatched):
                where = (self._environments.get(event.platform, ""), event.platform)
                self._observe("dispatch_lag_seconds", where, event.waited)

    def close(self) -> None:
        """Stop serving."""
        for server, thread in self._servers:
            server.shutdown()
            server.server_close()
            thread.join(5)
        self._servers.clear()

    def _batch(self, event: BatchFinished) -> None:
        platform = event.subject.platform
        where = (platform.environment or "", platform.name)
        self._observe("batch_duration_seconds", (*where, event.outcome), event.seconds)
        for step in event.steps:
            self._observe("batch_step_seconds", (*where, step.name), step.seconds)

    def _observe(self, name: str, labels: tuple[str, ...], value: float) -> None:
        found = self._histograms.get(_PREFIX + name)
        if found is not None:
            found.labels(*labels).observe(value)

    def samples(self) -> Iterator[Sample]:
        """Yield what platforms and schedulers say at this moment."""
        yield Sample("build_info", (__version__,), 1)
        for source in self._sources:
            state, seconds = self._reads[source.where].get()
            yield from platform_samples(*source.where, state, seconds)
            if source.pulse is not None:
                yield from _scheduler(source.where, source.pulse)
                yield Sample("pool_connections", source.where, source.reader.connections)


def _scheduler(where: tuple[str, str], pulse: Pulse) -> Iterator[Sample]:
    yield Sample("streams_due", where, pulse.due)
    yield Sample("streams_running", where, pulse.running)
    if pulse.looked_at is not None:
        yield Sample("scheduler_heartbeat_timestamp_seconds", where, pulse.looked_at.timestamp())


class _Read:
    """What was read of a platform, for a few seconds; one thread at a time reads."""

    def __init__(self, reader: PlatformReader) -> None:
        self._reader = reader
        self._lock = threading.Lock()
        self._at = float("-inf")
        self._state: PlatformState | None = None
        self._seconds = 0.0
        self._told = False

    def get(self) -> tuple[PlatformState | None, float]:
        with self._lock:
            began = time.monotonic()
            if began - self._at > _KEPT:
                self._state = self._look()
                self._at = time.monotonic()
                self._seconds = self._at - began
            return self._state, self._seconds

    def _look(self) -> PlatformState | None:
        try:
            state = self._reader.read()
        except DataSurfaceError as error:
            if not self._told:
                _LOGGER.warning("metrics of platform %s: %s", self._reader.platform, error.message)
            self._told = True
            return None
        self._told = False
        return state


class _Collector:
    """What the client asks for metrics that are not counted but looked up."""

    def __init__(self, exporter: PrometheusExporter) -> None:
        self._exporter = exporter

    def describe(self) -> Iterable[Family]:
        """Return nothing, so that registering does not look anything up."""
        return ()

    def collect(self) -> Iterator[Family]:
        """Yield the families of what was looked up, in the order in which they are declared."""
        found: dict[str, list[Sample]] = {}
        for sample in self._exporter.samples():
            found.setdefault(_PREFIX + sample.metric, []).append(sample)
        for declared in METRICS:
            if declared.name in found:
                yield _family(declared, found[declared.name])


def _family(declared: Metric, samples: Iterable[Sample]) -> Family:
    from prometheus_client import core  # noqa: PLC0415 - an extra

    kind = core.CounterMetricFamily if declared.kind is Kind.COUNTER else core.GaugeMetricFamily
    family = kind(declared.name, declared.help, labels=declared.labels)
    for sample in samples:
        family.add_metric(sample.labels, sample.value)
    return family


def _client() -> Any:
    try:
        import prometheus_client  # noqa: PLC0415 - an extra
    except ImportError:
        raise MissingExtraError("metrics for Prometheus", "prometheus") from None
    return prometheus_client
