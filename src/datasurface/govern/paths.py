"""The path of an object of a model, as findings name it: `zone usa / team sales / datastore crm / dataset orders`."""

from __future__ import annotations

from datasurface.model.effective import PlacedDatastore, PlacedWorkspace
from datasurface.model.workspace import DatasetGroup, DatasetSink

__all__ = ["group_path", "shown", "sink_path", "step", "store_path", "workspace_path"]


def shown(name: str) -> str:
    """Return a name as it is if that can be read, else as a Python text."""
    return name if name.isprintable() and name.strip() == name and name else repr(name)


def step(path: str, kind: str, name: str) -> str:
    """Return `path` with one more object in it; an empty path begins one."""
    own = f"{kind} {shown(name)}"
    return f"{path} / {own}" if path else own


def store_path(placed: PlacedDatastore) -> str:
    """Return the path of a datastore, through its transformer if it is the output of one."""
    path = step(step("", "zone", placed.zone.name), "team", placed.team.name)
    if placed.workspace is not None:
        path = step(path, "workspace", placed.workspace.name)
        if placed.workspace.transformer is not None:
            path = step(path, "transformer", placed.workspace.transformer.name)
    return step(path, "datastore", placed.datastore.name)


def workspace_path(placed: PlacedWorkspace) -> str:
    """Return the path of a workspace."""
    return step(step(step("", "zone", placed.zone.name), "team", placed.team.name), "workspace", placed.workspace.name)


def group_path(placed: PlacedWorkspace, group: DatasetGroup) -> str:
    """Return the path of a group."""
    return step(workspace_path(placed), "group", group.name)


def sink_path(placed: PlacedWorkspace, group: DatasetGroup, sink: DatasetSink) -> str:
    """Return the path of a sink."""
    return step(group_path(placed, group), "sink", sink.dataset)
