"""The audit: proof that consumers' current rows equal the source, by checksums that each database computes itself.

The stream is held meanwhile, so the point compared is the last merged batch against the source now. Rows that differ
because the source has changed since are told from rows that are wrong.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, func, insert

from datasurface.databases.audit import Audited, BucketSum, Change
from datasurface.databases.base import Reading
from datasurface.engine.context import BatchContext
from datasurface.errors import ConfigurationError
from datasurface.release.job import JobDataset
from datasurface.store import ledger
from datasurface.store.streams import Claim, DatasetState, claim, dataset_states, release
from datasurface.store.tables import audits, bind

__all__ = ["DatasetAudit", "audit_stream"]

_ROWS_A_BUCKET = 512
_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetAudit:
    """What was found of one dataset.

    Attributes:
        stream: Its stream.
        dataset: Its name.
        verified_through: The last merged batch, through which consumers' rows are proved if `ok`.
        rows: How many rows consumers see.
        source_rows: How many the source has now.
        wrong: How many keys differ though the source has not changed them since that batch.
        changed_since: How many keys differ because it has.
        undecided: How many keys differ at a source that has changed and cannot tell which rows; run, then audit again.
        examples: Up to ten keys that are wrong, with what is wrong.
    """

    stream: str
    dataset: str
    verified_through: int
    rows: int
    source_rows: int
    wrong: int
    changed_since: int
    undecided: int
    examples: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether consumers see what the source had."""
        return self.wrong == 0

    def to_json(self) -> dict[str, object]:
        """Return it as `audit --json` prints it."""
        return {
            "stream": self.stream,
            "dataset": self.dataset,
            "ok": self.ok,
            "verified_through": self.verified_through if self.ok and not self.undecided else None,
            "rows": self.rows,
            "source_rows": self.source_rows,
            "wrong": self.wrong,
            "changed_since": self.changed_since,
            "undecided": self.undecided,
            "examples": list(self.examples),
        }


def audit_stream(context: BatchContext) -> tuple[DatasetAudit, ...]:
    """Compare every dataset of a stream with its source and store the results.

    Raises:
        StreamBusyError: a run holds the stream.
        ConfigurationError: it has no merged batch yet.
        SourceError: the source cannot be read.
    """
    engine = context.store.engine
    with engine.begin() as connection:
        held = claim(connection, context.schema, context.job.stream, context.owner, silence=context.silence)
    try:
        with context.heart.beating(held):
            return _audit(context, held)
    finally:
        with engine.begin() as connection:
            release(connection, context.schema, held)


def _audit(context: BatchContext, held: Claim) -> tuple[DatasetAudit, ...]:
    with context.store.engine.connect() as connection:
        merged = ledger.last_merged(connection, context.schema, held.stream)
        states = dataset_states(connection, context.schema, held.stream)
    if merged is None:
        raise ConfigurationError(f"stream {held.stream!r} has no merged batch to audit", hint="run it first")
    since = json.loads(held.position or "{}")
    source = context.open_source()
    with source.reading(context.job.datasets, connections=1) as reading:
        results = tuple(
            [
                _dataset(context, reading, dataset, states.get(dataset.name), merged.batch_id, since)
                for dataset in context.job.datasets
            ]
        )
    _save(context, results)
    return results


def _dataset(
    context: BatchContext,
    reading: Reading,
    dataset: JobDataset,
    state: DatasetState | None,
    batch_id: int,
    since: Mapping[str, object],
) -> DatasetAudit:
    """Compare one dataset; rows the source cannot sum itself are staged in a transaction that is rolled back."""
    store, tables = context.store, context.tables(dataset)
    buckets = max(1, (state.rows if state else 0) // _ROWS_A_BUCKET)
    with store.engine.connect() as connection:
        ours = store.checksums(connection, dataset, tables.schema, tables.current, buckets)
        side: Audited = (
            reading if isinstance(reading, Audited) else _staged(context, connection, reading, dataset, since)
        )
        theirs = side.checksums(dataset, buckets)
        differing = sorted(b for b in ours.keys() | theirs.keys() if ours.get(b) != theirs.get(b))
        here = store.bucket_rows(connection, dataset, tables.schema, tables.current, buckets, differing)
        there = side.bucket_rows(dataset, buckets, differing, since) if differing else {}
        connection.rollback()
    knows = side.knows_age(dataset, since)
    return _judged(context, dataset, state, batch_id, _rows(ours), _rows(theirs), here, there, knows_age=knows)


def _rows(sums: Mapping[int, BucketSum]) -> int:
    return sum(s.count for s in sums.values())


def _judged(
    context: BatchContext,
    dataset: JobDataset,
    state: DatasetState | None,
    batch_id: int,
    rows: int,
    source_rows: int,
    here: Mapping[str, Change],
    there: Mapping[str, Change],
    *,
    knows_age: bool,
) -> DatasetAudit:
    """Tell wrong rows from changed ones.

    A row that the source had before the batch and still has must be here as it is. A row that only we have may have
    been deleted at the source since; it is wrong if we have another number of rows than the ledger's.
    """
    expected = state.rows if state else 0
    wrong: list[str] = []
    changed = undecided = 0
    for key in sorted(here.keys() | there.keys()):
        ours, theirs = here.get(key), there.get(key)
        if ours is not None and theirs is not None and (ours.value, ours.count) == (theirs.value, theirs.count):
            continue
        if theirs is not None and theirs.old:
            wrong.append(f"{key}: {'absent from' if ours is None else 'different in'} consumers' rows")
        elif theirs is None and rows != expected and len(wrong) < abs(rows - expected):
            wrong.append(f"{key}: not at the source")
        elif knows_age:
            changed += 1
        else:
            undecided += 1
    if rows != expected and not wrong:
        wrong.append(f"{rows} rows where the ledger has {expected}")
    return DatasetAudit(
        stream=context.job.stream,
        dataset=dataset.name,
        verified_through=batch_id,
        rows=rows,
        source_rows=source_rows,
        wrong=len(wrong),
        changed_since=changed,
        undecided=undecided,
        examples=tuple(wrong[:_SHOWN]),
    )


class _StagedSide:
    """The source's rows, brought into the merge database to be summed there."""

    def __init__(
        self, context: BatchContext, connection: Connection, table: str, dataset: JobDataset, *, unchanged: bool
    ) -> None:
        self._context = context
        self._connection = connection
        self._table = table
        self._schema = context.tables(dataset).schema
        self._unchanged = unchanged

    def checksums(self, dataset: JobDataset, buckets: int) -> Mapping[int, BucketSum]:
        """Return the sums of each bucket."""
        return self._context.store.checksums(self._connection, dataset, self._schema, self._table, buckets)

    def bucket_rows(
        self,
        dataset: JobDataset,
        buckets: int,
        wanted: Iterable[int],
        since: Mapping[str, object],  # noqa: ARG002 - the position was compared as a whole
    ) -> Mapping[str, Change]:
        """Return the rows of some buckets; all are old if the source as a whole has not changed."""
        store = self._context.store
        found = store.bucket_rows(self._connection, dataset, self._schema, self._table, buckets, wanted)
        return {
            key: Change(value=change.value, count=change.count, old=self._unchanged) for key, change in found.items()
        }

    def knows_age(self, dataset: JobDataset, since: Mapping[str, object]) -> bool:  # noqa: ARG002 - as above
        """Tell whether what differs is known to have changed since: only if the source as a whole has not."""
        return self._unchanged


def _staged(
    context: BatchContext, connection: Connection, reading: Reading, dataset: JobDataset, since: Mapping[str, object]
) -> _StagedSide:
    tables = context.tables(dataset)
    table = f"audit.{context.owner[-8:]}.{dataset.name}"[:60]
    context.store.create_staging(connection, tables, dataset, table)
    with reading.feed(dataset) as feed:
        context.store.load(connection, tables, dataset, table, feed, context.progress, context.job.stream, frozen=False)
    return _StagedSide(
        context, connection, table, dataset, unchanged=json.loads(json.dumps(dict(reading.position))) == since
    )


def _save(context: BatchContext, results: tuple[DatasetAudit, ...]) -> None:
    with context.store.engine.begin() as connection:
        for result in results:
            bind(connection, context.schema).execute(
                insert(audits).values(
                    stream=result.stream,
                    dataset=result.dataset,
                    ran_at=func.clock_timestamp(),
                    verified_through=result.verified_through,
                    ok=result.ok,
                    rows=result.rows,
                    wrong=result.wrong,
                    changed_since=result.changed_since,
                    detail="; ".join(result.examples),
                )
            )
