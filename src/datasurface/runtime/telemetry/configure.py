"""Which exporters a process tells: those that `DATASURFACE_TELEMETRY` names, else those whose own variables are set."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import EntryPoint, entry_points

from datasurface.errors import ConfigurationError, DataSurfaceError
from datasurface.runtime.telemetry.base import ENTRY_POINTS, Exporter, ExporterFactory
from datasurface.runtime.telemetry.log_lines import telling
from datasurface.runtime.telemetry.telemetry import Telemetry

__all__ = ["VARIABLE", "exporters_of", "open_telemetry"]

_LOGGER = logging.getLogger("datasurface.telemetry")
VARIABLE = "DATASURFACE_TELEMETRY"
_NONE = "none"
_HINTS = ("OTEL_", "OPENLINEAGE_")
"""How the variables begin that ask for the exporters of this package; only then entry points are looked up."""


@contextmanager
def open_telemetry(
    environ: Mapping[str, str], *, short_lived: bool, more: Mapping[str, Exporter] | None = None
) -> Iterator[Telemetry]:
    """Open the exporters that the variables ask for; at the end what waits is sent, for a few seconds at most.

    Args:
        environ: The variables.
        short_lived: Whether this process was started to run one batch or a few, which then go on with the trace of
            `TRACEPARENT`.
        more: Exporters that were opened already, by name.

    Raises:
        MissingExtraError: an exporter that `DATASURFACE_TELEMETRY` names is not installed.
        ConfigurationError: it names one that does not exist, or its variables do not make sense.
    """
    parent = environ.get("TRACEPARENT") if short_lived else None
    telemetry = Telemetry({**exporters_of(environ), **(more or {})}, parent=parent)
    try:
        with telling(telemetry):
            yield telemetry
    finally:
        telemetry.close()


def exporters_of(environ: Mapping[str, str]) -> dict[str, Exporter]:
    """Return the exporters that the variables ask for, opened, by name."""
    asked = environ.get(VARIABLE, "").strip()
    if asked:
        names = [name.strip() for name in asked.split(",") if name.strip() not in ("", _NONE)]
        return {name: _factory(_point(name)).open(environ) for name in names}
    if not any(name.startswith(_HINTS) for name in environ):
        return {}
    return dict(_found(environ))


def _found(environ: Mapping[str, str]) -> Iterator[tuple[str, Exporter]]:
    """Yield the exporters whose variables are set; nobody asked us, so what hinders them is only said."""
    for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda point: point.name):
        factory = _factory(point)
        if not any(environ.get(name) for name in factory.variables):
            continue
        try:
            yield point.name, factory.open(environ)
        except DataSurfaceError as error:
            _LOGGER.warning("no telemetry to %s: %s; %s=none silences this", point.name, error.message, VARIABLE)


def _point(name: str) -> EntryPoint:
    points = {point.name: point for point in entry_points(group=ENTRY_POINTS)}
    if name not in points:
        raise ConfigurationError(
            f"{VARIABLE} names an exporter {name!r} that does not exist",
            hint=f"the installed ones are {', '.join(sorted(points))}; {_NONE} switches telemetry off",
        )
    return points[name]


def _factory(point: EntryPoint) -> ExporterFactory:
    factory: ExporterFactory = point.load()
    return factory
