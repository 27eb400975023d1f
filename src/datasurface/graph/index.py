"""The names of a model resolved once: stores, datasets, workspaces, groups, and who produces what.

Where a name is declared twice the first declaration counts, and references to what does not exist are left out;
`check` reports both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

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
from datasurface.model.schema import Dataset
from datasurface.model.transformer import SystemCode
from datasurface.model.workspace import DatasetGroup, DatasetSink, Workspace

__all__ = ["DatasetKey", "Index", "IndexedGroup", "index_of"]

DatasetKey = tuple[str, str]
"""The names of a datastore and of one of its datasets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexedGroup:
    """A group, where it stands, and those of its sinks that refer to something."""

    placed: PlacedWorkspace
    group: DatasetGroup
    sinks: tuple[tuple[DatasetSink, DatasetKey], ...]

    @property
    def workspace(self) -> Workspace:
        """The workspace that the group is of."""
        return self.placed.workspace

    @property
    def path(self) -> str:
        """Where messages say it is: `workspace reports / group live`."""
        return f"workspace {self.workspace.name} / group {self.group.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """A model by its names.

    Attributes:
        stores: Datastores by name, transformers' outputs included.
        datasets: The datasets of each store by name, in the store's order.
        workspaces: Workspaces by name.
        groups: The groups of each workspace, in its order.
        inputs: What the groups of each workspace ask for, sorted.
    """

    stores: Mapping[str, PlacedDatastore]
    datasets: Mapping[str, Mapping[str, Dataset]]
    workspaces: Mapping[str, PlacedWorkspace]
    groups: Mapping[str, tuple[IndexedGroup, ...]]
    inputs: Mapping[str, tuple[DatasetKey, ...]]

    def producer(self, store: str) -> str | None:
        """Return the workspace whose transformer writes `store`, or None if none does."""
        workspace = self.stores[store].workspace
        return None if workspace is None else workspace.name

    def is_read(self, store: str) -> bool:
        """Tell whether `store` is read from where it is produced: it has a capture and is no transformer's output."""
        placed = self.stores[store]
        return placed.workspace is None and placed.datastore.capture is not None

    def feeds_itself(self, workspace: str) -> bool:
        """Tell whether a workspace's transformer needs no source: it reads nothing, or is DataSurface's own code."""
        transformer = self.workspaces[workspace].workspace.transformer
        return not self.inputs[workspace] or (transformer is not None and isinstance(transformer.code, SystemCode))

    def consumers(self) -> Iterator[IndexedGroup]:
        """Yield the groups that consume for themselves: those of workspaces without a transformer."""
        for name, groups in self.groups.items():
            if self.workspaces[name].workspace.transformer is None:
                yield from groups

    def transformers(self) -> Iterator[str]:
        """Yield the names of the workspaces that have a transformer."""
        for name, placed in self.workspaces.items():
            if placed.workspace.transformer is not None:
                yield name


def index_of(ecosystem: Ecosystem) -> Index:
    """Resolve the names of a model."""
    workspaces: dict[str, PlacedWorkspace] = {}
    for placed in all_workspaces(ecosystem):
        workspaces.setdefault(placed.workspace.name, placed)
    stores: dict[str, PlacedDatastore] = {}
    for store in all_datastores(ecosystem):
        owner = store.workspace
        if owner is None or workspaces[owner.name].workspace is owner:
            stores.setdefault(store.datastore.name, store)
    datasets = {name: _datasets(placed.datastore) for name, placed in stores.items()}
    groups = {name: _groups(placed, datasets) for name, placed in workspaces.items()}
    inputs = {name: tuple(sorted({key for g in found for _sink, key in g.sinks})) for name, found in groups.items()}
    return Index(stores=stores, datasets=datasets, workspaces=workspaces, groups=groups, inputs=inputs)


def _datasets(datastore: Datastore) -> dict[str, Dataset]:
    found: dict[str, Dataset] = {}
    for dataset in datastore.datasets:
        found.setdefault(dataset.name, dataset)
    return found


def _groups(placed: PlacedWorkspace, datasets: Mapping[str, Mapping[str, Dataset]]) -> tuple[IndexedGroup, ...]:
    found: dict[str, IndexedGroup] = {}
    for group in placed.workspace.groups:
        if group.name not in found:
            found[group.name] = IndexedGroup(placed=placed, group=group, sinks=_sinks(group, datasets))
    return tuple(found.values())


def _sinks(
    group: DatasetGroup, datasets: Mapping[str, Mapping[str, Dataset]]
) -> tuple[tuple[DatasetSink, DatasetKey], ...]:
    """Return the sinks that refer to a dataset, each dataset once, sorted by it."""
    found: dict[DatasetKey, DatasetSink] = {}
    for sink in sinks_of(group):
        key = split_reference(sink.dataset)
        if key is not None and key[1] in datasets.get(key[0], ()):
            found.setdefault(key, sink)
    return tuple([(found[key], key) for key in sorted(found)])
