"""Records of workspaces, their groups and sinks, and their transformers."""

from __future__ import annotations

import json
from collections.abc import Iterator

from datasurface.model.deidentification import DeIdentify
from datasurface.model.ecosystem import Ecosystem
from datasurface.model.effective import (
    PlacedWorkspace,
    all_workspaces,
    credential_of,
    owner_of_team,
    readers_of,
    sinks_of,
    split_reference,
)
from datasurface.model.identity import identity_label
from datasurface.model.transformer import DataTransformer
from datasurface.model.workspace import DatasetGroup, DatasetSink, Reader, Workspace
from datasurface.release.records.base import (
    Record,
    Value,
    classifications,
    declared,
    every_text,
    joined_or_none,
    owned,
)
from datasurface.release.tables import (
    DatasetGroupRow,
    DeIdentificationRow,
    ReaderRow,
    SinkColumnRow,
    SinkRow,
    TransformerRow,
    TransformerSecretRow,
    WorkspaceRow,
)

__all__ = ["consumer_records"]


def consumer_records(ecosystem: Ecosystem) -> Iterator[Record]:
    """Yield who needs what."""
    for placed in all_workspaces(ecosystem):
        workspace = placed.workspace
        yield _workspace(placed, owned(owner_of_team(ecosystem, placed.zone, placed.team), inherited=True))
        for reader in readers_of(workspace):
            yield ReaderRow, _reader(workspace, reader)
        for group in workspace.groups:
            yield _group(workspace, group)
            for sink in sinks_of(group):
                yield _sink(workspace, group, sink)
                yield from _sink_columns(workspace, group, sink)
        if workspace.transformer is not None:
            yield _transformer(workspace, workspace.transformer)
            yield from _secrets(workspace, workspace.transformer)
            yield from _deidentified(workspace, workspace.transformer)


def _workspace(placed: PlacedWorkspace, owner: dict[str, Value]) -> Record:
    workspace = placed.workspace
    return WorkspaceRow, {
        "name": workspace.name,
        "zone": placed.zone.name,
        "team": placed.team.name,
        "priority": workspace.priority.value,
        "production": workspace.production,
        "container": workspace.container.name if workspace.container else None,
        "deprecated": workspace.deprecated,
        "doc": workspace.doc,
        **owner,
        **declared(workspace),
    }


def _reader(workspace: Workspace, reader: Reader) -> dict[str, Value]:
    clearance = None if reader.clearance is None else ", ".join(sorted(c.name for c in reader.clearance))
    values: dict[str, Value] = {"until": reader.until, "clearance": clearance, "login": reader.login}
    return {"workspace": workspace.name, "reader": reader.name, **values}


def _group(workspace: Workspace, group: DatasetGroup) -> Record:
    return DatasetGroupRow, {
        "workspace": workspace.name,
        "name": group.name,
        "history": group.history.value,
        "latency": group.latency.value,
        "retention": group.retention,
        "regulator": group.regulator,
        "platform": group.platform,
        **declared(group, workspace),
    }


def _sink(workspace: Workspace, group: DatasetGroup, sink: DatasetSink) -> Record:
    datastore, dataset = split_reference(sink.dataset) or (None, None)
    return SinkRow, {
        "workspace": workspace.name,
        "group_name": group.name,
        "reference": sink.dataset,
        "datastore": datastore,
        "dataset": dataset,
        "columns": joined_or_none(sink.columns),
        "accept_deprecated": sink.accept_deprecated,
        **declared(sink, group),
    }


def _sink_columns(workspace: Workspace, group: DatasetGroup, sink: DatasetSink) -> Iterator[Record]:
    key = {"workspace": workspace.name, "group_name": group.name, "reference": sink.dataset}
    for column in sink.columns or ():
        yield SinkColumnRow, {**key, "column": column}


def _transformer(workspace: Workspace, transformer: DataTransformer) -> Record:
    return TransformerRow, {
        "workspace": workspace.name,
        "name": transformer.name,
        "output": transformer.output.name,
        "code_kind": type(transformer.code).__name__,
        "code": transformer.code.to_json(),
        "every": every_text(transformer.every),
        "mode": transformer.mode.value,
        "run_as": identity_label(transformer.run_as),
        "params": json.dumps(dict(transformer.params), sort_keys=True),
        **declared(transformer, workspace),
    }


def _secrets(workspace: Workspace, transformer: DataTransformer) -> Iterator[Record]:
    for name, value in transformer.secrets.items():
        credential = credential_of(value)
        if credential is not None:
            yield TransformerSecretRow, {"workspace": workspace.name, "name": name, "credential": credential.name}


def _deidentified(workspace: Workspace, transformer: DataTransformer) -> Iterator[Record]:
    if not isinstance(transformer.code, DeIdentify):
        return
    for copied in transformer.code.datasets:
        store, dataset = split_reference(copied.source) or (None, None)
        for column in copied.columns:
            settings = json.loads(column.method.to_json())
            yield (
                DeIdentificationRow,
                {
                    "datastore": transformer.output.name,
                    "dataset": copied.name,
                    "column": column.name,
                    "workspace": workspace.name,
                    "source_datastore": store,
                    "source_dataset": dataset,
                    "method": type(column.method).__name__,
                    "settings": json.dumps({k: v for k, v in settings.items() if k != "is"}, sort_keys=True),
                    "replaces": classifications(column.replaces),
                },
            )
