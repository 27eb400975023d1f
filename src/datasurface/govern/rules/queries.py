"""Queries: they read what their workspace consumes, and can be read themselves."""

from __future__ import annotations

from collections.abc import Iterator

from datasurface.govern.paths import shown, step, workspace_path
from datasurface.govern.queries import ReadQuery, read_queries
from datasurface.govern.report import Finding, finding
from datasurface.govern.scope import Scope, closest, known
from datasurface.model.effective import split_reference
from datasurface.names import view_name

__all__ = ["reads"]

_NAME_LIMIT = 63


def reads(scope: Scope) -> Iterator[Finding]:
    """DS-X002, DS-X007, DS-X008: queries give all columns of their output and read only inputs of the workspace."""
    for query in read_queries(scope.ecosystem, scope.code):
        path = step(workspace_path(query.where), "transformer", query.transformer.name)
        if query.lineage.problem:
            message = f"the query {shown(query.dataset)} cannot be read for its lineage: {query.lineage.problem}"
            hint = "the database may understand it all the same"
            yield finding("DS-X008", query.transformer.code, path, message, hint, holder=query.transformer)
        for name in query.lineage.unknown:
            message = f"the query {shown(query.dataset)} reads {shown(name)}, which is no input of the workspace"
            yield finding(
                "DS-X007", query.transformer.code, path, message, _hint(query, name), holder=query.transformer
            )
        yield from _columns(query, path)


def _hint(query: ReadQuery, name: str) -> str:
    views = _views(query)
    return closest(name.rpartition(".")[2], views) or f"its inputs are {known(views)}"


def _views(query: ReadQuery) -> list[str]:
    sinks = [getattr(s, "dataset", str(s)) for group in query.where.workspace.groups for s in group.sinks]
    references = [reference for sink in sinks if (reference := split_reference(sink)) is not None]
    return sorted({view_name(store, dataset, _NAME_LIMIT) for store, dataset in references})


def _columns(query: ReadQuery, path: str) -> Iterator[Finding]:
    given = query.lineage.columns
    output = next((d for d in query.transformer.output.datasets if d.name == query.dataset), None)
    if not given or not query.lineage.complete or output is None:
        return
    for column in output.columns:
        if column.name not in given:
            message = f"the query {shown(query.dataset)} gives no column {shown(column.name)}"
            hint = f"its columns are {known(given)}"
            yield finding("DS-X002", query.transformer.code, path, message, hint, holder=query.transformer)
