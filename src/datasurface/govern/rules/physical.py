"""Physical names: views and schemas that would meet, and what becomes of names that are too long."""

from __future__ import annotations

from collections.abc import Iterator

from datasurface.govern.paths import group_path, shown, sink_path
from datasurface.govern.report import Finding, finding
from datasurface.govern.scope import PlacedSink, Scope
from datasurface.graph.nodes import Export
from datasurface.model.effective import PlacedWorkspace, split_reference
from datasurface.model.infrastructure import Container
from datasurface.model.platform import YellowPlatform
from datasurface.model.vocabulary import History
from datasurface.model.workspace import DatasetGroup
from datasurface.names import HISTORY_SUFFIX, group_schema, is_identifier, shorten, view_name

__all__ = ["schemas", "views"]

_Where = tuple[PlacedWorkspace, DatasetGroup]


def views(scope: Scope) -> Iterator[Finding]:
    """DS-V001: the views of a group have different names."""
    limits = _limits(scope)
    by_group: dict[int, list[PlacedSink]] = {}
    for found in scope.sinks:
        by_group.setdefault(id(found.group), []).append(found)
    for sinks in by_group.values():
        for limit in limits.get((sinks[0].placed.workspace.name, sinks[0].group.name), ()):
            yield from _meeting_views(sinks, limit)


def _limits(scope: Scope) -> dict[tuple[str, str], set[int]]:
    """Return the longest names that the databases serving each group allow."""
    limits: dict[tuple[str, str], set[int]] = {}
    for export in scope.graph.exports:
        capabilities = scope.merge_capabilities(export.platform)
        if capabilities is not None:
            limits.setdefault((export.workspace.name, export.group.name), set()).add(capabilities.name_limit)
    return limits


def _meeting_views(sinks: list[PlacedSink], limit: int) -> Iterator[Finding]:
    taken: dict[str, str] = {}
    for found in sorted(sinks, key=lambda s: s.sink.dataset):
        reference = split_reference(found.sink.dataset)
        if reference is None or not (is_identifier(reference[0]) and is_identifier(reference[1])):
            continue
        for history in (False, True)[: 2 if found.group.history is History.FULL else 1]:
            name = view_name(*reference, limit, history=history)
            other = taken.setdefault(name, found.sink.dataset)
            if other != found.sink.dataset:
                message = f"the views of {shown(other)} and {shown(found.sink.dataset)} would both be {name}"
                hint = "put one of the two into another group, or rename a dataset"
                path = sink_path(found.placed, found.group, found.sink)
                yield finding("DS-V001", found.sink, path, message, hint, holder=found.group)


def schemas(scope: Scope) -> Iterator[Finding]:
    """DS-V002, DS-V003: the schemas of a database's groups are different, and none of them is a source's."""
    places = {
        (where.workspace.name, group.name): (where, group)
        for where in scope.workspaces
        for group in where.workspace.groups
    }
    sources = _source_schemas(scope)
    taken: dict[tuple[str, str], str] = {}
    for export in scope.graph.exports:
        platform = scope.platforms.get(export.platform)
        capabilities = scope.merge_capabilities(export.platform)
        where = places.get((export.workspace.name, export.group.name))
        if capabilities is None or where is None or not isinstance(platform, YellowPlatform):
            continue
        if not (is_identifier(export.workspace.name) and is_identifier(export.group.name)):
            continue
        schema = group_schema(export.workspace.name, export.group.name, capabilities.name_limit)
        _note_names(scope, export, schema, capabilities.name_limit)
        database = platform.container.name
        own = f"group {export.group.name} of workspace {export.workspace.name} on platform {export.platform}"
        other = taken.setdefault((database, schema), own)
        if other != own:
            yield _meeting(where, f"the views of {other} and of {own} would both be in the schema {schema}")
        if (database, schema) in sources:
            message = f"the views of {own} would be in the schema {schema}, from which a datastore reads"
            path = group_path(*where)
            yield finding("DS-V003", export.group, path, message, "rename the workspace or the group")


def _meeting(where: _Where, message: str) -> Finding:
    return finding("DS-V002", where[1], group_path(*where), message, "rename one of the workspaces or groups")


def _source_schemas(scope: Scope) -> set[tuple[str, str]]:
    """Return the container and schema of every dataset's source, as far as they are known."""
    found: set[tuple[str, str]] = set()
    for placed in scope.datastores:
        capture = placed.datastore.capture
        if capture is not None:
            container: Container = capture.container
            found.add((container.name, str(getattr(container, "schema", ""))))
            pairs = (d.source for d in placed.datastore.datasets if isinstance(d.source, tuple))
            found.update((container.name, schema) for schema, _table in pairs)
    return found


def _note_names(scope: Scope, export: Export, schema: str, limit: int) -> None:
    """Record the names of a group's schema and views that are too long for the database."""
    full = f"{export.workspace.name}_{export.group.name}"
    if full != schema:
        scope.names[full] = schema
    for sink, _stream in export.sinks:
        reference = split_reference(sink.dataset)
        if reference is None:
            continue
        name = f"{reference[0]}_{reference[1]}"
        suffixes = ("", HISTORY_SUFFIX) if export.group.history is History.FULL else ("",)
        for suffix in suffixes:
            if len(name) + len(suffix) > limit and name.isascii():
                scope.names[f"{full}.{name}{suffix}"] = f"{schema}.{shorten(name + suffix, limit)}"
