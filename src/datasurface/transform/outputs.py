"""A transformer's outputs: whole tables, or changes of them, written in bulk."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from datasurface.databases.code import CodeSession
from datasurface.errors import SourceError
from datasurface.model.vocabulary import OutputMode
from datasurface.release.job import CHANGE_COLUMNS, JobDataset
from datasurface.transform.frames import count_of, rows_of
from datasurface.transform.instruction import Instruction

__all__ = ["Output"]


class Output:
    """A dataset that the transformer writes.

    With `OutputMode.SNAPSHOT` it writes all rows, by `write` or `write_sql`. With `OutputMode.CHANGES` it says what
    happened to rows, by `insert`, `update` and `delete`; of several changes of one key the last one holds.

    Attributes:
        name: The dataset's name.
        columns: The names of its columns, in order; none if nobody consumes it, and what is written is dropped.
        key: The names of its key columns, in order.
        relation: What was written in this run as SQL text, for `write_sql`; empty if nobody consumes it.
    """

    def __init__(
        self, dataset: JobDataset | None, instruction: Instruction, session: CodeSession, *, name: str = ""
    ) -> None:
        self.name = dataset.name if dataset else name
        self.columns: tuple[str, ...] = tuple([c.name for c in dataset.columns]) if dataset else ()
        self.key: tuple[str, ...] = tuple([c.name for c in dataset.key_columns]) if dataset else ()
        self._dataset = dataset
        self._session = session
        self._changes = instruction.job.mode is OutputMode.CHANGES
        self._order = itertools.count(1)
        self.relation = session.relation(dataset.source_schema or "", dataset.source_table) if dataset else ""

    def write(self, rows: Any) -> int:
        """Add rows to the whole output and return how many.

        Args:
            rows: An Arrow table, batch or reader, a pandas or polars frame, or an iterable of mappings, of tuples in
                the order of `columns`, or of Arrow batches.

        Raises:
            ValueError: the rows have other columns than the output.
            TypeError: the transformer writes changes.
        """
        if self._changes:
            raise TypeError(f"output {self.name!r} takes changes: use insert, update and delete")
        return self._write(rows, None)

    def write_sql(self, query: str) -> int:
        """Add the rows of a query to the whole output and return how many; its columns are matched by name.

        Raises:
            SourceError: the database refuses the query or its rows.
            TypeError: the transformer writes changes.
        """
        if self._changes:
            raise TypeError(f"output {self.name!r} takes changes: use insert, update and delete")
        if self._dataset is None:
            return 0
        names = self._session.names(self.columns)
        statement = f"INSERT INTO {self.relation} ({names}) SELECT {names} FROM ({query}) AS answer"
        try:
            return self._session.execute(statement)
        except SourceError as error:
            raise SourceError(f"output {self.name!r}: {error.message}", hint=error.hint) from None

    def insert(self, rows: Any) -> int:
        """Say that rows are new; one whose key is there already is taken for an update. Returns how many."""
        return self._change(rows, "I")

    def update(self, rows: Any) -> int:
        """Say that rows have these values now; one whose key is not there yet is added. Returns how many."""
        return self._change(rows, "U")

    def delete(self, keys: Any) -> int:
        """Say that rows are gone, and return how many; `keys` is as rows are, with the columns of the key only."""
        if self._dataset is None or not self._changes:
            return self._change(keys, "D")
        return self._write(_whole(keys, self._dataset), "D")

    def doubles(self) -> int:
        """Return how many keys were inserted or updated more than once in this run; only of changes."""
        if self._dataset is None or not self._changes:
            return 0
        keys = self._session.names([c.name for c in self._dataset.key_columns])
        return self._session.execute(
            f"SELECT 1 FROM {self.relation} WHERE ds_op <> 'D' GROUP BY {keys} HAVING count(*) > 1"
        )

    def _change(self, rows: Any, operation: str) -> int:
        """Write changes.

        Raises:
            ValueError: the rows have other columns than the output.
            TypeError: the transformer writes whole tables.
        """
        if not self._changes:
            raise TypeError(
                f"output {self.name!r} takes whole tables: use write, or give the transformer mode=OutputMode.CHANGES"
            )
        return self._write(rows, operation)

    def _write(self, rows: Any, operation: str | None) -> int:
        if self._dataset is None:
            return count_of(rows)
        columns = self._dataset.columns
        found = rows_of(rows, columns)
        schema, table = self._dataset.source_schema or "", self._dataset.source_table
        if operation is None:
            return self._session.write(schema, table, columns, found)
        marked = ((*row, operation, next(self._order)) for row in found)
        return self._session.write(schema, table, (*columns, *CHANGE_COLUMNS), marked)


def _whole(keys: Any, dataset: JobDataset) -> Iterator[dict[str, Any]]:
    """Yield whole rows for keys; what is no key is NULL."""
    key = dataset.key_columns
    empty = dict.fromkeys(c.name for c in dataset.columns)
    for row in rows_of(keys, key):
        yield {**empty, **dict(zip([c.name for c in key], row, strict=True))}
