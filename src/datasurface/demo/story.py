"""The demonstration from beginning to end: servers, source, model, two ingestions with a day between, and questions.

It runs in this process what the commands `apply`, `run --once` and `audit` run.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg

from datasurface.databases.postgres.connect import explain
from datasurface.demo.changes import Change, make_changes
from datasurface.demo.folder import demo_folder
from datasurface.demo.ground import empty_database
from datasurface.demo.outcome import Outcome, dataset_counts
from datasurface.demo.questions import AS_OF, CONSUMERS, DATASETS, HISTORY, LEDGER, MODEL, Answer, Question, ask
from datasurface.demo.source import csv_folder, load_source
from datasurface.demo.teller import Teller
from datasurface.engine.audit import DatasetAudit
from datasurface.errors import BatchFailedError, ConfigurationError, StoreError
from datasurface.model.infrastructure import EmbeddedPostgres
from datasurface.runtime.apply import plan_and_apply
from datasurface.runtime.audit import audit_model
from datasurface.runtime.compile_model import keep_release, require_ok
from datasurface.runtime.folder import ModelFolder, checked_folder
from datasurface.runtime.progress import NullProgress
from datasurface.runtime.report import BatchReport
from datasurface.runtime.running import run_once
from datasurface.runtime.stopping import Stopping

__all__ = ["run_demo"]


def run_demo(folder: Path, teller: Teller, environ: Mapping[str, str] = os.environ) -> Outcome:
    """Run the demonstration in `folder`, from its beginning, whatever an earlier run left there.

    Raises:
        MissingExtraError: the data or the embedded database is not installed.
        ConfigurationError: the folder is in use by something else.
        StoreError: a server does not start or refuses.
        BatchFailedError: an ingestion did not do what it should.
    """
    csv_folder()
    with demo_folder(folder) as kept, _told():
        for path in kept:
            teller.line(f"your changes to the model of the last demo are kept as {path}")
        return _Demo(folder, teller, environ).run()


class _Demo:
    """One run: what its steps have in common."""

    def __init__(self, folder: Path, teller: Teller, environ: Mapping[str, str]) -> None:
        self._folder = folder
        self._teller = teller
        self._environ = environ
        self._began = time.monotonic()
        self._servers: list[Path] = []

    def run(self) -> Outcome:
        """Run all steps."""
        model, report = checked_folder(self._folder, None, self._environ)
        require_ok(report)
        source_uri, platform_uri = self._ground(model)
        loaded = self._load(source_uri)
        self._apply(model)
        first = self._ingest(model, "First ingestion: everything is new")
        changes = self._day(source_uri)
        second = self._ingest(model, "Second ingestion: only what changed")
        audits = self._audit()
        return self._show(platform_uri, loaded, changes, [*first, *second], audits)

    def _ground(self, model: ModelFolder) -> tuple[str, str]:
        spec = model.platforms[0]
        with self._teller.step("Start a PostgreSQL server for the source and one for the platform"):
            uris = []
            source = next(job.source for job in spec.jobs if job.transformer is None)
            for container in (source, spec.container):
                if not isinstance(container, EmbeddedPostgres):
                    raise ConfigurationError(f"the demo needs an embedded server, not {container.label()}")
                server = empty_database(container, self._folder, self._environ)
                self._servers.append(server.folder)
                uris.append(server.uri(container.database or ""))
                self._teller.line(f"{container.name}: PostgreSQL {server.version} in {server.folder}")
        return uris[0], uris[1]

    def _load(self, uri: str) -> dict[str, int]:
        with self._teller.step("Load the flights of 2013 into the source"):
            loaded = load_source(uri)
            self._teller.line(", ".join(f"{rows:,} {name}" for name, rows in loaded.items()))
        return loaded

    def _apply(self, model: ModelFolder) -> None:
        with self._teller.step("Apply the model: tables for the platform, views for each consumer"):
            keep_release(model.release, self._folder)
            with model.open() as opened:
                for running, spec in opened:
                    applied = plan_and_apply(running, spec, model.release)
                    for operation, reason in applied.waiting:
                        raise StoreError(f"{operation.sentence()}: {reason}")
                    self._teller.line(
                        f"{len(spec.jobs)} streams feed {len(spec.views)} views of consumers, derived from one eco.py"
                    )

    def _ingest(self, model: ModelFolder, title: str) -> list[BatchReport]:
        with self._teller.step(title), Stopping() as stopping:
            reports = sorted(run_once(model, NullProgress(), stopping), key=lambda report: report.stream)
            if stopping.event.is_set():
                raise KeyboardInterrupt
            for report in reports:
                self._teller.line(_said(report))
                if report.state not in ("merged", "idle"):
                    raise BatchFailedError(f"stream {report.stream!r}: {report.error or report.state}")
        return reports

    def _audit(self) -> list[DatasetAudit]:
        with self._teller.step("Audit: what consumers see, compared with the source by checksums in each database"):
            audits = audit_model(self._folder, None, None, self._environ).datasets
            equal = sum(audit.ok and not audit.changed_since for audit in audits)
            rows = sum(audit.rows for audit in audits)
            self._teller.line(f"{equal} of {len(audits)} datasets are equal to the source, {rows:,} rows")
        return audits

    def _day(self, uri: str) -> list[tuple[Change, int]]:
        with self._teller.step("One day passes at the source"):
            changes = make_changes(uri)
            for change, rows in changes:
                self._teller.line(change.told.format(rows=rows))
        return changes

    def _show(
        self,
        uri: str,
        loaded: dict[str, int],
        changes: Sequence[tuple[Change, int]],
        batches: Sequence[BatchReport],
        audits: Sequence[DatasetAudit],
    ) -> Outcome:
        with psycopg.connect(uri, sslmode="disable", options="-c default_transaction_read_only=on") as connection:
            consumers = tuple([self._ask(connection, question) for question in CONSUMERS])
            history = self._ask(connection, HISTORY)
            as_of = self._ask(connection, AS_OF)
            model = tuple([self._ask(connection, question) for question in MODEL])
            self._ask(connection, LEDGER)
            self._ask(connection, DATASETS)
            datasets = dataset_counts(connection)
        return Outcome(
            folder=self._folder,
            servers=tuple(self._servers),
            seconds=time.monotonic() - self._began,
            loaded=loaded,
            changes=tuple(changes),
            batches=tuple(batches),
            datasets=datasets,
            audited={f"{a.stream}.{a.dataset}": a.ok and not a.changed_since for a in audits},
            consumers=consumers,
            history=history,
            as_of=as_of,
            model=model,
        )

    def _ask(self, connection: psycopg.Connection, question: Question) -> Answer:
        answer = ask(connection, question)
        self._teller.answer(answer)
        return answer


def _said(report: BatchReport) -> str:
    return (
        f"{report.stream}: batch {report.batch_id} {report.state}; {report.rows_read:,} rows read, "
        f"{report.inserted:,} inserted, {report.updated:,} updated, {report.deleted:,} deleted"
    )


@contextmanager
def _told() -> Iterator[None]:
    """Turn what a driver says into an error for people."""
    try:
        yield
    except psycopg.Error as error:
        raise StoreError(f"the demo's database: {explain(error)}", hint="run `datasurface demo` again") from error
