"""The seam between what runs and who is told of it. Without exporters it costs a batch two random numbers."""

from __future__ import annotations

import time
from collections.abc import Mapping

from datasurface.runtime.telemetry.base import Exporter
from datasurface.runtime.telemetry.events import Event
from datasurface.runtime.telemetry.pipe import Pipe
from datasurface.runtime.telemetry.trace import Trace, new_trace

__all__ = ["OFF", "Telemetry"]

_PATIENCE = 5.0
"""Seconds that a process which ends waits for collectors."""


class Telemetry:
    """Who is told.

    Args:
        exporters: By name.
        parent: The `traceparent` of whoever asked for this process; None for a process that goes on by itself.

    Attributes:
        wants_logs: Whether anybody wants the log too.
    """

    def __init__(self, exporters: Mapping[str, Exporter], *, parent: str | None = None) -> None:
        self.wants_logs = any(getattr(exporter, "wants_logs", False) for exporter in exporters.values())
        self._pipes = [Pipe(name, exporter) for name, exporter in sorted(exporters.items())]
        self._parent = parent

    @property
    def on(self) -> bool:
        """Whether anybody is told."""
        return bool(self._pipes)

    def trace(self) -> Trace:
        """Return the trace of a new batch."""
        return new_trace(self._parent)

    def emit(self, event: Event) -> None:
        """Tell everybody; never waits and never raises."""
        for pipe in self._pipes:
            pipe.put(event)

    def close(self, *, patience: float = _PATIENCE) -> None:
        """Send what waits, and give up what is not sent within `patience` seconds."""
        until = time.monotonic() + patience
        for pipe in self._pipes:
            pipe.close(until)


OFF = Telemetry({})
"""Tells nobody."""
