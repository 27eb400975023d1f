"""The graph as people and programs read it: a text, a Mermaid flowchart, a DOT digraph, a plain document for JSON.

Equal graphs give equal text. Names are shown as they are, whatever they hold, and never end a line or a quote.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from datasurface.graph.diagram import dot, mermaid
from datasurface.graph.nodes import Export, Graph, Stream, StreamDataset, StreamKind, TransformerNode
from datasurface.graph.words import every_as_data, every_in_words, printable, retention_in_words
from datasurface.model.vocabulary import History

__all__ = ["document", "dot", "mermaid", "text"]


def document(graph: Graph) -> dict[str, object]:
    """Return the graph as plain data; these keys are stable.

    `streams`: `platform, name, kind` (`ingestion` or `output`)`, zone, team, datastore, container` and `every` (null
    for an output)`, priority, latency`, and `datasets`: `name, history, latency, retention` (null for ever) and
    `reasons`: `workspace, group, dataset, wants`. `transformers`: `platform, workspace, name, every` (null: whenever
    an input has changed)`, priority, inputs, outputs` (names of streams). `exports`: `platform, workspace, group,
    history`, and `sinks`: `dataset, stream`. `edges`: `platform, source, target`. `unused`: `store.dataset`.
    `idle_system`: DataSurface's own datastores that nobody consumes. `problems`: `kind, path, message`. An `every` is
    `5 minutes`, `cron 0 6 * * 1-5 UTC` or `external`.
    """
    return {
        "streams": [_stream_document(s) for s in graph.streams],
        "transformers": [_transformer_document(t) for t in graph.transformers],
        "exports": [_export_document(e) for e in graph.exports],
        "edges": [{"platform": e.platform, "source": e.source, "target": e.target} for e in graph.edges],
        "unused": list(graph.unused),
        "idle_system": list(graph.idle_system),
        "problems": [{"kind": p.kind, "path": p.path, "message": p.message} for p in graph.problems],
    }


def _stream_document(stream: Stream) -> dict[str, object]:
    capture = stream.datastore.capture if stream.kind is StreamKind.INGESTION else None
    return {
        "platform": stream.platform,
        "name": stream.name,
        "kind": stream.kind.value,
        "zone": stream.zone,
        "team": stream.team,
        "datastore": stream.datastore.name,
        "container": capture.container.name if capture else None,
        "every": every_as_data(capture.every) if capture else None,
        "priority": stream.priority.value,
        "latency": stream.latency.value,
        "datasets": [_dataset_document(d) for d in stream.datasets],
    }


def _dataset_document(need: StreamDataset) -> dict[str, object]:
    return {
        "name": need.dataset.name,
        "history": need.history.value,
        "latency": need.latency.value,
        "retention": need.retention,
        "reasons": [
            {"workspace": r.workspace, "group": r.group, "dataset": r.dataset, "wants": r.wants} for r in need.reasons
        ],
    }


def _transformer_document(node: TransformerNode) -> dict[str, object]:
    transformer = node.workspace.transformer
    return {
        "platform": node.platform,
        "workspace": node.workspace.name,
        "name": transformer.name if transformer else None,
        "every": every_as_data(transformer.every) if transformer and transformer.every is not None else None,
        "priority": node.priority.value,
        "inputs": list(node.inputs),
        "outputs": list(node.outputs),
    }


def _export_document(export: Export) -> dict[str, object]:
    return {
        "platform": export.platform,
        "workspace": export.workspace.name,
        "group": export.group.name,
        "history": export.group.history.value,
        "sinks": [{"dataset": sink.dataset, "stream": stream} for sink, stream in export.sinks],
    }


def text(graph: Graph) -> str:
    """Return the pipelines as an indented text: platform by platform, source to stream to whom it serves."""
    lines = [line for platform in _platforms(graph) for line in _platform_lines(graph, platform)]
    if not lines:
        lines = ["no pipelines: nothing is consumed on a platform that moves data"]
    if graph.unused:
        lines += ["", "not asked for by anybody", *(f"  {name}" for name in graph.unused)]
    if graph.idle_system:
        lines += ["", "DataSurface's own, not asked for by anybody", *(f"  {name}" for name in graph.idle_system)]
    if graph.problems:
        lines += ["", "problems", *(f"  {p.path}: {p.message} ({p.kind})" for p in graph.problems)]
    return "".join(f"{printable(line)}\n" for line in lines)


def _platforms(graph: Graph) -> list[str]:
    return sorted({s.platform for s in graph.streams} | {t.platform for t in graph.transformers})


def _platform_lines(graph: Graph, platform: str) -> Iterator[str]:
    yield f"platform {platform}"
    streams = [s for s in graph.streams if s.platform == platform]
    served = _served(graph, platform)
    sources: dict[str, list[Stream]] = {}
    outputs: dict[str, Stream] = {}
    for stream in streams:
        capture = stream.datastore.capture
        if stream.kind is StreamKind.INGESTION and capture is not None:
            sources.setdefault(capture.container.name, []).append(stream)
        else:
            outputs[stream.name] = stream
    for source in sorted(sources):
        yield f"  source {source}"
        for stream in sources[source]:
            yield from _stream_lines(stream, served.get(stream.name, ()))
    for node in graph.transformers:
        if node.platform == platform:
            yield f"  transformer {node.workspace.name} ({_transformer_facts(node)})"
            for name in node.outputs:
                if name in outputs:
                    yield from _stream_lines(outputs[name], served.get(name, ()))


def _transformer_facts(node: TransformerNode) -> str:
    every = node.workspace.transformer.every if node.workspace.transformer else None
    when = "when its inputs have changed" if every is None else every_in_words(every)
    reads = f"reads {', '.join(node.inputs)}" if node.inputs else "reads nothing"
    return f"{reads}, {when}, priority {node.priority.value}"


def _stream_lines(stream: Stream, served: Sequence[str]) -> Iterator[str]:
    capture = stream.datastore.capture
    every = f"{every_in_words(capture.every)}, " if stream.kind is StreamKind.INGESTION and capture else ""
    yield f"    stream {stream.name} ({every}priority {stream.priority.value})"
    for need in stream.datasets:
        facts = [f"history {need.history.value}", f"latency {need.latency.value}"]
        if need.history is History.FULL:
            facts.append(retention_in_words(need.retention))
        yield f"      dataset {need.dataset.name} ({', '.join(facts)})"
    yield from (f"      -> {name}" for name in served)


def _served(graph: Graph, platform: str) -> dict[str, list[str]]:
    """Return whom each stream of a platform feeds: transformers, then groups that consume for themselves."""
    found: dict[str, list[str]] = {}
    nodes = [t for t in graph.transformers if t.platform == platform]
    for node in nodes:
        for stream in node.inputs:
            found.setdefault(stream, []).append(f"transformer {node.workspace.name}")
    running = {node.workspace.name for node in nodes}
    for export in graph.exports:
        if export.platform == platform and export.workspace.name not in running:
            for stream in sorted({stream for _sink, stream in export.sinks}):
                found.setdefault(stream, []).append(_export_words(export))
    return found


def _export_words(export: Export) -> str:
    return f"group {export.workspace.name}.{export.group.name} (history {export.group.history.value})"
