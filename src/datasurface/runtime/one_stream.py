"""One stream, found on the platform that runs it: its history, giving up its batch, reading it anew, accepting it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from datasurface.engine.batch import BatchResult
from datasurface.engine.reset import reset_stream
from datasurface.errors import ConfigurationError, NothingActiveError
from datasurface.runtime.active import ActiveStreams
from datasurface.runtime.code_logs import log_of, logs_of
from datasurface.runtime.folder import ModelFolder, unknown_stream
from datasurface.runtime.job import JobRunner, report_of
from datasurface.runtime.platform import RunningPlatform
from datasurface.runtime.progress import Progress
from datasurface.runtime.report import BatchReport
from datasurface.runtime.telemetry.telemetry import OFF, Telemetry
from datasurface.store.checks import CheckResult, results_of
from datasurface.store.ledger import BatchRow, BatchState, DatasetCounts, history_of, last_batch
from datasurface.store.releases import active_streams
from datasurface.store.tables import bind, ledger_datasets, streams

__all__ = ["StreamBatch", "accept", "history", "open_stream", "reset", "resnapshot"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamBatch:
    """One row of the ledger, with its datasets' share by name, what the checks said, and where its code's output is."""

    batch: BatchRow
    datasets: Mapping[str, DatasetCounts]
    checks: Sequence[CheckResult] = ()
    log: Path | None = None

    def to_json(self) -> dict[str, object]:
        """Return what `--json` prints."""
        batch = self.batch
        return {
            "batch": batch.batch_id,
            "state": batch.state.value,
            "started_at": batch.started_at.isoformat(),
            "finished_at": batch.finished_at.isoformat() if batch.finished_at else None,
            "read_at": batch.read_at.isoformat() if batch.read_at else None,
            **_counts(batch.counts),
            "release": batch.model_digest,
            "error": batch.error,
            "memory": batch.memory,
            "datasets": [{"dataset": name, **_counts(counts)} for name, counts in sorted(self.datasets.items())],
            "checks": [result.to_json() for result in self.checks],
            "log": str(self.log) if self.log else None,
        }


@contextmanager
def open_stream(model: ModelFolder, stream: str) -> Iterator[RunningPlatform]:
    """Open the platform that runs a stream, or ran it once.

    Raises:
        NothingActiveError: nothing was ever active on any platform of the model.
        ConfigurationError: no platform runs it, or several do.
        StoreError: a merge database is out of reach.
    """
    with model.open() as opened:
        known = {running.name: _known(running) for running, _ in opened}
        if not any(known.values()):
            raise NothingActiveError("no release is active", hint="run `datasurface apply`")
        found = [running for running, _ in opened if stream in known[running.name]]
        if not found:
            raise unknown_stream(stream, {name for names in known.values() for name in names})
        if len(found) > 1:
            names = ", ".join(running.name for running in found)
            raise ConfigurationError(f"stream {stream!r} runs on several platforms", hint=f"--platform: one of {names}")
        yield found[0]


def history(running: RunningPlatform, stream: str, limit: int) -> list[StreamBatch]:
    """Return a stream's latest batches, the newest first."""
    with running.reading() as connection:
        batches = history_of(connection, running.schema, stream, limit)
        if not batches:
            return []
        query = select(ledger_datasets).where(
            ledger_datasets.c.stream == stream, ledger_datasets.c.batch_id >= batches[-1].batch_id
        )
        split: dict[int, dict[str, DatasetCounts]] = {}
        for row in bind(connection, running.schema).execute(query):
            split.setdefault(row.batch_id, {})[row.dataset] = DatasetCounts(
                rows_read=row.rows_read, inserted=row.inserted, updated=row.updated, deleted=row.deleted, seed=row.seed
            )
        said: dict[int, list[CheckResult]] = {}
        for result in results_of(connection, running.schema, stream, batches[-1].batch_id):
            said.setdefault(result.batch_id, []).append(result)
    logs = logs_of(running.logins.folder, running.logins.environ, running.name)
    return [
        StreamBatch(
            batch=batch,
            datasets=split.get(batch.batch_id, {}),
            checks=said.get(batch.batch_id, ()),
            log=path if (path := log_of(logs, stream, batch.batch_id)).exists() else None,
        )
        for batch in batches
    ]


def reset(running: RunningPlatform, stream: str) -> BatchRow | None:
    """Give up the stream's unfinished batch; return it as it was, None if there was none.

    Raises:
        StreamBusyError: another run holds the stream.
    """
    return reset_stream(running.store, running.schema, stream)


def resnapshot(running: RunningPlatform, stream: str, progress: Progress, *, telemetry: Telemetry = OFF) -> BatchReport:
    """Read everything of a stream again and merge it, in place of what waits or is parked.

    Raises:
        StreamBusyError: another run holds the stream.
        NothingActiveError: the active release has no such stream.
    """
    running.job(stream)
    with running.reading() as connection:
        last = last_batch(connection, running.schema, stream)
    if last is not None and last.state is BatchState.STAGED:
        reset_stream(running.store, running.schema, stream, reason="given up: read again by hand")
    active = ActiveStreams(running, progress, telemetry=telemetry)
    try:
        return active.execute(running.job(stream)[0], anew=True)
    finally:
        active.close()


def accept(running: RunningPlatform, stream: str, *, telemetry: Telemetry = OFF) -> BatchReport:
    """Merge the stream's parked batch as it is.

    Raises:
        ConfigurationError: none is parked, or it can no longer be merged.
        NothingActiveError: the active release has no such stream.
    """
    job, digest = running.job(stream)
    runner = JobRunner(running, telemetry=telemetry)
    try:
        result: BatchResult = runner.run(job, digest, accept=True)
    finally:
        runner.close()
    return report_of(result)


def _known(running: RunningPlatform) -> set[str]:
    if not running.is_enrolled():
        return set()
    with running.reading() as connection:
        ran = bind(connection, running.schema).execute(select(streams.c.stream)).scalars()
        return {*ran, *active_streams(connection, running.schema)}


def _counts(counts: DatasetCounts) -> dict[str, object]:
    return {
        "rows_read": counts.rows_read,
        "inserted": counts.inserted,
        "updated": counts.updated,
        "deleted": counts.deleted,
    }
