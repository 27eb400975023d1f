"""Traces and logs by OTLP over HTTP, with OpenTelemetry's SDK and its own variables.

A batch is a span, its steps are the children. Spans are made when the batch has ended, from what was told of it, so a
batch waits for nothing; the trace goes on where `TRACEPARENT` says.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from datasurface import __version__
from datasurface.errors import MissingExtraError
from datasurface.runtime.telemetry.attributes import batch_attributes, step_attributes
from datasurface.runtime.telemetry.base import Exporter
from datasurface.runtime.telemetry.events import BatchFinished, Event, LogLine
from datasurface.runtime.telemetry.trace import Trace
from datasurface.secrets.masking import remember

if TYPE_CHECKING:
    from opentelemetry.sdk._logs import ReadableLogRecord
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import SpanContext

__all__ = ["FACTORY", "OtelExporter"]

_BAD = frozenset({"failed", "unreachable", "parked"})
_SERVICE = "datasurface"
_SEVERITIES = {logging.DEBUG: 5, logging.INFO: 9, logging.WARNING: 13, logging.ERROR: 17, logging.CRITICAL: 21}


class OtelExporter:
    """Sends spans and log records; each kind may be switched off as OpenTelemetry has it.

    Args:
        environ: The variables.

    Raises:
        MissingExtraError: the SDK or its exporter is not installed.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        try:
            from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter  # noqa: PLC0415 - an extra
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
            from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
            from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
            from opentelemetry.sdk.util.instrumentation import InstrumentationScope  # noqa: PLC0415
        except ImportError:
            raise MissingExtraError("telemetry by OpenTelemetry", "otel") from None
        _keep_quiet(environ)
        self.wants_logs = environ.get("OTEL_LOGS_EXPORTER", "otlp") != "none"
        traces = environ.get("OTEL_TRACES_EXPORTER", "otlp") != "none"
        self._spans = OTLPSpanExporter() if traces else None
        self._logs = OTLPLogExporter() if self.wants_logs else None
        self._resource = Resource.create(_service(environ))
        self._scope = InstrumentationScope(_SERVICE, __version__)
        self._sampler = TracerProvider(shutdown_on_exit=False).sampler

    def export(self, events: Sequence[Event]) -> None:
        """Send the spans of batches that have ended, and the lines of the log.

        Raises:
            OSError: the collector does not take them.
        """
        spans = [span for event in events if isinstance(event, BatchFinished) for span in self._batch(event)]
        lines = [self._line(event) for event in events if isinstance(event, LogLine)] if self._logs else []
        sent = [
            self._spans.export(spans).value == 0 if self._spans is not None and spans else True,
            self._logs.export(lines).value == 0 if self._logs is not None and lines else True,
        ]
        if not all(sent):
            raise OSError("the collector at OTEL_EXPORTER_OTLP_ENDPOINT does not take what is sent")

    def close(self) -> None:
        """Let go of the connections."""
        for exporter in (self._spans, self._logs):
            if exporter is not None:
                exporter.shutdown()  # type: ignore[no-untyped-call] # the SDK's

    def _batch(self, event: BatchFinished) -> Iterator[ReadableSpan]:
        """Yield the span of a batch and those of its steps; nothing for one that is not sampled."""
        from opentelemetry.sdk.trace import ReadableSpan  # noqa: PLC0415 - an extra
        from opentelemetry.trace import SpanKind  # noqa: PLC0415
        from opentelemetry.trace.status import Status, StatusCode  # noqa: PLC0415

        own, parent = _contexts(event.subject.trace)
        name = f"batch {event.subject.job.stream}"
        if not self._is_sampled(event.subject.trace, parent, name):
            return
        bad = event.outcome in _BAD
        common: dict[str, Any] = {"resource": self._resource, "instrumentation_scope": self._scope}
        yield ReadableSpan(
            name=name,
            context=own,
            parent=parent,
            kind=SpanKind.INTERNAL,
            attributes=batch_attributes(event),
            status=Status(StatusCode.ERROR, event.error) if bad else Status(StatusCode.OK),
            start_time=_nanoseconds(event.started_at),
            end_time=_nanoseconds(event.started_at) + int(event.seconds * 1e9),
            **common,
        )
        for step in event.steps:
            begin = _nanoseconds(step.at)
            failed = bad and step is event.steps[-1]
            yield ReadableSpan(
                name=f"{step.name} {event.subject.job.stream}",
                context=_child(own),
                parent=own,
                kind=SpanKind.CLIENT,
                attributes=step_attributes(event, step),
                status=Status(StatusCode.ERROR, event.error) if failed else Status(StatusCode.UNSET),
                start_time=begin,
                end_time=begin + int(step.seconds * 1e9),
                **common,
            )

    def _is_sampled(self, trace: Trace, parent: SpanContext | None, name: str) -> bool:
        from opentelemetry.trace import NonRecordingSpan, set_span_in_context  # noqa: PLC0415 - an extra

        context = set_span_in_context(NonRecordingSpan(parent)) if parent is not None else None
        result = self._sampler.should_sample(context, int(trace.trace_id, 16), name)
        return bool(result.decision.is_sampled())  # type: ignore[no-untyped-call] # the SDK's

    def _line(self, line: LogLine) -> ReadableLogRecord:
        from opentelemetry._logs import LogRecord, SeverityNumber  # noqa: PLC0415 - an extra
        from opentelemetry.sdk._logs import ReadableLogRecord  # noqa: PLC0415
        from opentelemetry.trace import NonRecordingSpan, set_span_in_context  # noqa: PLC0415

        fields = dict(line.fields)
        trace_id, span_id = str(fields.pop("trace_id", "")), str(fields.pop("span_id", ""))
        attributes: dict[str, Any] = {f"datasurface.{name}": value for name, value in fields.items()}
        attributes["logger.name"] = line.logger
        if line.exception:
            attributes["exception.stacktrace"] = line.exception
        context = None
        if trace_id:
            own, _ = _contexts(Trace(trace_id=trace_id, span_id=span_id or "0" * 16))
            context = set_span_in_context(NonRecordingSpan(own))
        moment = _nanoseconds(line.at)
        record = LogRecord(
            timestamp=moment,
            observed_timestamp=moment,
            context=context,
            severity_text=line.level,
            severity_number=SeverityNumber(_SEVERITIES.get(line.severity, 9)),
            body=line.message,
            attributes=attributes,
        )
        return ReadableLogRecord(log_record=record, resource=self._resource, instrumentation_scope=self._scope)


def _contexts(trace: Trace) -> tuple[SpanContext, SpanContext | None]:
    """Return the context of a batch's own span, and that of who asked for it."""
    from opentelemetry.trace import SpanContext, TraceFlags  # noqa: PLC0415 - an extra

    number, flags = int(trace.trace_id, 16), TraceFlags(int(trace.sampled))
    own = SpanContext(number, int(trace.span_id, 16), is_remote=False, trace_flags=flags)
    if not trace.parent_id:
        return own, None
    return own, SpanContext(number, int(trace.parent_id, 16), is_remote=True, trace_flags=flags)


def _child(own: SpanContext) -> SpanContext:
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator  # noqa: PLC0415 - an extra
    from opentelemetry.trace import SpanContext  # noqa: PLC0415

    span = RandomIdGenerator().generate_span_id()
    return SpanContext(own.trace_id, span, is_remote=False, trace_flags=own.trace_flags)


def _service(environ: Mapping[str, str]) -> dict[str, str]:
    """Return who tells, unless the variables say otherwise."""
    named = "OTEL_SERVICE_NAME" in environ or "service.name=" in environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    return {"service.version": __version__} | ({} if named else {"service.name": _SERVICE})


def _keep_quiet(environ: Mapping[str, str]) -> None:
    """Let the SDK's own complaints not flood our log, and mask what its headers hold."""
    logging.getLogger("opentelemetry").addHandler(logging.NullHandler())
    logging.getLogger("opentelemetry").propagate = False
    for name, text in environ.items():
        if name.startswith("OTEL_EXPORTER_OTLP") and name.endswith("HEADERS"):
            remember([part.partition("=")[2].strip() for part in text.split(",")])


def _nanoseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000) * 1000


class _Factory:
    """How the exporter is found and opened."""

    variables = (
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
    )

    def open(self, environ: Mapping[str, str]) -> Exporter:
        """Return the exporter; one that does nothing if `OTEL_SDK_DISABLED` is set."""
        if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
            return _Disabled()
        return OtelExporter(environ)


class _Disabled:
    """Sends nothing."""

    def export(self, events: Sequence[Event]) -> None:
        """Ignore them."""

    def close(self) -> None:
        """Hold nothing."""


FACTORY = _Factory()
