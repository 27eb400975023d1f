"""Tables that follow the model: what to create, what to change in place, what is refused, what has retired."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator

from sqlalchemy import Connection

from datasurface.databases.merge import MergeStore, PhysicalTable, Tables
from datasurface.engine.actual import Actual, KnownView
from datasurface.engine.operation import Operation
from datasurface.engine.publish import VERSION_COLUMNS
from datasurface.model.check import SqlCheck, check_name
from datasurface.model.vocabulary import History
from datasurface.names import shorten
from datasurface.release.job import JobDataset, JobSpec, PlatformSpec
from datasurface.store.streams import DatasetState

__all__ = ["WAY_OUT", "check_refusals", "retired_tables", "table_operations"]

_ASIDE = "ds_gone."
WAY_OUT = "take the dataset out of the model, `apply --prune`, and put it back; or give it another name"
"""What a change of the model that is refused can do instead; a rollback cannot."""


def table_operations(
    store: MergeStore, connection: Connection, spec: PlatformSpec, schema: str, actual: Actual
) -> Iterator[Operation]:
    """Yield what has to be done to the tables of every dataset of the platform."""
    for job in spec.jobs:
        for dataset in job.datasets:
            tables = store.tables_of(schema, f"{job.datastore}.{dataset.name}")
            yield from _dataset_operations(store, connection, job, dataset, tables, actual)


def _dataset_operations(
    store: MergeStore, connection: Connection, job: JobSpec, dataset: JobDataset, tables: Tables, actual: Actual
) -> Iterator[Operation]:
    target = f"table {job.datastore}.{dataset.name}"
    state = actual.states.get((job.stream, dataset.name))
    other = _other_stream(job, dataset, actual)
    current = actual.tables.get(tables.current)
    if other is not None and current is not None:
        reason = f"stream {other!r} has loaded it; {WAY_OUT}"
        yield Operation(action="change", target=target, detail=f"stream {job.stream!r}", refused=reason)
        return
    if current is None or state is None or (not state.loaded and _differs(store, dataset, current)):
        yield _create(store, connection, job, dataset, tables, target, actual)
        return
    yield from _change(store, connection, job, dataset, tables, current, actual, target)
    yield from _companions(store, job, dataset, tables, actual)


def _other_stream(job: JobSpec, dataset: JobDataset, actual: Actual) -> str | None:
    """Return the stream of the same datastore under which this dataset was loaded before, if that is another."""
    candidates = {job.datastore, f"{job.datastore}.{dataset.name}"} - {job.stream}
    return next((c for c in sorted(candidates) if (s := actual.states.get((c, dataset.name))) and s.loaded), None)


def _differs(store: MergeStore, dataset: JobDataset, table: PhysicalTable) -> bool:
    wanted = [(c.name, store.column_type(dataset, c.name), c.nullable) for c in dataset.columns]
    found = [(c.name, c.type, c.nullable) for c in table.columns if not c.name.startswith("ds_")]
    return wanted != found or set(table.key) != {c.name for c in dataset.key_columns}


def _create(
    store: MergeStore,
    connection: Connection,
    job: JobSpec,
    dataset: JobDataset,
    tables: Tables,
    target: str,
    actual: Actual,
) -> Operation:
    """Return what makes the empty tables of a dataset, in place of empty ones of an older shape.

    History and kept deltas that are there stay: they were made by an earlier life of the dataset.
    """
    standing = [v for v in actual.known.values() if v.stream == job.stream and v.dataset == dataset.name]
    statements = [store.drop_view(v.schema, v.name) for v in standing]
    statements += [store.drop_table(tables.schema, t) for t in (tables.current, *_shared(tables))]
    statements += store.create_current(tables, dataset)
    if dataset.history is History.FULL:
        statements += _kept(store, connection, dataset, tables, tables.history, actual)
    if job.keep_batches:
        statements += _kept(store, connection, dataset, tables, tables.deltas, actual)
    return Operation(
        action="create",
        target=target,
        detail=f"{len(dataset.columns)} columns, {dataset.history.value}",
        statements=tuple(statements),
        stream=job.stream,
        saves_state=(job.stream, DatasetState(dataset=dataset.name)),
        forgets_views=tuple((v.schema, v.name) for v in standing),
    )


def _kept(
    store: MergeStore, connection: Connection, dataset: JobDataset, tables: Tables, name: str, actual: Actual
) -> Iterator[str]:
    """Yield what makes a history or deltas table, or lets one of an earlier life follow; an empty one is made anew."""
    create = store.create_history if name == tables.history else store.create_deltas
    found = actual.tables.get(name)
    if found is None:
        yield from create(tables, dataset)
    elif store.count(connection, tables.schema, name) == 0:
        yield store.drop_table(tables.schema, name)
        yield from create(tables, dataset)
    else:
        yield from (change[0] for change in _column_changes(store, tables.schema, dataset, found))


def _companions(
    store: MergeStore, job: JobSpec, dataset: JobDataset, tables: Tables, actual: Actual
) -> Iterator[Operation]:
    """Yield what makes a history or deltas table for a dataset that did not need one before."""
    name = f"{job.datastore}.{dataset.name}"
    if dataset.history is History.FULL and tables.history not in actual.tables:
        yield Operation(
            action="create",
            target=f"history of {name}",
            detail="begins with the next batch",
            statements=tuple(store.create_history(tables, dataset)),
            stream=job.stream,
        )
    if job.keep_batches and tables.deltas not in actual.tables:
        yield Operation(
            action="create",
            target=f"deltas of {name}",
            detail=f"kept for {job.keep_batches} batches" if job.keep_batches > 0 else "all kept",
            statements=tuple(store.create_deltas(tables, dataset)),
            stream=job.stream,
        )


def _change(
    store: MergeStore,
    connection: Connection,
    job: JobSpec,
    dataset: JobDataset,
    tables: Tables,
    current: PhysicalTable,
    actual: Actual,
    target: str,
) -> Iterator[Operation]:
    """Yield the one operation that lets the tables of a loaded dataset follow the model, if they differ."""
    refused = _refusals(store, dataset, current)
    if refused:
        yield Operation(action="change", target=target, refused=f"{'; '.join(refused)}. {WAY_OUT}")
        return
    words: list[str] = []
    alters: list[str] = []
    departures: list[str] = []
    rewrites = 0
    retyped = False
    for table in (tables.current, tables.history, tables.deltas):
        found = actual.tables.get(table)
        if found is None:
            continue
        for statement, word, rewrite, type_changes in _column_changes(store, tables.schema, dataset, found):
            alters.append(statement)
            rewrites += found.bytes if rewrite else 0
            retyped = retyped or type_changes
            if table == tables.current:
                words.append(word)
        for column, statements in _departures(store, tables.schema, dataset, found):
            departures += statements
            if table == tables.current:
                words.append(f"{column} is no longer read")
    if not alters and not departures:
        return
    views = (
        [v for v in actual.known.values() if v.stream == job.stream and v.dataset == dataset.name] if retyped else []
    )
    yield Operation(
        action="change",
        target=target,
        detail=", ".join(words) or "its history",
        statements=(*_around_views(store, connection, tables, views, alters), *departures),
        stream=job.stream,
        rewrites=rewrites,
        blocked=_strangers(actual, tables, views),
    )


def _around_views(
    store: MergeStore, connection: Connection, tables: Tables, views: list[KnownView], alters: list[str]
) -> Iterator[str]:
    """Yield the alterations between dropping our views and making them again with their grants."""
    yield from (store.drop_view(v.schema, v.name) for v in views)
    yield from (store.drop_table(tables.schema, table) for table in _shared(tables))
    yield from alters
    for view in views:
        yield view.statement
        shown = (*view.columns, *VERSION_COLUMNS) if view.history else view.columns
        yield from store.read_grants(connection, view.schema, view.name, shown)


def _strangers(actual: Actual, tables: Tables, views: list[KnownView]) -> str:
    """Return whose views stand on what must be dropped for a moment."""
    if not views:
        return ""
    found = {s for v in views for s in actual.strangers_on(v.schema, v.name)}
    found |= set(actual.strangers_on(tables.schema, tables.current))
    return f"somebody's own view stands on it: {', '.join(sorted(found))}" if found else ""


def _refusals(store: MergeStore, dataset: JobDataset, table: PhysicalTable) -> list[str]:
    """Return what of the new shape an existing table cannot follow without losing something."""
    key = {c.name for c in dataset.key_columns}
    found = {c.name: c.type for c in table.columns}
    problems = []
    if set(table.key) != key:
        problems.append(f"the key changes from ({', '.join(table.key)}) to ({', '.join(sorted(key))})")
    for column in dataset.columns:
        wanted = store.column_type(dataset, column.name)
        if column.name in found and store.widening(found[column.name], wanted) is None:
            problems.append(f"column {column.name!r} changes from {found[column.name]} to {wanted}")
    return problems


def _column_changes(
    store: MergeStore, schema: str, dataset: JobDataset, table: PhysicalTable
) -> Iterator[tuple[str, str, bool, bool]]:
    """Yield each alteration of one table: the statement, in words, whether it rewrites, whether a type changes."""
    found = {c.name: c for c in table.columns}
    wanted = {c.name: c for c in dataset.columns}
    for name, column in wanted.items():
        physical = store.column_type(dataset, name)
        if name not in found:
            yield store.add_column(schema, table.name, name, physical), f"add {name} {physical}", False, False
            continue
        if found[name].type != physical:
            rewrite = bool(store.widening(found[name].type, physical))
            word = f"widen {name} from {found[name].type} to {physical}"
            yield store.alter_type(schema, table.name, name, physical), word, rewrite, True
        if column.nullable and not found[name].nullable:
            yield store.drop_not_null(schema, table.name, name), f"{name} may be NULL", False, False


def _departures(
    store: MergeStore, schema: str, dataset: JobDataset, table: PhysicalTable
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each column that the model no longer has: its name, and the statements that put its values aside.

    A column that comes back later begins empty, as every added one: what it held meanwhile nobody knows.
    """
    wanted = {c.name for c in dataset.columns}
    taken = {c.name for c in table.columns}
    for column in table.columns:
        if column.name in wanted or column.name.startswith("ds_"):
            continue
        aside = next(n for n in _aside_names(column.name, store.name_limit) if n not in taken)
        taken.add(aside)
        relax = () if column.nullable else (store.drop_not_null(schema, table.name, column.name),)
        yield column.name, (*relax, store.rename_column(schema, table.name, column.name, aside))


def _aside_names(column: str, limit: int) -> Iterator[str]:
    """Yield names under which a departed column may be kept; no column of a dataset begins like them."""
    return (shorten(f"{_ASIDE}{number}.{column}", limit) for number in itertools.count(1))


def check_refusals(store: MergeStore, connection: Connection, spec: PlatformSpec, schema: str) -> Iterator[Operation]:
    """Yield why users' queries that are to check datasets may not run; nothing for those that may."""
    for job in spec.jobs:
        datasets = {d.name: d for d in job.datasets}
        for declared in job.checks:
            for check in declared.checks:
                if isinstance(check, SqlCheck):
                    fault = store.query_fault(connection, schema, datasets[declared.dataset], check)
                    target = f"check {job.datastore}.{declared.dataset}: {check_name(check)}"
                    if fault:
                        yield Operation(action="refuse", target=target, refused=fault)


def retired_tables(store: MergeStore, spec: PlatformSpec, schema: str, actual: Actual) -> Iterator[Operation]:
    """Yield what `apply --prune` drops: tables of datasets that left the model, and history that nobody asks for."""
    wanted = {(job.stream, d.name): d for job in spec.jobs for d in job.datasets}
    in_use = {f"{job.datastore}.{d.name}" for job in spec.jobs for d in job.datasets}
    for (stream, dataset), state in sorted(actual.states.items()):
        name = f"{stream.partition('.')[0]}.{dataset}"
        tables = store.tables_of(schema, name)
        if (stream, dataset) in wanted:
            if wanted[stream, dataset].history is History.LIVE and tables.history in actual.tables:
                history = _drop(store, actual, f"history of {name}", schema, [tables.history], stream, None)
                yield dataclasses.replace(history, ends_history=(stream, dataset))
            yield from _drop_departed(store, actual, tables, name, stream)
            continue
        names = [] if name in in_use else [t for t in _all(tables) if t in actual.tables]
        yield _drop(store, actual, f"table {name} ({state.rows} rows)", schema, names, stream, (stream, dataset))


def _drop_departed(store: MergeStore, actual: Actual, tables: Tables, name: str, stream: str) -> Iterator[Operation]:
    """Yield what drops the columns that left a dataset."""
    found = [(t, c.name) for t in _all(tables) if t in actual.tables for c in actual.tables[t].columns]
    departed = [(table, column) for table, column in found if column.startswith(_ASIDE)]
    if departed:
        yield Operation(
            action="drop",
            target=f"columns of {name}",
            detail=f"{len(departed)} that left the model",
            statements=tuple(store.drop_column(tables.schema, table, column) for table, column in departed),
            stream=stream,
            destructive=True,
        )


def _all(tables: Tables) -> tuple[str, ...]:
    return (tables.current, tables.history, tables.deltas, *_shared(tables))


def _shared(tables: Tables) -> tuple[str, ...]:
    """Return the tables that small batches share; the next one makes them again."""
    return (tables.staging, tables.changes, tables.delta)


def _drop(
    store: MergeStore,
    actual: Actual,
    target: str,
    schema: str,
    names: list[str],
    stream: str,
    forgets: tuple[str, str] | None,
) -> Operation:
    strangers = sorted({s for name in names for s in actual.strangers_on(schema, name)})
    return Operation(
        action="drop",
        target=target,
        detail="nobody in the model asks for it any longer",
        statements=tuple(store.drop_table(schema, name) for name in names),
        stream=stream,
        blocked=f"somebody's own view stands on it: {', '.join(strangers)}" if strangers else "",
        forgets_state=forgets,
        destructive=True,
    )
