"""Audit the streams of a model folder's active releases."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from datasurface.engine.audit import DatasetAudit, audit_stream
from datasurface.errors import ConfigurationError
from datasurface.runtime.compile_model import compile_model
from datasurface.runtime.job import JobRunner
from datasurface.runtime.platform import open_platform
from datasurface.store.releases import active_streams

__all__ = ["audit_model"]


def audit_model(
    folder: Path, environment: str | None, stream: str | None, environ: Mapping[str, str]
) -> list[DatasetAudit]:
    """Audit one stream, or all of them.

    Raises:
        ConfigurationError: there is no such stream, or it has no merged batch.
        NothingActiveError: no release is active.
        StreamBusyError: a run holds a stream.
    """
    release, _ = compile_model(folder, environment)
    results: list[DatasetAudit] = []
    known: list[str] = []
    for spec in release.platforms:
        with open_platform(spec, folder, environ) as running:
            running.active()
            with running.reading() as connection:
                names = active_streams(connection, running.schema)
            known += names
            runner = JobRunner(running)
            try:
                for name in [n for n in names if stream in (None, n)]:
                    results += audit_stream(runner.context(*running.job(name)))
            finally:
                runner.close()
    if stream is not None and stream not in known:
        raise ConfigurationError(f"no stream {stream!r}", hint=f"the streams are: {', '.join(known) or 'none'}")
    return results
