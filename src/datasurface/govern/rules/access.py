"""Access: producers' approvals, deprecations, and production that rests on what is not production."""

from __future__ import annotations

from collections.abc import Iterator

from datasurface.govern.paths import shown, sink_path, workspace_path
from datasurface.govern.report import Finding, finding
from datasurface.govern.scope import PlacedSink, Scope
from datasurface.model.datastore import Datastore
from datasurface.model.schema import Dataset
from datasurface.model.vocabulary import Access

__all__ = ["sinks", "workspaces"]


def sinks(scope: Scope) -> Iterator[Finding]:
    """DS-A001 to DS-A004: what each sink consumes may be consumed, and by whom."""
    for found in scope.sinks:
        if found.target is None:
            continue
        store, dataset = found.target[0].datastore, found.target[1]
        if store.access is Access.APPROVAL or store.deprecated is not None or dataset.deprecated is not None:
            yield from _approval(found, store, dataset)
            yield from _deprecation(found, store, dataset)
        workspace = found.placed.workspace
        if workspace.production and not store.production:
            message = f"workspace {shown(workspace.name)} is production, and datastore {shown(store.name)} is not"
            hint = "ask its producer for production=True, or consume something else"
            yield finding("DS-A004", found.sink, _path(found), message, hint, holder=found.group)


def _path(found: PlacedSink) -> str:
    return sink_path(found.placed, found.group, found.sink)


def _approval(found: PlacedSink, store: Datastore, dataset: Dataset) -> Iterator[Finding]:
    group = f"{found.placed.workspace.name}.{found.group.name}"
    if store.access is not Access.APPROVAL or {group, f"{group}:{dataset.name}"} & set(store.approvals):
        return
    if found.target is not None and found.target[0].workspace is found.placed.workspace:
        return
    message = f"datastore {shown(store.name)} is open only by approval, and has none for {shown(group)}"
    hint = f'ask its producer to add "{group}" or "{group}:{dataset.name}" to approvals='
    yield finding("DS-A001", found.sink, _path(found), message, hint, holder=found.group)


def _deprecation(found: PlacedSink, store: Datastore, dataset: Dataset) -> Iterator[Finding]:
    if dataset.deprecated is not None:
        what, why = f"dataset {shown(found.sink.dataset)}", dataset.deprecated
    elif store.deprecated is not None:
        what, why = f"datastore {shown(store.name)}", store.deprecated
    else:
        return
    message = f"{what} is deprecated" + (f": {shown(why)}" if why else "")
    if found.sink.accept_deprecated:
        yield finding(
            "DS-A003", found.sink, _path(found), message, "move to its replacement before it goes", holder=found.group
        )
    else:
        hint = f'consume its replacement, or DatasetSink("{found.sink.dataset}", accept_deprecated=True) for a while'
        yield finding("DS-A002", found.sink, _path(found), message, hint, holder=found.group)


def workspaces(scope: Scope) -> Iterator[Finding]:
    """DS-A005: deprecated workspaces that still cost something."""
    for where in scope.workspaces:
        workspace = where.workspace
        if workspace.deprecated is not None and workspace.groups:
            message = f"workspace {shown(workspace.name)} is deprecated and its groups are still served"
            yield finding(
                "DS-A005", workspace, workspace_path(where), message, "remove it when nobody reads it any more"
            )
