"""What an exporter has to do. Found by entry point, group `datasurface.exporters`, so that others may add theirs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from datasurface.runtime.telemetry.events import Event

__all__ = ["ENTRY_POINTS", "Exporter", "ExporterFactory"]

ENTRY_POINTS = "datasurface.exporters"


class Exporter(Protocol):
    """Where events go. Called by one thread of its own, never by that of a batch.

    One that has an attribute `wants_logs` that is true gets the lines of the log too.
    """

    def export(self, events: Sequence[Event]) -> None:
        """Send events, in their order; whatever is raised is logged once and harms nothing."""
        ...

    def close(self) -> None:
        """Send what is left, and let go of what is held."""
        ...


class ExporterFactory(Protocol):
    """What an entry point names.

    Attributes:
        variables: The variables one of which is set where this exporter is wanted.
    """

    variables: Sequence[str]

    def open(self, environ: Mapping[str, str]) -> Exporter:
        """Return the exporter that the variables configure.

        Raises:
            MissingExtraError: what it needs is not installed.
            ConfigurationError: the variables do not make sense.
        """
        ...
