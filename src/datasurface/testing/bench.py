"""A bench for transformers: rows in, a cycle of the real engine, assertions on what came out, and again."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from datasurface.errors import ConfigurationError
from datasurface.model.types import BigInt, String
from datasurface.names import group_schema, view_name
from datasurface.release.job import JobColumn, JobDataset
from datasurface.runtime.folder import ModelFolder
from datasurface.runtime.one_stream import history
from datasurface.runtime.progress import NullProgress
from datasurface.runtime.running import run_once
from datasurface.runtime.stopping import Stopping
from datasurface.secrets.base import Secret
from datasurface.testing.cycle import Counts, Cycle, listening
from datasurface.testing.difference import difference
from datasurface.testing.reduced import GROUP
from datasurface.testing.rows import Given
from datasurface.testing.tables import BenchTables

__all__ = ["TransformerBench"]

_LIMIT = 63
_BATCHES = (JobColumn("ds_batch_in", BigInt(), source=""), JobColumn("ds_batch_out", BigInt(), source=""))
_OPERATION = JobColumn("ds_op", String(), source="")
_Rows = list[dict[str, Any]]


class TransformerBench:
    """Transformers under test on a platform of their own. `open_bench` and the fixture `transformer_bench` make one.

    A dataset is named `store.dataset`, or `dataset` where only one store has it. Rows are given, and expected, as a
    list of mappings or of tuples, an Arrow table, a pandas or polars frame, or the path of a CSV file. Expected rows
    are typed by the database, so that `"2026-01-31"` is a date and `1` equals `Decimal("1.00")`.
    """

    def __init__(
        self,
        folder: ModelFolder,
        tables: BenchTables,
        reader: str,
        again: Callable[[Mapping[str, Secret | str]], AbstractContextManager[TransformerBench]],
        variables: Callable[[Mapping[str, Secret | str]], Mapping[str, str]],
    ) -> None:
        self._folder = folder
        self._variables = variables
        self._secrets: dict[str, Secret | str] = {}
        self._tables = tables
        self._schema = group_schema(reader, GROUP, _LIMIT)
        self._again = again
        jobs = folder.platforms[0].jobs
        self._inputs = {f"{j.datastore}.{d.name}": d for j in jobs if j.transformer is None for d in j.datasets}
        self._outputs = {f"{j.datastore}.{d.name}": d for j in jobs if j.transformer is not None for d in j.datasets}
        self._derived = [j.stream for j in jobs if j.transformer is not None]
        self._last: dict[str, int] = {}
        self._before: dict[str, int] = {}
        self._number = 0
        tables.make(list(self._inputs.values()))

    def given(self, dataset: str, rows: Given) -> None:
        """Let an input have these rows and no others."""
        self._tables.replace(self._input(dataset), rows)

    def insert(self, dataset: str, rows: Given) -> None:
        """Add rows to an input."""
        self._tables.insert(self._input(dataset), rows)

    def update(self, dataset: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Change rows of an input; each mapping has the key, and the columns that change.

        Raises:
            AssertionError: the input has not all of these rows.
        """
        _require_all(dataset, rows, self._tables.update(self._keyed(dataset), rows))

    def delete(self, dataset: str, keys: Sequence[Mapping[str, Any]]) -> None:
        """Remove the rows of these keys from an input.

        Raises:
            AssertionError: the input has not all of these rows.
        """
        _require_all(dataset, keys, self._tables.delete(self._keyed(dataset), keys))

    def secrets(self, secrets: Mapping[str, Secret | str]) -> None:
        """Give credentials other secrets, as after a rotation; the next cycle sees them.

        Raises:
            ConfigurationError: no transformer declares the credential.
        """
        environ = {**self._folder.environ, **self._variables(secrets)}
        self._secrets.update(secrets)
        self._folder = dataclasses.replace(self._folder, environ=environ)

    def run(self) -> Cycle:
        """Run a cycle: every input is read once, then every transformer for which there is something to do.

        Raises:
            AssertionError: a stream failed, was parked or has to wait; the message says why and what the code printed.
        """
        cycle = self._cycle()
        if not cycle.ok:
            raise AssertionError(cycle.told())
        return cycle

    def fails(self) -> Cycle:
        """Run a cycle in which a transformer has to fail; its `error` says why.

        Raises:
            AssertionError: all went well.
        """
        cycle = self._cycle()
        if all(cycle.batches[stream].state in {"merged", "idle"} for stream in self._derived):
            raise AssertionError(f"cycle {cycle.number} was expected to fail, and all went well")
        return cycle

    def current(self, dataset: str) -> _Rows:
        """Return the rows of an output as its consumers see them, sorted by the first column."""
        name, found = self._output(dataset)
        return self._tables.read(self._schema, self._view(name), [c.name for c in found.columns])

    def history(self, dataset: str) -> _Rows:
        """Return every version of an output's rows, with `ds_batch_in` and `ds_batch_out`."""
        name, found = self._output(dataset)
        columns = [c.name for c in (*found.columns, *_BATCHES)]
        return self._tables.read(self._schema, self._view(name, history=True), columns)

    def changes(self, dataset: str) -> _Rows:
        """Return what the last cycle changed of an output: its rows, and `ds_op`, which is I, U or D."""
        name, found = self._output(dataset)
        before = self._before.get(name.partition(".")[0])
        return self._tables.changes(self._schema, self._view(name, history=True), found.columns, before)

    def assert_current(self, dataset: str, rows: Given, *, ignore: Sequence[str] = ()) -> None:
        """Require that consumers see exactly these rows, in any order.

        Args:
            dataset: An output.
            rows: What is expected.
            ignore: Columns that are not compared, and not given.

        Raises:
            AssertionError: they see others; the message shows which.
        """
        found = self._output(dataset)[1]
        self._require(dataset, self.current(dataset), rows, found, found.columns, ignore)

    def assert_history(self, dataset: str, rows: Given, *, ignore: Sequence[str] = ()) -> None:
        """Require exactly these versions, each with `ds_batch_in` and `ds_batch_out`; arguments as `assert_current`."""
        found = self._output(dataset)[1]
        columns = (*found.columns, *_BATCHES)
        self._require(f"history of {dataset}", self.history(dataset), rows, found, columns, ignore)

    def assert_changes(self, dataset: str, rows: Given, *, ignore: Sequence[str] = ()) -> None:
        """Require that the last cycle changed exactly these rows, each with `ds_op`; arguments as `assert_current`."""
        found = self._output(dataset)[1]
        columns = (*found.columns, _OPERATION)
        self._require(f"changes of {dataset}", self.changes(dataset), rows, found, columns, ignore)

    def assert_rebuild_agrees(self, *, ignore: Sequence[str] = ()) -> None:
        """Require that the outputs are what the transformers make of the inputs as they are now, from nothing.

        What was kept up to date by changes over several cycles has to equal what one run derives at once.

        Raises:
            AssertionError: an output differs; the message shows how.
        """
        with self._again(self._secrets) as fresh:
            for dataset, table in self._inputs.items():
                fresh.given(dataset, self._tables.given(table))
            fresh.run()
            for name, table in self._outputs.items():
                expected = _without(fresh.current(name), ignore)
                self._require(name, self.current(name), expected, table, table.columns, ignore)

    def _cycle(self) -> Cycle:
        self._number += 1
        with listening() as printed:
            reports = run_once(self._folder, NullProgress(), Stopping())
        counted: dict[str, Counts] = {}
        self._before = dict(self._last)
        with self._folder.open_one(self._folder.platforms[0]) as running:
            for report in (r for r in reports if r.batch_id is not None):
                self._last[report.stream] = report.batch_id or 0
                for batch in history(running, report.stream, 1):
                    for name, n in batch.datasets.items():
                        counted[f"{report.stream}.{name}"] = Counts(n.inserted, n.updated, n.deleted)
        none = dict.fromkeys([*self._inputs, *self._outputs], Counts())
        return Cycle(
            number=self._number,
            batches={report.stream: report for report in reports},
            counted={**none, **counted},
            printed=tuple(printed),
        )

    def _require(
        self,
        what: str,
        found: _Rows,
        rows: Given,
        dataset: JobDataset,
        columns: Sequence[JobColumn],
        ignore: Sequence[str],
    ) -> None:
        compared = [c for c in columns if c.name not in ignore]
        expected = self._tables.typed(compared, rows)
        key = [c.name for c in dataset.key_columns]
        names = {c.name for c in compared}
        versions = "ds_batch_in" in names
        matched = [*key, "ds_batch_in"] if versions else key
        text = difference(_without(found, ignore), expected, matched if key and names.issuperset(matched) else [])
        if text:
            raise AssertionError(f"{what} is not as expected after cycle {self._number}:\n{text}")

    def _view(self, name: str, *, history: bool = False) -> str:
        store, _, dataset = name.partition(".")
        return view_name(store, dataset, _LIMIT, history=history)

    def _input(self, name: str) -> JobDataset:
        return self._inputs[_full(name, self._inputs, "input")]

    def _keyed(self, name: str) -> JobDataset:
        found = self._input(name)
        if not found.key_columns:
            raise ConfigurationError(f"{name} has no key, by which rows could be found", hint="give all rows anew")
        return found

    def _output(self, name: str) -> tuple[str, JobDataset]:
        full = _full(name, self._outputs, "output")
        return full, self._outputs[full]


def _full(name: str, datasets: Mapping[str, JobDataset], kind: str) -> str:
    """Return the full name of a dataset.

    Raises:
        ConfigurationError: there is none of that name, or several.
    """
    found = [full for full in datasets if name in {full, full.partition(".")[2]}]
    if len(found) == 1:
        return found[0]
    listed = ", ".join(sorted(found or datasets)) or "none"
    what = f"several {kind}s are called" if found else f"there is no {kind}"
    raise ConfigurationError(f"{what} {name!r}", hint=f"{kind}s: {listed}")


def _without(rows: _Rows, ignore: Sequence[str]) -> _Rows:
    return [{name: value for name, value in row.items() if name not in ignore} for row in rows]


def _require_all(dataset: str, rows: Sequence[Mapping[str, Any]], found: int) -> None:
    if found != len(rows):
        raise AssertionError(f"{dataset} has {found} of these {len(rows)} rows: {list(rows)}")
