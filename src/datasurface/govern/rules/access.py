"""Access: producers' approvals, deprecations, and production that rests on what is not production."""

from __future__ import annotations

from collections.abc import Iterator

from datasurface.govern.paths import shown, sink_path, step, workspace_path
from datasurface.govern.report import Finding, finding
from datasurface.govern.scope import PlacedSink, Scope
from datasurface.model.datastore import Datastore
from datasurface.model.effective import access_ends, names_login, readers_of
from datasurface.model.schema import Dataset
from datasurface.model.vocabulary import Access
from datasurface.model.workspace import Reader

__all__ = ["readers", "sinks", "workspaces"]

_LONGEST_ROLE = 63


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


def readers(scope: Scope) -> Iterator[Finding]:
    """DS-A006: readers whose name is no role's, whose end is no time, or who are reserved names."""
    for where in scope.workspaces:
        for reader in readers_of(where.workspace):
            problem, hint = _unfit(reader)
            if problem:
                message = f"reader {shown(reader.name)} of workspace {shown(where.workspace.name)} {problem}"
                path = step(workspace_path(where), "reader", reader.name)
                yield finding("DS-A006", reader, path, message, hint, holder=where.workspace)


def _unfit(reader: Reader) -> tuple[str, str]:
    """Return what is wrong with a reader, and what to do; two empty texts if nothing is."""
    kind, _, rest = reader.name.partition(":")
    name = rest if kind == "group" and rest else reader.name
    if not name or name in ("public", "none") or "\0" in name or len(name.encode(errors="replace")) > _LONGEST_ROLE:
        return "is no name that a role can have", "name a role of 1 to 63 bytes"
    if name.startswith(("ds.", "pg_")):
        return "has a reserved name", "DataSurface's own roles begin with ds., the server's own with pg_"
    if kind == "group" and reader.login:
        return "is a group, which cannot log in", "leave login=True away, or name a person"
    if reader.login and not names_login(name):
        return "cannot name a login that is made", "use letters, digits and any of _ . @ - for people"
    if reader.until is not None and access_ends(reader.until) is None:
        return f"has until={shown(reader.until)}, which is no time", 'write a date, "2027-01-31", or an ISO time'
    return "", ""
