"""Where data comes from and where it goes: datasets along the derived pipelines, columns as far as they are known.

Ingestion and views keep every column as it is, so their lineage is exact. What a transformer makes of its columns is
not known here, and the answer says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from datasurface.graph.nodes import Export, Graph, Stream, StreamKind
from datasurface.model.effective import source_of
from datasurface.model.schema import Column

__all__ = [
    "ColumnLineage",
    "ColumnPlace",
    "Lineage",
    "column_downstream",
    "column_upstream",
    "downstream",
    "upstream",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """What lies on one side of a dataset; every tuple is sorted.

    Attributes:
        datasets: `store.dataset`; the dataset asked about is among them only if it depends on itself.
        transformers: The workspaces whose transformers are passed through.
        sources: Upstream only: the containers that are read.
        views: Downstream only: `workspace.group` that see any of it.
    """

    datasets: tuple[str, ...] = ()
    transformers: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    views: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class ColumnPlace:
    """A column somewhere: in a source's table, in a consumer's view or in a dataset.

    Attributes:
        place: Such as `source crm_db: public.orders` or `view reports.live: crm.orders`.
        column: Its name there.
    """

    place: str
    column: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnLineage:
    """Where a column comes from or goes.

    Attributes:
        exact: The places that hold the very same values, sorted.
        unknown: In words, where the trace is lost: transformers that may use the column, or make it of anything they
            read.
    """

    exact: tuple[ColumnPlace, ...] = ()
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Flow:
    """Datasets and the transformers between them, over all platforms."""

    reads: Mapping[str, set[str]]
    """What each transformer reads."""
    writes: Mapping[str, set[str]]
    """What each transformer writes."""
    readers: Mapping[str, set[str]]
    writers: Mapping[str, set[str]]


def upstream(graph: Graph, reference: str) -> Lineage:
    """Return everything that `store.dataset` is made of; nothing if the graph does not have it."""
    flow = _flow(graph)
    datasets, transformers = _walk(reference, flow.writers, flow.reads)
    passed = {*datasets, reference}
    sources = {
        capture.container.name
        for s in graph.streams
        if s.kind is StreamKind.INGESTION and (capture := s.datastore.capture) is not None
        if passed.intersection(_carried(s))
    }
    return Lineage(datasets=_ordered(datasets), transformers=_ordered(transformers), sources=_ordered(sources))


def downstream(graph: Graph, reference: str) -> Lineage:
    """Return everything that is made of `store.dataset`; nothing if the graph does not have it."""
    flow = _flow(graph)
    datasets, transformers = _walk(reference, flow.readers, flow.writes)
    passed = {*datasets, reference}
    views = {_view(e) for e in graph.exports if any(sink.dataset in passed for sink, _stream in e.sinks)}
    return Lineage(datasets=_ordered(datasets), transformers=_ordered(transformers), views=_ordered(views))


def column_upstream(graph: Graph, reference: str) -> ColumnLineage:
    """Return where the column `store.dataset.column` comes from."""
    dataset, _dot, name = reference.rpartition(".")
    exact: set[ColumnPlace] = set()
    unknown: set[str] = set()
    for stream, column in _columns(graph, dataset, name):
        if stream.kind is StreamKind.INGESTION:
            exact.add(ColumnPlace(_table(stream, dataset), column.source))
            continue
        for node in graph.transformers:
            if stream.platform == node.platform and stream.name in node.outputs:
                unknown.add(f"transformer of workspace {node.workspace.name} makes it; of which columns is not known")
    return ColumnLineage(exact=tuple(sorted(exact)), unknown=_ordered(unknown))


def column_downstream(graph: Graph, reference: str) -> ColumnLineage:
    """Return where the column `store.dataset.column` goes."""
    dataset, _dot, name = reference.rpartition(".")
    if not any(True for _ in _columns(graph, dataset, name)):
        return ColumnLineage()
    running = {(t.platform, t.workspace.name) for t in graph.transformers}
    exact: set[ColumnPlace] = set()
    unknown: set[str] = set()
    for export in graph.exports:
        for sink, _stream in export.sinks:
            if sink.dataset != dataset or (sink.columns is not None and name not in sink.columns):
                continue
            exact.add(ColumnPlace(f"view {_view(export)}: {dataset}", name))
            if (export.platform, export.workspace.name) in running:
                unknown.add(
                    f"transformer of workspace {export.workspace.name} reads it; what it makes of it is not known"
                )
    return ColumnLineage(exact=tuple(sorted(exact)), unknown=_ordered(unknown))


def _ordered(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(names))


def _view(export: Export) -> str:
    return f"{export.workspace.name}.{export.group.name}"


def _carried(stream: Stream) -> list[str]:
    return [f"{stream.datastore.name}.{d.dataset.name}" for d in stream.datasets]


def _flow(graph: Graph) -> _Flow:
    running = {t.workspace.name for t in graph.transformers}
    carried = {(s.platform, s.name): _carried(s) for s in graph.streams}
    reads: dict[str, set[str]] = {workspace: set() for workspace in running}
    writes: dict[str, set[str]] = {workspace: set() for workspace in running}
    for export in graph.exports:
        if export.workspace.name in running:
            reads[export.workspace.name].update(sink.dataset for sink, _stream in export.sinks)
    for node in graph.transformers:
        for output in node.outputs:
            writes[node.workspace.name].update(carried.get((node.platform, output), ()))
    return _Flow(reads=reads, writes=writes, readers=_inverted(reads), writers=_inverted(writes))


def _inverted(sets: Mapping[str, set[str]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for name, members in sets.items():
        for member in members:
            found.setdefault(member, set()).add(name)
    return found


def _walk(
    start: str, transformers_of: Mapping[str, set[str]], datasets_of: Mapping[str, set[str]]
) -> tuple[set[str], set[str]]:
    """Return the datasets and transformers beyond `start`, cycles included."""
    datasets: set[str] = set()
    passed: set[str] = set()
    work = [start]
    while work:
        for workspace in transformers_of.get(work.pop(), set()) - passed:
            passed.add(workspace)
            fresh = datasets_of[workspace] - datasets
            datasets |= fresh
            work += fresh
    return datasets, passed


def _columns(graph: Graph, reference: str, name: str) -> Iterable[tuple[Stream, Column]]:
    for stream in graph.streams:
        for need in stream.datasets:
            if f"{stream.datastore.name}.{need.dataset.name}" == reference:
                yield from ((stream, column) for column in need.dataset.columns if column.name == name)


def _table(stream: Stream, reference: str) -> str:
    capture = stream.datastore.capture
    dataset = next(d.dataset for d in stream.datasets if reference == f"{stream.datastore.name}.{d.dataset.name}")
    container = "" if capture is None else capture.container.name
    schema, table = source_of(dataset, None if capture is None else getattr(capture.container, "schema", None))
    return f"source {container}: {table if schema is None else f'{schema}.{table}'}"
