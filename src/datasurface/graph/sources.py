"""Which transformers no real source can feed on any platform: cycles that read only themselves.

A transformer without any input makes its data itself and counts as a source, and so does DataSurface's own code; so
does a datastore whose capture is missing, which `check` reports by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from datasurface.graph.index import Index
from datasurface.graph.nodes import GraphProblem

__all__ = ["unfed_cycles"]

_SHOWN = 5


def _unfed_transformers(index: Index) -> frozenset[str]:
    """Return the workspaces whose transformers have inputs, but no capture anywhere upstream."""
    readers: dict[str, list[str]] = {}
    fed: list[str] = []
    for workspace in index.transformers():
        stores = {store for store, _dataset in index.inputs[workspace]}
        if index.feeds_itself(workspace) or any(index.producer(store) is None for store in stores):
            fed.append(workspace)
        for store in stores:
            readers.setdefault(index.producer(store) or "", []).append(workspace)
    seen = set(fed)
    while fed:
        for reader in readers.get(fed.pop(), ()):
            if reader not in seen:
                seen.add(reader)
                fed.append(reader)
    return frozenset(index.transformers()) - seen


def unfed_cycles(index: Index) -> Iterator[GraphProblem]:
    """Yield one problem for each set of transformers that feed only each other, consumed or not."""
    unfed = _unfed_transformers(index)
    producers = {w: sorted({p for p in _producers(index, w) if p in unfed}) for w in sorted(unfed)}
    looped = _without_tails(producers)
    seen: set[str] = set()
    for workspace in sorted(looped):
        if workspace in seen:
            continue
        together = _connected(workspace, looped)
        seen |= together
        names = sorted(together)
        shown = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
        message = (
            f"transformers {shown} feed only each other; no source feeds them"
            if len(names) > 1
            else "its transformer reads only its own output; no source feeds it"
        )
        subject = index.workspaces[names[0]].workspace
        yield GraphProblem(kind="no_source", subject=subject, path=f"workspace {names[0]}", message=message)


def _producers(index: Index, workspace: str) -> Iterator[str]:
    for store, _dataset in index.inputs[workspace]:
        producer = index.producer(store)
        if producer is not None:
            yield producer


def _without_tails(producers: Mapping[str, list[str]]) -> dict[str, set[str]]:
    """Drop those that no other one reads, again and again; what is left are cycles and their links, both ways."""
    readers: dict[str, set[str]] = {w: set() for w in producers}
    for workspace, read in producers.items():
        for producer in read:
            readers[producer].add(workspace)
    counts = {w: len(r) for w, r in readers.items()}
    tails = [w for w, count in counts.items() if count == 0]
    gone: set[str] = set()
    while tails:
        tail = tails.pop()
        gone.add(tail)
        for producer in producers[tail]:
            counts[producer] -= 1
            if counts[producer] == 0:
                tails.append(producer)
    left = {w for w in producers if w not in gone}
    return {w: ({*producers[w], *readers[w]} & left) for w in left}


def _connected(start: str, neighbours: Mapping[str, set[str]]) -> set[str]:
    found, work = {start}, [start]
    while work:
        for other in neighbours[work.pop()]:
            if other not in found:
                found.add(other)
                work.append(other)
    return found
