"""What each platform has to carry, derived backwards from consumers, and the strongest need of all who ask.

History, latency and retention are what the groups themselves ask for. Priority also travels: a transformer and its
inputs are as urgent as its own workspace and all who depend on its output.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache

from datasurface.graph.assign import Placement
from datasurface.graph.index import DatasetKey, Index
from datasurface.graph.nodes import GraphProblem
from datasurface.graph.runs import PlatformRun, possible_runs, wanted_by_consumers
from datasurface.model.effective import duration
from datasurface.model.vocabulary import History, Latency, Priority
from datasurface.model.workspace import DatasetGroup

__all__ = [
    "Demand",
    "PlatformDataset",
    "Strongest",
    "asked_datasets",
    "derive_demand",
    "highest_priority",
    "strongest",
    "tightest_latency",
    "wants",
]

PlatformDataset = tuple[str, str, str]
"""The names of a platform, a datastore and one of its datasets."""

_PRIORITIES = tuple(Priority)
_RANKS = {priority: rank for rank, priority in enumerate(_PRIORITIES)}
_LATENCIES = {latency: rank for rank, latency in enumerate(Latency)}
_FOR_EVER = timedelta.max


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What platforms have to carry and run, each with the highest priority of all who depend on it."""

    datasets: Mapping[PlatformDataset, Priority]
    runs: Mapping[PlatformRun, Priority]
    problems: tuple[GraphProblem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Strongest:
    """The strongest need of several groups."""

    history: History
    retention: str | None
    latency: Latency


def derive_demand(index: Index, placement: Placement) -> Demand:
    """Follow what consumers ask for back through transformers, on the platform of each consumer."""
    possible, problems = possible_runs(index, placement)
    rising = _Rising(index=index, possible=possible)
    for platform, group in wanted_by_consumers(index, placement):
        rising.ask(platform, group.workspace.name, (key for _sink, key in group.sinks), 0)
    rising.drain()
    return Demand(
        datasets={key: _PRIORITIES[rank] for key, rank in rising.datasets.items()},
        runs={key: _PRIORITIES[rank] for key, rank in rising.runs.items()},
        problems=problems,
    )


@dataclass(slots=True, kw_only=True)
class _Rising:
    """A worklist; an entry is looked at again only when its priority rises, so at most once for each priority."""

    index: Index
    possible: frozenset[PlatformRun]
    work: list[tuple[str, DatasetKey, int]] = field(default_factory=list)
    datasets: dict[PlatformDataset, int] = field(default_factory=dict)
    runs: dict[PlatformRun, int] = field(default_factory=dict)

    def ask(self, platform: str, workspace: str, keys: Iterable[DatasetKey], rank: int) -> int:
        """Let a workspace ask with its own priority or `rank`, whichever is higher; return which it is."""
        rank = max(rank, _RANKS[self.index.workspaces[workspace].workspace.priority])
        self.work += [(platform, key, rank) for key in keys]
        return rank

    def drain(self) -> None:
        """Work until nothing rises any more."""
        while self.work:
            platform, (store, dataset), rank = self.work.pop()
            key = (platform, store, dataset)
            if self.datasets.get(key, -1) >= rank:
                continue
            producer = self.index.producer(store)
            if producer is None and self.index.is_read(store):
                self.datasets[key] = rank
            elif producer is not None and (platform, producer) in self.possible:
                self.datasets[key] = rank
                self._run(platform, producer, rank)

    def _run(self, platform: str, workspace: str, rank: int) -> None:
        run = (platform, workspace)
        if self.runs.get(run, -1) < rank:
            self.runs[run] = self.ask(platform, workspace, self.index.inputs[workspace], rank)


def asked_datasets(index: Index) -> frozenset[DatasetKey]:
    """Return every dataset that a consumer asks for, directly or through transformers, on whatever platform."""
    work = [key for group in index.consumers() for _sink, key in group.sinks]
    asked: set[DatasetKey] = set()
    ran: set[str] = set()
    while work:
        key = work.pop()
        asked.add(key)
        producer = index.producer(key[0])
        if producer is not None and producer not in ran:
            ran.add(producer)
            work += index.inputs[producer]
    return frozenset(asked)


def highest_priority(priorities: Iterable[Priority]) -> Priority:
    """Return the highest of at least one priority."""
    return max(priorities, key=_RANKS.__getitem__)


def tightest_latency(latencies: Iterable[Latency]) -> Latency:
    """Return the tightest of at least one latency."""
    return min(latencies, key=_LATENCIES.__getitem__)


def strongest(groups: Sequence[DatasetGroup]) -> Strongest:
    """Combine the needs of at least one group."""
    full = any(g.history is History.FULL for g in groups)
    return Strongest(
        history=History.FULL if full else History.LIVE,
        retention=_longest(groups) if full else None,
        latency=tightest_latency(g.latency for g in groups),
    )


def _longest(groups: Sequence[DatasetGroup]) -> str | None:
    """Return the longest retention; silence counts as for ever only where a group wants closed versions at all."""
    asked = {g.retention for g in groups if g.history is History.FULL or g.retention is not None}
    return max(asked, key=lambda text: (_length(text), text or ""))


def _length(retention: str | None) -> timedelta:
    """Return how long is meant; what cannot be read counts as for ever, so that nothing is kept too short."""
    length = None if retention is None else duration(retention)
    return _FOR_EVER if length is None else length


def wants(group: DatasetGroup) -> str:
    """Return what a group asks for, in words."""
    return _words(group.history, group.latency, group.retention, group.regulator)


@lru_cache(maxsize=1024)
def _words(history: History, latency: Latency, retention: str | None, regulator: str | None) -> str:
    words = [f"history {history.value}", f"latency {latency.value}"]
    if retention is not None:
        words.append(f"kept {retention}")
    elif history is History.FULL:
        words.append("kept for ever")
    if regulator is not None:
        words.append(f"demanded by {regulator}")
    return ", ".join(words)
