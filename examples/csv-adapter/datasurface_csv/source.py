"""A folder of CSV files as a source: one file a table, UTF-8, its first line the names of the columns."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal as Number
from itertools import islice
from pathlib import Path

from datasurface.databases.base import Feed, Login, RowFeed, SourceColumn, SourceTable
from datasurface.errors import ConfigurationError, SourceError, TransientError
from datasurface.model.infrastructure import FileStore
from datasurface.model.types import BigInt, DataType, Date, Decimal, Integer, String
from datasurface.release.job import JobColumn, JobDataset

__all__ = ["CsvSource"]

_ROWS = 1_000
_PARSERS: dict[type[DataType], Callable[[str], object]] = {
    Integer: int,
    BigInt: int,
    Decimal: Number,
    Date: date.fromisoformat,
    String: str,
}
"""The type map: which of the model's types the texts of a file can be, and how they become values."""


class CsvSource:
    """Reads one folder. Holds nothing open between readings."""

    def __init__(self, login: Login) -> None:
        if not isinstance(login.container, FileStore):
            raise ConfigurationError(f"{login.container.label()} is no FileStore")
        self._folder = login.folder / login.container.uri
        if not self._folder.is_dir():
            raise SourceError(
                f"no folder {self._folder}", hint="correct `uri=`; relative ones start at the model folder"
            )

    def tables(self, schema: str | None) -> Sequence[SourceTable]:
        """Return every CSV file, sorted by name."""
        found = [self.table(schema, path.stem) for path in sorted(self._folder.glob("*.csv"))]
        return tuple([table for table in found if table is not None])

    def table(self, schema: str | None, name: str) -> SourceTable | None:
        """Return one CSV file, or None if it is absent. A text is all that its columns are known to be."""
        path = self._path(name)
        if schema is not None or not path.is_file():
            return None
        columns = [
            SourceColumn(name=header, physical="text", type=String(), nullable=True, key_position=None)
            for header in _headers(path)
        ]
        return SourceTable(schema=None, name=name, columns=tuple(columns))

    def verify(self, dataset: JobDataset) -> None:
        """Raise `SourceError` unless the file has every column, of types that texts can be."""
        table = self.table(dataset.source_schema, dataset.source_table)
        if table is None:
            raise SourceError(f"no file {self._path(dataset.source_table)}", hint="correct `source=` of the dataset")
        names = {column.name for column in table.columns}
        problems = [f"no column {c.source!r}" for c in dataset.columns if c.source not in names]
        problems += [
            f"column {c.source!r} cannot be {c.type.spelled()}" for c in dataset.columns if type(c.type) not in _PARSERS
        ]
        if problems:
            raise SourceError(
                f"{self._path(dataset.source_table)} does not fit dataset {dataset.name!r}: {'; '.join(problems)}",
                hint="change the model's columns, or the file",
            )

    @contextmanager
    def reading(self, datasets: Sequence[JobDataset], *, connections: int) -> Iterator[_Reading]:  # noqa: ARG002
        """Open one consistent point: the files as they are now. One that changes meanwhile ends the batch."""
        paths = {d.name: self._path(d.source_table) for d in datasets}
        for dataset in datasets:
            self.verify(dataset)
        yield _Reading(paths)

    def close(self) -> None:
        """Nothing is open."""

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.csv"


class _Reading:
    """The files as they were when the reading was opened."""

    def __init__(self, paths: Mapping[str, Path]) -> None:
        self.read_at: datetime = datetime.now(UTC)
        self.position: Mapping[str, object] = {path.name: _state(path) for path in paths.values()}
        self._paths = paths

    @contextmanager
    def feed(self, dataset: JobDataset) -> Iterator[Feed]:
        """Open the rows of one file; raises `TransientError` at the end if the file has changed since the opening."""
        path = self._paths[dataset.name]
        with path.open(encoding="utf-8", newline="") as file:
            yield RowFeed(_batches(path, csv.DictReader(file), dataset))
        if _state(path) != self.position[path.name]:
            raise TransientError(f"{path} was changed while it was read", hint="replace files by renaming")


def _headers(path: Path) -> Sequence[str]:
    with path.open(encoding="utf-8", newline="") as file:
        return next(csv.reader(file), [])


def _state(path: Path) -> list[int]:
    found = path.stat()
    return [found.st_ino, found.st_size, found.st_mtime_ns]


def _batches(path: Path, rows: csv.DictReader[str], dataset: JobDataset) -> Iterator[Sequence[tuple[object, ...]]]:
    """Yield the rows in the order of the dataset's columns, a thousand at a time."""
    while batch := list(islice(rows, _ROWS)):
        yield [
            tuple([_value(path, rows.line_num, column, row.get(column.source)) for column in dataset.columns])
            for row in batch
        ]


def _value(path: Path, line: int, column: JobColumn, text: str | None) -> object:
    """Return a value of the column's type; an empty text is NULL. The engine refuses NULL where it may not be."""
    if not text:
        return None
    value: object = None
    try:
        value = _PARSERS[type(column.type)](text)
    except (ValueError, ArithmeticError) as error:
        raise SourceError(
            f"column {column.source!r} of {path} holds no {column.type.spelled()}, before line {line + 1}",
            hint="correct the value, or the model's type",
        ) from error
    if isinstance(column.type, String) and column.type.length is not None and len(text) > column.type.length:
        raise SourceError(f"column {column.source!r} of {path} holds a text of {len(text)} characters")
    return value
