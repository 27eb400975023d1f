"""What the rules look at: the model, indexed once, with its graph and what the databases can do."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from datasurface.govern.capabilities import Capabilities, CapabilityMap
from datasurface.govern.code import NO_FACTS, CodeFacts
from datasurface.govern.holders import HeldContainer, HeldCredential, held_containers, held_credentials, held_stand_ins
from datasurface.govern.paths import store_path
from datasurface.govern.report import Finding
from datasurface.graph.nodes import Graph, Stream
from datasurface.model.datastore import Datastore
from datasurface.model.ecosystem import Ecosystem
from datasurface.model.effective import (
    PlacedDatastore,
    PlacedWorkspace,
    all_datastores,
    all_workspaces,
    sinks_of,
    split_reference,
)
from datasurface.model.infrastructure import Container
from datasurface.model.platform import Platform, YellowPlatform
from datasurface.model.schema import Dataset
from datasurface.model.secret_stores import BUILT_IN_STORES
from datasurface.model.workspace import DatasetGroup, DatasetSink

__all__ = ["PlacedSink", "Rule", "Scope", "closest", "known"]

_SEARCHABLE = 2_000
"""Above so many names no nearest one is looked for: it would cost more than all rules together."""


@dataclass(frozen=True, slots=True)
class PlacedSink:
    """A sink, where it stands, and the dataset it means; `target` is None if there is no such dataset."""

    placed: PlacedWorkspace
    group: DatasetGroup
    sink: DatasetSink
    target: tuple[PlacedDatastore, Dataset] | None


@dataclass(slots=True)
class Scope:
    """A model and everything that rules ask about it.

    Attributes:
        ecosystem: The model on the databases of the environment that binds it.
        declared: The model as it is declared.
        environment: The name of the environment that is to bind the model; None for the model as it is.
        secret_stores: The names of the installed secret stores.
        code: What is known of transformers' code besides the model.
        containers: Those that the model uses, as it is bound.
        stand_ins: Those of all environments, if none binds the model.
        names: Full names of schemas and views that are too long, with their physical ones; rules add to it.
    """

    ecosystem: Ecosystem
    capabilities: CapabilityMap
    graph: Graph
    declared: Ecosystem
    environment: str | None = None
    secret_stores: frozenset[str] = BUILT_IN_STORES
    code: CodeFacts = NO_FACTS
    names: dict[str, str] = field(default_factory=dict)
    datastores: tuple[PlacedDatastore, ...] = ()
    workspaces: tuple[PlacedWorkspace, ...] = ()
    sinks: tuple[PlacedSink, ...] = ()
    containers: tuple[HeldContainer, ...] = ()
    stand_ins: tuple[HeldContainer, ...] = ()
    credentials: tuple[HeldCredential, ...] = ()
    stores: dict[str, list[PlacedDatastore]] = field(default_factory=dict)
    platforms: dict[str, Platform] = field(default_factory=dict)
    workspace_groups: dict[str, set[str]] = field(default_factory=dict)
    _carriers: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.datastores = tuple(all_datastores(self.ecosystem))
        self.workspaces = tuple(all_workspaces(self.ecosystem))
        self.containers = tuple(held_containers(self.ecosystem))
        self.stand_ins = tuple(held_stand_ins(self.declared)) if self.environment is None else ()
        self.credentials = tuple(held_credentials(self.ecosystem, self.containers))
        for placed in self.datastores:
            self.stores.setdefault(placed.datastore.name, []).append(placed)
        for same in self.stores.values():
            same.sort(key=store_path)
        self.platforms = {p.name: p for p in reversed(self.ecosystem.platforms)}
        for where in self.workspaces:
            names = self.workspace_groups.setdefault(where.workspace.name, set())
            names.update(g.name for g in where.workspace.groups)
        self.sinks = tuple(self._find_sinks())
        carried = sorted({(s.datastore.name, s.platform) for s in self.graph.streams})
        for store, platform in carried:
            self._carriers[store] = (*self._carriers.get(store, ()), platform)

    def _find_sinks(self) -> Iterator[PlacedSink]:
        datasets = {name: _datasets(same) for name, same in self.stores.items()}
        for placed in self.workspaces:
            for group in placed.workspace.groups:
                for sink in sinks_of(group):
                    store, name = split_reference(sink.dataset) or ("", "")
                    yield PlacedSink(placed, group, sink, datasets.get(store, {}).get(name))

    @property
    def yellow(self) -> tuple[YellowPlatform, ...]:
        """The platforms that move data, in the order of declaration."""
        return tuple([p for p in self.ecosystem.platforms if isinstance(p, YellowPlatform)])

    def capabilities_of(self, container: Container) -> Capabilities | None:
        """Return what the container's database can do, or None if no adapter for it is installed."""
        return self.capabilities.get(type(container).__name__)

    def merge_capabilities(self, platform: str) -> Capabilities | None:
        """Return what the platform's merge database can do; None if it has none, or none that is supported."""
        found = self.platforms.get(platform)
        return self.capabilities_of(found.container) if isinstance(found, YellowPlatform) else None

    def place_of(self, stream: Stream) -> PlacedDatastore:
        """Return where a stream's datastore stands."""
        same = self.stores[stream.datastore.name]
        return next((p for p in same if p.datastore is stream.datastore), same[0])

    def carriers(self, datastore: Datastore) -> tuple[str, ...]:
        """Return the names of the platforms that carry a datastore, sorted."""
        return self._carriers.get(datastore.name, ())


Rule = Callable[[Scope], Iterable[Finding]]
"""Looks at a model and yields what it finds. Never raises."""


def _datasets(same: Iterable[PlacedDatastore]) -> dict[str, tuple[PlacedDatastore, Dataset]]:
    found: dict[str, tuple[PlacedDatastore, Dataset]] = {}
    for placed in same:
        for dataset in placed.datastore.datasets:
            found.setdefault(dataset.name, (placed, dataset))
    return found


def closest(name: str, candidates: Iterable[str]) -> str:
    """Return a hint with the nearest candidate, or an empty one."""
    names = sorted(set(candidates))
    if len(names) > _SEARCHABLE or len(name) > _SEARCHABLE:
        return ""
    near = difflib.get_close_matches(name, names, n=1)
    return f"did you mean {near[0]!r}?" if near else ""


def known(names: Iterable[str]) -> str:
    """Return the first few names in words, for hints."""
    shown = sorted(set(names))
    more = f" and {len(shown) - 10} more" if len(shown) > 10 else ""  # noqa: PLR2004 - as many as a line holds
    return ", ".join(repr(n) for n in shown[:10]) + more if shown else "none"
