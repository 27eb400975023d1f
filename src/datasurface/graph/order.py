"""The order in which streams follow their inputs: of a cycle, the edge that comes back to its beginning is left out."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

__all__ = ["acyclic"]


def acyclic(after: Mapping[str, Collection[str]]) -> dict[str, frozenset[str]]:
    """Return each stream's inputs without those that would close a cycle; the same ones each time.

    The walk begins at what has no inputs, the real sources, so that a cycle begins where a source enters it.
    """
    dependents: dict[str, list[str]] = {}
    for stream in sorted(after):
        for source in sorted(set(after[stream])):
            dependents.setdefault(source, []).append(stream)
    kept: dict[str, set[str]] = {stream: set() for stream in after}
    walked: set[str] = set()
    for root in [*sorted(dependents.keys() - after.keys()), *sorted(after)]:
        if root not in walked:
            _walk(root, dependents, kept, walked)
    return {stream: frozenset(inputs) for stream, inputs in kept.items()}


def _walk(root: str, dependents: Mapping[str, list[str]], kept: dict[str, set[str]], walked: set[str]) -> None:
    """Follow what derives from `root`, depth first, and keep every edge that does not lead back onto the way."""
    way: dict[str, Iterator[str]] = {root: iter(dependents.get(root, ()))}
    walked.add(root)
    while way:
        source = next(reversed(way))
        stream = next(way[source], None)
        if stream is None:
            del way[source]
            continue
        if stream in way:
            continue
        kept[stream].add(source)
        if stream not in walked:
            walked.add(stream)
            way[stream] = iter(dependents.get(stream, ()))
