"""The pipelines of a model, derived backwards from its consumers: what nobody asks for is not built.

A transformer runs on every platform where a consumer needs its output, directly or through other transformers, and
its inputs are served there. It does not run for its own sake: not if nobody consumes its output, nor if only it does.
Pure, and its time grows with the model's size only; knows no database's abilities.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from datasurface.graph.assign import Placement, place_groups
from datasurface.graph.index import DatasetKey, Index, IndexedGroup, index_of
from datasurface.graph.nodes import (
    Edge,
    Export,
    Graph,
    GraphProblem,
    Reason,
    Stream,
    StreamDataset,
    StreamKind,
    TransformerNode,
)
from datasurface.graph.order import acyclic
from datasurface.graph.requirements import (
    Demand,
    asked_datasets,
    derive_demand,
    highest_priority,
    strongest,
    tightest_latency,
    wants,
)
from datasurface.graph.runs import wanted_by_consumers
from datasurface.graph.sources import unfed_cycles
from datasurface.model.capture import Capture
from datasurface.model.ecosystem import Ecosystem
from datasurface.model.vocabulary import Consistency
from datasurface.names import is_system_name

__all__ = ["build_graph"]

_Asks = dict[tuple[str, str, str], list[IndexedGroup]]
"""Who asks for a dataset on a platform, sorted by workspace and group."""


def build_graph(ecosystem: Ecosystem) -> Graph:
    """Derive all pipelines of a model; the order of its declarations makes no difference."""
    index = index_of(ecosystem)
    placement = place_groups(ecosystem, index)
    demand = derive_demand(index, placement)
    served = _served_groups(index, placement, demand)
    streams = sorted(_streams(index, demand, _asks(served, demand)), key=lambda s: (s.platform, s.name))
    transformers = _following([_transformer(index, demand, run) for run in sorted(demand.runs)])
    exports = tuple([e for platform, group in served if (e := _export(index, demand, platform, group)).sinks])
    asked = asked_datasets(index)
    return Graph(
        streams=tuple(streams),
        transformers=transformers,
        exports=exports,
        edges=tuple([Edge(*ends) for ends in sorted(_edges(streams, transformers, exports))]),
        unused=tuple(
            sorted(
                f"{s}.{d}"
                for s, names in index.datasets.items()
                for d in names
                if (s, d) not in asked and not is_system_name(s)
            )
        ),
        idle_system=_idle_system(index, asked),
        problems=_sorted((*placement.problems, *demand.problems, *unfed_cycles(index))),
    )


def _idle_system(index: Index, asked: Collection[DatasetKey]) -> tuple[str, ...]:
    used = {store for store, _dataset in asked}
    return tuple(sorted(name for name in index.stores if is_system_name(name) and name not in used))


def _sorted(problems: Iterable[GraphProblem]) -> tuple[GraphProblem, ...]:
    return tuple(sorted(problems, key=lambda p: (p.path, p.kind, p.message)))


def _served_groups(index: Index, placement: Placement, demand: Demand) -> list[tuple[str, IndexedGroup]]:
    """Return each platform and group that is served there, sorted: consumers', and those of transformers that run."""
    inputs = [(platform, group) for platform, workspace in demand.runs for group in index.groups[workspace]]
    served = [*wanted_by_consumers(index, placement), *inputs]
    return sorted(served, key=lambda each: (each[0], each[1].workspace.name, each[1].group.name))


def _asks(served: Iterable[tuple[str, IndexedGroup]], demand: Demand) -> _Asks:
    asks: _Asks = {key: [] for key in demand.datasets}
    for platform, group in served:
        for _sink, (store, dataset) in group.sinks:
            asking = asks.get((platform, store, dataset))
            if asking is not None:
                asking.append(group)
    return asks


def _stream_name(index: Index, key: DatasetKey) -> str:
    """Return the stream that carries a dataset."""
    capture = _capture(index, key[0])
    if capture is not None and capture.consistency is Consistency.DATASET:
        return f"{key[0]}.{key[1]}"
    return key[0]


def _capture(index: Index, store: str) -> Capture | None:
    """Return how a store is read; None for what a transformer writes."""
    placed = index.stores[store]
    return placed.datastore.capture if placed.workspace is None else None


def _streams(index: Index, demand: Demand, asks: Mapping[tuple[str, str, str], list[IndexedGroup]]) -> Iterator[Stream]:
    carried: dict[tuple[str, str, str], set[str]] = {}
    for platform, store, dataset in demand.datasets:
        carried.setdefault((platform, store, _stream_name(index, (store, dataset))), set()).add(dataset)
    for (platform, store, name), names in carried.items():
        placed = index.stores[store]
        ordered = [d for d in index.datasets[store] if d in names]
        datasets = tuple([_stream_dataset(index, (store, d), asks[platform, store, d]) for d in ordered])
        yield Stream(
            platform=platform,
            name=name,
            kind=StreamKind.INGESTION if placed.workspace is None else StreamKind.OUTPUT,
            zone=placed.zone.name,
            team=placed.team.name,
            datastore=placed.datastore,
            datasets=datasets,
            priority=highest_priority(demand.datasets[platform, store, d] for d in ordered),
            latency=tightest_latency(d.latency for d in datasets),
        )


def _stream_dataset(index: Index, key: DatasetKey, asking: Sequence[IndexedGroup]) -> StreamDataset:
    store, dataset = key
    need = strongest([g.group for g in asking])
    return StreamDataset(
        dataset=index.datasets[store][dataset],
        history=need.history,
        retention=need.retention,
        latency=need.latency,
        reasons=tuple([_reason(g, f"{store}.{dataset}") for g in asking]),
    )


def _reason(group: IndexedGroup, dataset: str) -> Reason:
    return Reason(
        workspace=group.placed.workspace.name, group=group.group.name, dataset=dataset, wants=wants(group.group)
    )


def _transformer(index: Index, demand: Demand, run: tuple[str, str]) -> TransformerNode:
    platform, workspace = run
    placed = index.workspaces[workspace]
    inputs = {_stream_name(index, key) for key in index.inputs[workspace] if (platform, *key) in demand.datasets}
    output = placed.workspace.transformer.output.name if placed.workspace.transformer else ""
    return TransformerNode(
        platform=platform,
        workspace=placed.workspace,
        inputs=tuple(sorted(inputs)),
        outputs=(output,),
        priority=demand.runs[run],
    )


def _following(nodes: Sequence[TransformerNode]) -> tuple[TransformerNode, ...]:
    """Return the transformers with what each follows; of a cycle, not what comes back to where a source enters."""
    inputs: dict[str, dict[str, tuple[str, ...]]] = {}
    for node in nodes:
        inputs.setdefault(node.platform, {}).update(dict.fromkeys(node.outputs, node.inputs))
    followed = {platform: acyclic(streams) for platform, streams in inputs.items()}
    return tuple([replace(n, triggers=tuple(sorted(followed[n.platform][n.outputs[0]]))) for n in nodes])


def _export(index: Index, demand: Demand, platform: str, group: IndexedGroup) -> Export:
    fed = [(sink, _stream_name(index, key)) for sink, key in group.sinks if (platform, *key) in demand.datasets]
    return Export(platform=platform, workspace=group.workspace, group=group.group, sinks=tuple(fed))


def _edges(
    streams: Iterable[Stream], transformers: Iterable[TransformerNode], exports: Iterable[Export]
) -> Iterator[tuple[str, str, str]]:
    """Yield platform, source and target of each edge; as plain tuples, which are sorted ten times as fast."""
    for stream in streams:
        capture = stream.datastore.capture
        if stream.kind is StreamKind.INGESTION and capture is not None:
            yield stream.platform, f"source:{capture.container.name}", f"stream:{stream.name}"
    for node in transformers:
        name = f"transformer:{node.workspace.name}"
        yield from ((node.platform, f"stream:{read}", name) for read in node.inputs)
        yield from ((node.platform, name, f"stream:{written}") for written in node.outputs)
    for export in exports:
        name = f"export:{export.workspace.name}.{export.group.name}"
        yield from ((export.platform, f"stream:{read}", name) for read in {fed_by for _sink, fed_by in export.sinks})
