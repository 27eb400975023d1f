"""A stream's datasets as its job reads and stores them."""

from __future__ import annotations

from datasurface.graph.nodes import StreamDataset
from datasurface.model.effective import duration
from datasurface.model.schema import Column
from datasurface.release.job import JobColumn, JobDataset

__all__ = ["job_column", "job_dataset"]


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


def _days(retention: str | None) -> int | None:
    """Return a retention in whole days, rounded up so that nothing is kept too short; None for ever."""
    length = duration(retention) if retention else None
    return None if length is None else length.days + bool(length.seconds)
