"""OpenLineage run events, by the official client, to wherever its own variables say.

A run is a batch: its id follows from platform, stream and number, so that what a process that was killed left open is
ended by the one that goes on with it.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from datasurface.errors import ConfigurationError, MissingExtraError
from datasurface.runtime.telemetry.base import Exporter
from datasurface.runtime.telemetry.events import BatchFinished, BatchStarted, Event, Subject
from datasurface.runtime.telemetry.parents import Parent, parent_of, root_of
from datasurface.secrets.masking import remember

if TYPE_CHECKING:
    from openlineage.client.event_v2 import RunEvent, RunState

__all__ = ["FACTORY", "OpenLineageExporter", "job_name", "job_namespace", "run_id"]

_SPACE = uuid.UUID("6f1c8f1e-52a5-5f0e-9d1c-0c8e3f0d6a11")
_STATES = {
    "merged": "COMPLETE",
    "idle": "COMPLETE",
    "failed": "FAIL",
    "unreachable": "FAIL",
    "parked": "ABORT",
    "abandoned": "ABORT",
    "waiting": "OTHER",
}
"""Of a batch that waits for a lock the run goes on: the next attempt merges it."""


class OpenLineageExporter:
    """Sends an event at the beginning and at the end of each batch.

    Args:
        environ: The variables.

    Raises:
        MissingExtraError: the client is not installed.
        ConfigurationError: its variables do not make sense.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        try:
            from openlineage.client import OpenLineageClient  # noqa: PLC0415 - an extra
        except ImportError:
            raise MissingExtraError("lineage events for OpenLineage", "openlineage") from None
        remember([environ.get("OPENLINEAGE_API_KEY")])
        logging.getLogger("openlineage").addHandler(logging.NullHandler())
        logging.getLogger("openlineage").propagate = False
        try:
            self._client = OpenLineageClient()
        except Exception as error:
            raise ConfigurationError(f"OpenLineage's client cannot be configured: {error}") from error
        self._namespace = environ.get("OPENLINEAGE_NAMESPACE")
        self._parent = parent_of(environ)
        self._root = root_of(environ)

    def export(self, events: Sequence[Event]) -> None:
        """Send the events of batches; what the client raises goes on to the caller."""
        for event in events:
            made = self._event(event)
            if made is not None:
                self._client.emit(made)

    def close(self) -> None:
        """Let the transport send what it holds."""
        self._client.close(2.0)

    def _event(self, event: Event) -> RunEvent | None:
        from openlineage.client.event_v2 import RunState  # noqa: PLC0415 - an extra

        if isinstance(event, BatchStarted) and event.subject.batch_id is not None:
            return self._made(event, RunState.START)
        if isinstance(event, BatchFinished) and event.subject.batch_id is not None and event.outcome in _STATES:
            return self._made(event, RunState[_STATES[event.outcome]])
        return None

    def _made(self, event: BatchStarted | BatchFinished, state: RunState) -> RunEvent:
        from openlineage.client.event_v2 import Job, Run, RunEvent  # noqa: PLC0415 - an extra

        from datasurface.runtime.telemetry.lineage_datasets import inputs_of, outputs_of  # noqa: PLC0415 - as above
        from datasurface.runtime.telemetry.lineage_facets import PRODUCER, job_facets, run_facets  # noqa: PLC0415

        subject = event.subject
        finished = event if isinstance(event, BatchFinished) else None
        namespace = self._namespace or job_namespace(subject)
        return RunEvent(
            eventType=state,
            eventTime=event.at.isoformat(),
            run=Run(run_id(namespace, subject), run_facets(subject, finished, self._parents())),
            job=Job(namespace=namespace, name=job_name(subject), facets=job_facets(subject.job)),
            inputs=inputs_of(subject, finished),
            outputs=outputs_of(subject, finished),
            producer=PRODUCER,
        )

    def _parents(self) -> tuple[Parent | None, Parent | None]:
        return self._parent, self._root


def job_namespace(subject: Subject) -> str:
    """Return the namespace of an ecosystem's jobs: `datasurface.acme.prod`; `OPENLINEAGE_NAMESPACE` goes before."""
    platform = subject.platform
    return ".".join(part for part in ("datasurface", platform.ecosystem, platform.environment or "") if part)


def job_name(subject: Subject) -> str:
    """Return the name of a stream's job: `yellow.crm`."""
    return f"{subject.platform.name}.{subject.job.stream}"


def run_id(namespace: str, subject: Subject) -> str:
    """Return the id of a batch's run: the same for whoever works on it."""
    parts = (namespace, job_name(subject), subject.platform.epoch, str(subject.batch_id))
    return str(uuid.uuid5(_SPACE, "\n".join(parts)))


class _Factory:
    """How the exporter is found and opened."""

    variables = (
        "OPENLINEAGE_URL",
        "OPENLINEAGE_CONFIG",
        "OPENLINEAGE__TRANSPORT",
        "OPENLINEAGE__TRANSPORT__TYPE",
    )

    def open(self, environ: Mapping[str, str]) -> Exporter:
        """Return the exporter.

        Raises:
            ConfigurationError: no variable says where to; the client would write to standard output.
        """
        if not any(environ.get(name) for name in self.variables):
            raise ConfigurationError(
                "nothing says where OpenLineage's events go", hint=f"set one of {', '.join(self.variables)}"
            )
        return OpenLineageExporter(environ)


FACTORY = _Factory()
