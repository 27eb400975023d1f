"""Describe workspaces, their groups and sinks, and their transformers."""

from __future__ import annotations

from datasurface.model.effective import readers_of, sinks_of
from datasurface.model.identity import identity_label
from datasurface.model.transformer import DataTransformer
from datasurface.model.workspace import DatasetGroup, DatasetSink, Reader, Workspace
from datasurface.release.bind import Binding
from datasurface.release.description.base import Described, Fact
from datasurface.release.description.producers import describe_datastore
from datasurface.release.records.base import every_text

__all__ = ["describe_workspace"]


def describe_workspace(workspace: Workspace, binding: Binding, owner: Fact) -> Described:
    """Return a workspace with its groups, and its transformer with what that makes."""
    children = [_group(workspace, group) for group in workspace.groups]
    if workspace.transformer is not None:
        children.append(_transformer(workspace, workspace.transformer, binding, owner))
    return Described(
        kind="workspace",
        name=workspace.name,
        reference=workspace.name,
        noun=workspace,
        facts={
            "priority": Fact(workspace.priority.value),
            "container": Fact(workspace.container.name if workspace.container else None),
            "production": Fact(workspace.production),
            "readers": Fact(tuple(_reader(reader) for reader in readers_of(workspace))),
            "deprecated": Fact(workspace.deprecated),
            "owner": owner,
            "doc": Fact(workspace.doc or None),
        },
        children=children,
    )


def _reader(reader: Reader) -> str:
    cleared = None if reader.clearance is None else ", ".join(c.name for c in reader.clearance) or "nothing"
    words = [
        *(["a login of its own"] if reader.login else []),
        *([f"until {reader.until}"] if reader.until is not None else []),
        *([f"cleared for {cleared}"] if cleared is not None else []),
    ]
    return f"{reader.name} ({'; '.join(words)})" if words else reader.name


def _group(workspace: Workspace, group: DatasetGroup) -> Described:
    return Described(
        kind="group",
        name=group.name,
        reference=f"{workspace.name}.{group.name}",
        noun=group,
        facts={
            "history": Fact(group.history.value),
            "latency": Fact(group.latency.value),
            "retention": Fact(group.retention),
            "regulator": Fact(group.regulator),
            "platform": Fact(group.platform),
        },
        children=[_sink(workspace, group, sink) for sink in sinks_of(group)],
    )


def _sink(workspace: Workspace, group: DatasetGroup, sink: DatasetSink) -> Described:
    return Described(
        kind="sink",
        name=sink.dataset,
        reference=f"{workspace.name}.{group.name}:{sink.dataset}",
        noun=sink,
        around=group,
        facts={
            "columns": Fact(None if sink.columns is None else tuple(sink.columns)),
            "accept_deprecated": Fact(sink.accept_deprecated),
        },
    )


def _transformer(workspace: Workspace, transformer: DataTransformer, binding: Binding, owner: Fact) -> Described:
    return Described(
        kind="transformer",
        name=transformer.name,
        reference=f"{workspace.name}.{transformer.name}",
        noun=transformer,
        facts={
            "code": Fact(type(transformer.code).__name__),
            "every": Fact(every_text(transformer.every)),
            "mode": Fact(transformer.mode.value),
            "run_as": Fact(identity_label(transformer.run_as)),
        },
        children=[describe_datastore(transformer.output, binding, owner)],
    )
