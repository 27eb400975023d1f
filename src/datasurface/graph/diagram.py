"""The graph as a drawing: a Mermaid flowchart or a DOT digraph, one box a platform.

Knows names only as text: identifiers are made up from them, labels are escaped, so that any name gives a valid
drawing. The views that a transformer reads through are left out; its inputs are drawn to the transformer itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from datasurface.graph.nodes import Edge, Graph, StreamKind
from datasurface.graph.words import every_in_words, printable
from datasurface.model.vocabulary import History

__all__ = ["dot", "mermaid"]

_NO_WORD = re.compile(r"[^A-Za-z0-9]+")
_MERMAID_UNSAFE = re.compile(r"[^\w .,:/()-]")
_MERMAID_SHAPES = {
    "source": ("[(", ")]"),
    "stream": ("[", "]"),
    "transformer": ("{{", "}}"),
    "export": ("([", "])"),
}
_DOT_SHAPES = {"source": "cylinder", "stream": "box", "transformer": "hexagon", "export": "oval"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Node:
    """A node of the drawing.

    Attributes:
        key: The platform and the node's id in the graph's edges.
        lines: The lines of its label.
    """

    key: tuple[str, str]
    kind: str
    lines: tuple[str, ...]


def mermaid(graph: Graph) -> str:
    """Return a Mermaid flowchart."""
    nodes = _nodes(graph)
    ids = _identifiers(nodes)
    lines = ["flowchart LR"]
    for number, platform in enumerate(_platforms(nodes), 1):
        lines.append(f'  subgraph platform{number}["platform {_mermaid_label((platform,))}"]')
        for node in nodes:
            if node.key[0] == platform:
                opening, closing = _MERMAID_SHAPES[node.kind]
                lines.append(f'    {ids[node.key]}{opening}"{_mermaid_label(node.lines)}"{closing}')
        lines.append("  end")
    lines += [f"  {ids[a]} --> {ids[b]}" for a, b in _arrows(graph, ids)]
    return "\n".join(lines) + "\n"


def dot(graph: Graph) -> str:
    """Return a DOT digraph for Graphviz."""
    nodes = _nodes(graph)
    ids = _identifiers(nodes)
    lines = ["digraph datasurface {", "  rankdir=LR;"]
    for number, platform in enumerate(_platforms(nodes), 1):
        lines += [f"  subgraph cluster_{number} {{", f"    label={_dot_quoted((f'platform {platform}',))};"]
        for node in nodes:
            if node.key[0] == platform:
                shape = _DOT_SHAPES[node.kind]
                lines.append(f"    {ids[node.key]} [label={_dot_quoted(node.lines)}, shape={shape}];")
        lines.append("  }")
    lines += [f"  {ids[a]} -> {ids[b]};" for a, b in _arrows(graph, ids)]
    return "\n".join([*lines, "}"]) + "\n"


def _mermaid_label(lines: tuple[str, ...]) -> str:
    """Escape all but letters, digits and harmless signs as Mermaid's entity codes, which are decimal."""
    return "<br/>".join(_MERMAID_UNSAFE.sub(lambda found: f"#{ord(found[0])};", printable(line)) for line in lines)


def _dot_quoted(lines: tuple[str, ...]) -> str:
    escaped = [printable(line).replace("\\", "\\\\").replace('"', '\\"') for line in lines]
    return '"' + "\\n".join(escaped) + '"'


def _platforms(nodes: list[_Node]) -> list[str]:
    return sorted({node.key[0] for node in nodes})


def _nodes(graph: Graph) -> list[_Node]:
    """Return the nodes, sorted, sources first."""
    found = {node.key: node for node in (*_sources(graph), *_streams(graph), *_ends(graph))}
    order = list(_DOT_SHAPES)
    return sorted(found.values(), key=lambda node: (node.key[0], order.index(node.kind), node.key[1]))


def _sources(graph: Graph) -> Iterator[_Node]:
    for edge in graph.edges:
        if edge.source.startswith("source:"):
            name = edge.source.partition(":")[2]
            yield _Node(key=(edge.platform, edge.source), kind="source", lines=(name,))


def _streams(graph: Graph) -> Iterator[_Node]:
    for stream in graph.streams:
        capture = stream.datastore.capture if stream.kind is StreamKind.INGESTION else None
        facts = ([every_in_words(capture.every)] if capture else []) + [f"priority {stream.priority.value}"]
        datasets = [d.dataset.name + (" (history)" if d.history is History.FULL else "") for d in stream.datasets]
        key = (stream.platform, f"stream:{stream.name}")
        yield _Node(key=key, kind="stream", lines=(f"stream {stream.name}", *datasets, ", ".join(facts)))


def _ends(graph: Graph) -> Iterator[_Node]:
    running = {(t.platform, t.workspace.name) for t in graph.transformers}
    for node in graph.transformers:
        name = node.workspace.name
        yield _Node(key=(node.platform, f"transformer:{name}"), kind="transformer", lines=(f"transformer {name}",))
    for export in graph.exports:
        if (export.platform, export.workspace.name) not in running:
            name = f"{export.workspace.name}.{export.group.name}"
            lines = (f"group {name}", f"history {export.group.history.value}")
            yield _Node(key=(export.platform, f"export:{name}"), kind="export", lines=lines)


def _identifiers(nodes: list[_Node]) -> dict[tuple[str, str], str]:
    """Make up a readable identifier for each node: letters, digits and underscores, unique, no reserved word."""
    found: dict[tuple[str, str], str] = {}
    taken: dict[str, int] = {}
    for node in nodes:
        base = _NO_WORD.sub("_", f"{node.kind}_{node.key[0]}_{node.key[1].partition(':')[2]}").strip("_")
        taken[base] = taken.get(base, 0) + 1
        found[node.key] = base if taken[base] == 1 else f"{base}__{taken[base]}"
    return found


def _arrows(graph: Graph, ids: dict[tuple[str, str], str]) -> Iterator[tuple[tuple[str, str], tuple[str, str]]]:
    for edge in graph.edges:
        source, target = _ends_of(edge)
        if source in ids and target in ids:
            yield source, target


def _ends_of(edge: Edge) -> tuple[tuple[str, str], tuple[str, str]]:
    return (edge.platform, edge.source), (edge.platform, edge.target)
