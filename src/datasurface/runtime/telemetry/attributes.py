"""What spans say of batches and their steps: OpenTelemetry's names for databases, our own for the rest. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from datasurface.release.job import JobSpec
from datasurface.runtime.telemetry.containers import Known, known
from datasurface.runtime.telemetry.events import BatchFinished, StepDone

__all__ = ["batch_attributes", "governance", "step_attributes"]

_Value = str | bool | int | float | Sequence[str]
_READS = "stage"
"""The step that reads the source; all others are work in the merge database."""


def batch_attributes(event: BatchFinished) -> Mapping[str, _Value]:
    """Return the attributes of a batch's span."""
    subject, counts = event.subject, event.counts
    platform = subject.platform
    found: dict[str, _Value | None] = {
        "datasurface.ecosystem": platform.ecosystem,
        "datasurface.environment": platform.environment,
        "datasurface.platform": platform.name,
        "datasurface.stream": subject.job.stream,
        "datasurface.batch": subject.batch_id,
        "datasurface.release": subject.release,
        "datasurface.process": subject.owner,
        "datasurface.outcome": event.outcome,
        "datasurface.rows.read": counts.rows_read,
        "datasurface.rows.inserted": counts.inserted,
        "datasurface.rows.updated": counts.updated,
        "datasurface.rows.deleted": counts.deleted,
        "datasurface.lag_seconds": event.lag,
        "datasurface.warnings": list(event.warnings) or None,
        **governance(subject.job),
        **_database(known(platform.container, platform.ecosystem)),
    }
    return {name: value for name, value in found.items() if value is not None}


def step_attributes(event: BatchFinished, step: StepDone) -> Mapping[str, _Value]:
    """Return the attributes of a step's span: what it does, and in which database."""
    subject = event.subject
    container = subject.job.source if step.name == _READS else subject.platform.container
    found: dict[str, _Value | None] = {
        "datasurface.stream": subject.job.stream,
        "datasurface.batch": subject.batch_id,
        "datasurface.step": step.name,
        **_database(known(container, subject.platform.ecosystem)),
    }
    return {name: value for name, value in found.items() if value is not None}


def governance(job: JobSpec) -> Mapping[str, _Value | None]:
    """Return what governance says of a stream."""
    labels = job.labels
    if labels is None:
        return {}
    return {
        "datasurface.zone": labels.zone,
        "datasurface.team": labels.team,
        "datasurface.owner": labels.owner,
        "datasurface.production": labels.production,
        "datasurface.deprecated": labels.deprecated is not None,
        "datasurface.classifications": list(labels.classifications) or None,
    }


def _database(place: Known) -> Mapping[str, _Value | None]:
    return {
        "db.system.name": place.system,
        "db.namespace": place.database or None,
        "server.address": place.host or None,
        "server.port": place.port,
    }
