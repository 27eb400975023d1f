"""Audit the streams of active releases: of a model folder's platforms, or of one platform that runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from datasurface.engine.audit import DatasetAudit, audit_stream
from datasurface.errors import ConfigurationError, DataSurfaceError, StoreError, StreamBusyError
from datasurface.release.job import JobSpec
from datasurface.runtime.compile_model import compile_model
from datasurface.runtime.job import JobRunner
from datasurface.runtime.platform import RunningPlatform, open_platform
from datasurface.secrets.masking import masked
from datasurface.store.ledger import last_merged

__all__ = ["ModelAudit", "audit_model", "audit_platform"]


@dataclass(slots=True, kw_only=True)
class ModelAudit:
    """What was found of the streams, and which could not be audited.

    Attributes:
        datasets: The datasets that were audited.
        not_merged: Streams that have no merged batch: consumers see nothing of them yet.
        busy: Streams that a run holds.
        failed: Streams that could not be audited, and why.
        derived: Streams that transformers write: there is no source to compare them with.
    """

    datasets: list[DatasetAudit] = field(default_factory=list)
    not_merged: list[str] = field(default_factory=list)
    busy: list[str] = field(default_factory=list)
    derived: list[str] = field(default_factory=list)
    failed: dict[str, DataSurfaceError] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether all that consumers see was audited, and no row is wrong."""
        return not self.busy and not self.failed and all(found.ok for found in self.datasets)

    def to_json(self) -> dict[str, object]:
        """Return it as `audit --json` prints it."""
        return {
            "ok": self.ok,
            "datasets": [found.to_json() for found in self.datasets],
            "not_merged": self.not_merged,
            "busy": self.busy,
            "derived": self.derived,
            "failed": [{"stream": name, "error": masked(str(error))} for name, error in sorted(self.failed.items())],
        }


def audit_model(folder: Path, environment: str | None, stream: str | None, environ: Mapping[str, str]) -> ModelAudit:
    """Audit one stream, or all of them; of all, those that cannot be audited now are listed and the others go on.

    Raises:
        ConfigurationError: there is no such stream, or the one that was named has no merged batch or is derived.
        NothingActiveError: no release is active.
        StreamBusyError: a run holds the stream that was named.
    """
    release, _ = compile_model(folder, environment)
    found = ModelAudit()
    known: list[str] = []
    for spec in release.platforms:
        with open_platform(spec, folder, environ) as running:
            jobs = running.active().jobs
            derived = {job.stream for job in jobs if job.transformer is not None}
            names = sorted(job.stream for job in jobs if job.stream not in derived)
            known += names
            if stream in derived:
                raise ConfigurationError(
                    f"stream {stream!r} is a transformer's output, which has no source to compare with",
                    hint="`datasurface resnapshot` makes it again from its inputs; audit these",
                )
            if stream is None:
                audit_platform(running, jobs, found)
                continue
            found.derived += sorted(derived)
            if stream in names:
                _audit_one(running, stream, found)
    if stream is not None and stream not in known:
        raise ConfigurationError(f"no stream {stream!r}", hint=f"the streams are: {', '.join(known) or 'none'}")
    return found


def _audit_one(running: RunningPlatform, stream: str, found: ModelAudit) -> None:
    runner = JobRunner(running)
    try:
        found.datasets += audit_stream(runner.context(*running.job(stream)))
    finally:
        runner.close()


def audit_platform(running: RunningPlatform, jobs: Sequence[JobSpec], found: ModelAudit) -> None:
    """Audit all streams of a platform that can be audited now, and add what was found; one's fault stops no other."""
    found.derived += sorted(job.stream for job in jobs if job.transformer is not None)
    for stream in sorted(job.stream for job in jobs if job.transformer is None):
        with running.reading() as connection:
            merged = last_merged(connection, running.schema, stream)
        if merged is None:
            found.not_merged.append(stream)
            continue
        try:
            _audit_one(running, stream, found)
        except StreamBusyError:
            found.busy.append(stream)
        except StoreError:
            raise
        except DataSurfaceError as error:
            found.failed[stream] = error
