"""Which transformers run on which platform: where their output is needed, they are allowed, and a source feeds them."""

from __future__ import annotations

from collections.abc import Iterator

from datasurface.graph.assign import Placement, moves_data, serves
from datasurface.graph.index import DatasetKey, Index, IndexedGroup
from datasurface.graph.nodes import GraphProblem

__all__ = ["PlatformRun", "possible_runs", "wanted_by_consumers"]

PlatformRun = tuple[str, str]
"""The names of a platform and of a workspace whose transformer runs there."""


def wanted_by_consumers(index: Index, placement: Placement) -> Iterator[tuple[str, IndexedGroup]]:
    """Yield the groups that consume for themselves, each with its platform if that moves data."""
    for group in index.consumers():
        platform = placement.serving.get((group.workspace.name, group.group.name))
        if platform is not None and moves_data(placement.platforms[platform]):
            yield platform, group


def possible_runs(index: Index, placement: Placement) -> tuple[frozenset[PlatformRun], tuple[GraphProblem, ...]]:
    """Return the transformers that can run where their output is needed, and why others that are needed cannot.

    Left out without a word are those that no source feeds, and those that only they or refused ones feed: the cause
    has its own problem.
    """
    work: list[tuple[str, DatasetKey]] = []
    for platform, group in wanted_by_consumers(index, placement):
        work += [(platform, key) for _sink, key in group.sinks]
    allowed: set[PlatformRun] = set()
    refused: set[PlatformRun] = set()
    problems: list[GraphProblem] = []
    while work:
        platform, (store, _dataset) = work.pop()
        workspace = index.producer(store)
        if workspace is None or (platform, workspace) in allowed or (platform, workspace) in refused:
            continue
        obstacles = [p for g in index.groups[workspace] if (p := _obstacle(placement, platform, g)) is not None]
        problems += obstacles
        (refused if obstacles else allowed).add((platform, workspace))
        if not obstacles:
            work += [(platform, key) for key in index.inputs[workspace]]
    return _fed(index, allowed), tuple(problems)


def _obstacle(placement: Placement, platform: str, group: IndexedGroup) -> GraphProblem | None:
    """Return why a transformer's group cannot be served where the transformer's output is needed."""
    pin = placement.pins.get((group.workspace.name, group.group.name))
    if pin is not None and pin != platform:
        message = f"it is bound to platform {pin}, but its transformer's output is needed on platform {platform}"
    elif not serves(placement.platforms[platform], group.group.history):
        history = group.group.history.value
        message = f"its transformer's output is needed on platform {platform}, which does not serve history {history}"
    else:
        return None
    return GraphProblem(kind="platform_cannot", subject=group.group, path=group.path, message=message)


def _fed(index: Index, allowed: set[PlatformRun]) -> frozenset[PlatformRun]:
    """Return those that a capture, or a transformer without inputs, feeds in the end."""
    readers: dict[PlatformRun, list[PlatformRun]] = {}
    work: list[PlatformRun] = []
    for platform, workspace in allowed:
        stores = {store for store, _dataset in index.inputs[workspace]}
        if index.feeds_itself(workspace) or any(index.is_read(store) for store in stores):
            work.append((platform, workspace))
        for producer in {index.producer(store) for store in stores} - {None}:
            readers.setdefault((platform, producer or ""), []).append((platform, workspace))
    fed = set(work)
    while work:
        fresh = [reader for reader in readers.get(work.pop(), ()) if reader not in fed]
        fed.update(fresh)
        work += fresh
    return frozenset(fed)
