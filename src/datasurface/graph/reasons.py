"""Why a stream exists, in sentences: from who asks for it, through transformers, to the consumers at the end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from datasurface.graph.nodes import Graph, Stream, TransformerNode

__all__ = ["why"]

_StreamKey = tuple[str, str]
"""The names of a platform and of a stream."""


def why(graph: Graph, stream_name: str) -> list[str]:
    """Return the sentences that explain a stream, nearest first; none if there is no such stream.

    A stream that exists on several platforms is explained for each; a cycle is followed once.
    """
    streams = {(s.platform, s.name): s for s in graph.streams}
    transformers = {(t.platform, t.workspace.name): t for t in graph.transformers}
    starts = sorted(key for key in streams if key[1] == stream_name)
    several = len(starts) > 1
    return [
        f"on platform {start[0]}, {sentence}" if several else sentence
        for start in starts
        for sentence in _sentences(start, streams, transformers)
    ]


def _sentences(
    start: _StreamKey, streams: Mapping[_StreamKey, Stream], transformers: Mapping[_StreamKey, TransformerNode]
) -> Iterator[str]:
    """Yield a sentence for each reason, stream by stream, breadth first."""
    platform = start[0]
    seen = {start}
    work = [start]
    for key in work:
        subject = "this stream" if key == start else f"stream {key[1]}"
        read_by: dict[str, TransformerNode] = {}
        for dataset in streams[key].datasets:
            for reason in dataset.reasons:
                yield f"{subject} exists because {reason}"
                node = transformers.get((platform, reason.workspace))
                if node is not None:
                    read_by[reason.workspace] = node
        for workspace, node in sorted(read_by.items()):
            outputs = [(platform, name) for name in node.outputs if (platform, name) in streams]
            yield f"workspace {workspace} has a transformer, which feeds stream {', '.join(node.outputs)}"
            work += [output for output in outputs if output not in seen]
            seen.update(outputs)
