"""A stream's datasets as its job reads and stores them."""

from __future__ import annotations

from collections.abc import Iterator

from datasurface.graph.nodes import Stream, StreamDataset
from datasurface.model.classification import shown_in_messages
from datasurface.model.effective import duration
from datasurface.model.schema import Column, Dataset
from datasurface.release.job import JobChecks, JobColumn, JobDataset

__all__ = ["job_checks", "job_column", "job_dataset", "secret_keys"]


def job_dataset(need: StreamDataset, schema: str | None, table: str) -> JobDataset:
    """Return a dataset as its job reads it from a table of `schema`."""
    return JobDataset(
        need.dataset.name,
        source_schema=schema,
        source_table=table,
        columns=[job_column(c) for c in need.dataset.columns],
        history=need.history,
        retention_days=_days(need.retention),
    )


def job_column(column: Column) -> JobColumn:
    """Return a column as a job reads and stores it."""
    return JobColumn(column.name, column.data_type, key=column.key, nullable=column.nullable, source=column.source)


def job_checks(stream: Stream) -> Iterator[JobChecks]:
    """Yield the checks of those datasets of a stream that have some."""
    for need in stream.datasets:
        dataset = need.dataset
        if dataset.checks:
            hidden = [column.name for column in _hidden(dataset)]
            yield JobChecks(dataset.name, checks=dataset.checks, hidden=hidden)


def secret_keys(stream: Stream) -> Iterator[str]:
    """Yield the datasets of a stream whose keys may not stand in messages."""
    for need in stream.datasets:
        if any(column.key for column in _hidden(need.dataset)):
            yield need.dataset.name


def _hidden(dataset: Dataset) -> Iterator[Column]:
    """Yield the columns whose values may not stand in messages."""
    return (c for c in dataset.columns if not shown_in_messages(*dataset.classification, *c.classification))


def _days(retention: str | None) -> int | None:
    """Return a retention in whole days, rounded up so that nothing is kept too short; None for ever."""
    length = duration(retention) if retention else None
    return None if length is None else length.days + bool(length.seconds)
