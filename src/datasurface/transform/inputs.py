"""A transformer's inputs: current rows, every version, or what changed since its last run, in the form it likes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from datasurface.databases.code import CodeSession
from datasurface.model.types import BigInt, DataType, Timestamp
from datasurface.model.vocabulary import History
from datasurface.names import group_schema, view_name
from datasurface.release.job import CHANGE_COLUMNS, InputDataset, JobColumn
from datasurface.transform.arrow import arrow_schema, arrow_table, required
from datasurface.transform.instruction import InputState, Instruction

__all__ = ["Changes", "Input", "Reader"]

_BATCH = 10_000
_VERSION_COLUMNS = (
    JobColumn("ds_batch_in", BigInt(), nullable=False, source="ds_batch_in"),
    JobColumn("ds_batch_out", BigInt(), source="ds_batch_out"),
    JobColumn("ds_valid_from", Timestamp(), nullable=False, source="ds_valid_from"),
    JobColumn("ds_valid_to", Timestamp(), source="ds_valid_to"),
)


class Reader:
    """Rows that can be read: as tuples, mappings, Arrow, pandas, polars, or in SQL by `relation`.

    Attributes:
        relation: The rows as SQL text, to be used after FROM.
        columns: The names of their columns.
        types: The type of each column, as the model has it.
    """

    def __init__(self, relation: str, columns: Sequence[JobColumn], session: CodeSession) -> None:
        self.relation = relation
        self.columns: tuple[str, ...] = tuple([c.name for c in columns])
        self.types: Mapping[str, DataType] = MappingProxyType({c.name: c.type for c in columns})
        self._columns = tuple(columns)
        self._session = session

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Yield the rows as tuples, in bounded memory."""
        for batch in self._batches(_BATCH):
            yield from batch

    def dicts(self) -> Iterator[dict[str, Any]]:
        """Yield the rows as mappings from column to value, in bounded memory."""
        for row in self.rows():
            yield dict(zip(self.columns, row, strict=True))

    def count(self) -> int:
        """Return the number of rows."""
        rows = self._session.query(f"SELECT count(*) FROM {self.relation}")
        return int(next(rows.batches)[0][0])

    def arrow(self) -> Any:
        """Return the rows as one `pyarrow.Table`.

        Raises:
            MissingExtraError: pyarrow is not installed.
        """
        return arrow_table(self._columns, self._batches(_BATCH))

    def arrow_batches(self, size: int = _BATCH) -> Iterator[Any]:
        """Yield the rows as `pyarrow.RecordBatch`es of at most `size` rows, in bounded memory."""
        arrow_schema(self._columns)
        for batch in self._batches(size):
            yield from arrow_table(self._columns, [batch]).to_batches()

    def pandas(self) -> Any:
        """Return the rows as a `pandas.DataFrame` whose types are Arrow's, so that integers may be missing.

        Raises:
            MissingExtraError: pandas or pyarrow is not installed.
        """
        pandas = required("pandas")
        return self.arrow().to_pandas(types_mapper=pandas.ArrowDtype)

    def polars(self) -> Any:
        """Return the rows as a `polars.DataFrame`.

        Raises:
            MissingExtraError: polars or pyarrow is not installed.
        """
        return required("polars").from_arrow(self.arrow())

    def _batches(self, size: int) -> Iterator[Sequence[tuple[Any, ...]]]:
        names = self._session.names(self.columns)
        return self._session.query(f"SELECT {names} FROM {self.relation}", size=size).batches


class Changes(Reader):
    """What changed since the last merged run: the columns of the input, and `ds_op`, which is I, U or D.

    A row that came or is new has its values as they are now, one that went those it had.

    Attributes:
        complete: Whether there was no run to compare with: then every current row is given, as I.
        before: The rows that were updated or went, as they were; None if there was no run to compare with.
    """

    def __init__(
        self, relation: str, columns: Sequence[JobColumn], session: CodeSession, *, before: Reader | None
    ) -> None:
        super().__init__(relation, (*columns, CHANGE_COLUMNS[0]), session)
        self.complete = before is None
        self.before = before


class Input(Reader):
    """A dataset that the workspace of the transformer consumes; read as it is, its current rows.

    Attributes:
        dataset: `store.dataset`.
        batch: The batch up to which it is read; None if it has none yet.
        schema: The schema of its views, or of the copies that stand in for them.
        view: The view of its current rows.
        history_view: The view of every version; None if its group asks for current rows only.
    """

    def __init__(
        self, declared: InputDataset, state: InputState, instruction: Instruction, session: CodeSession
    ) -> None:
        limit = instruction.name_limit
        own = (
            group_schema(instruction.job.transformer.workspace, declared.group, limit)
            if instruction.job.transformer
            else ""
        )
        self.schema = instruction.schemas.get(own, own)
        self.view = view_name(declared.datastore, declared.dataset, limit)
        super().__init__(session.relation(self.schema, self.view), declared.columns, session)
        self.dataset = f"{declared.datastore}.{declared.dataset}"
        self.batch = state.batch
        self._declared = declared
        self._state = state
        history = view_name(declared.datastore, declared.dataset, limit, history=True)
        self.history_view = history if declared.history is History.FULL else None
        self._history = session.relation(self.schema, history)

    @property
    def history(self) -> Reader:
        """Every version, with `ds_batch_in`, `ds_batch_out`, `ds_valid_from` and `ds_valid_to`.

        Raises:
            LookupError: its group asks for current rows only.
        """
        self._require_history("every version")
        return Reader(self._history, (*self._declared.columns, *_VERSION_COLUMNS), self._session)

    @property
    def changes(self) -> Changes:
        """What changed since the last merged run of this transformer.

        Rows are matched by key; without a key, a row that came is I and one that went is D.

        Raises:
            LookupError: its group asks for current rows only, or leaves columns of the key away.
        """
        self._require_history("what changed")
        self._require_key()
        previous = self._state.previous if self._state.comparable else None
        if previous is None:
            # Not from the history, which may be empty though there are rows: it begins with the next batch.
            query = f"SELECT {self._session.names(self.columns)}, 'I' AS ds_op FROM {self.relation}"
        else:
            query = self._session.changes(self._history, self._declared.columns, previous)
        return Changes(f"({query}) AS changes", self._declared.columns, self._session, before=self._before(previous))

    def _before(self, previous: int | None) -> Reader | None:
        """Return the rows that ended after a batch, as they were."""
        if previous is None:
            return None
        ended = self._session.ended(self._history, self._declared.columns, previous)
        return Reader(f"({ended}) AS ended", self._declared.columns, self._session)

    def _require_key(self) -> None:
        """Refuse a group that sees only a part of the key: rows could not be told apart."""
        missing = sorted(set(self._declared.key) - set(self.columns))
        if missing:
            raise LookupError(
                f"what changed of {self.dataset} cannot be told without its key: "
                f"group {self._declared.group!r} leaves {', '.join(missing)} away"
            )

    def _require_history(self, what: str) -> None:
        if self._declared.history is not History.FULL:
            raise LookupError(
                f"{what} of {self.dataset} is not kept for group {self._declared.group!r}: "
                "give the group history=History.FULL"
            )
