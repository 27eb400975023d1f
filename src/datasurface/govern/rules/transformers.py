"""Transformers: their code can be found in what the model says of it, and their needs can be read."""

from __future__ import annotations

import re
from collections.abc import Iterator

from datasurface.govern.paths import shown, step, workspace_path
from datasurface.govern.report import Finding, finding
from datasurface.govern.scope import Scope
from datasurface.model.effective import PlacedWorkspace, duration
from datasurface.model.platform import Hint
from datasurface.model.transformer import (
    ContainerImage,
    DataTransformer,
    PythonModule,
    PythonPackage,
    PythonRepository,
    SqlQueries,
)

__all__ = ["entries", "images", "queries", "resources"]

_ENTRY = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*\Z")
_MEMORY = re.compile(r"\d+(\.\d+)?\s*[kmgt]?i?b?\Z", re.IGNORECASE)


def entries(scope: Scope) -> Iterator[Finding]:
    """DS-X001: functions are named as `package.module:function`."""
    for path, transformer, _where in _transformers(scope):
        code = transformer.code
        if isinstance(code, PythonModule | PythonRepository | PythonPackage) and not _ENTRY.match(code.entry):
            message = f"the code {shown(code.entry)} names no function"
            yield finding("DS-X001", code, path, message, 'write "package.module:function"', holder=transformer)


def queries(scope: Scope) -> Iterator[Finding]:
    """DS-X002: there is a query for each dataset of the output, and no other."""
    for path, transformer, _where in _transformers(scope):
        if not isinstance(transformer.code, SqlQueries) or isinstance(transformer.code.queries, str):
            continue
        wanted, there = {d.name for d in transformer.output.datasets}, set(transformer.code.queries)
        for name in sorted(wanted - there):
            message = f"there is no query for the output dataset {shown(name)}"
            yield finding("DS-X002", transformer.code, path, message, "add one", holder=transformer)
        for name in sorted(there - wanted):
            message = f"the query {shown(name)} is for no dataset of the output"
            hint = f"its datasets are {', '.join(sorted(wanted)) or 'none'}"
            yield finding("DS-X002", transformer.code, path, message, hint, holder=transformer)


def resources(scope: Scope) -> Iterator[Finding]:
    """DS-X003: memory and timeouts of transformers and hints can be read."""
    for path, transformer, _where in _transformers(scope):
        if transformer.resources is not None:
            yield from _readable(transformer.resources, path)
    for platform in scope.yellow:
        for name, hint in sorted(platform.hints.items()):
            yield from _readable(hint, step(step("", "platform", platform.name), "hint", name))


def _readable(hint: Hint, path: str) -> Iterator[Finding]:
    if hint.memory is not None and not _MEMORY.match(hint.memory.strip()):
        yield finding(
            "DS-X003", hint, path, f"{shown(hint.memory)} is no size of memory", 'write it as "512Mi" or "2G"'
        )
    if hint.timeout is not None and duration(hint.timeout) is None:
        yield finding("DS-X003", hint, path, f"{shown(hint.timeout)} is no duration", 'write it as "10 minutes"')


def images(scope: Scope) -> Iterator[Finding]:
    """DS-X004: a container image needs something that runs containers."""
    running = {node.workspace.name for node in scope.graph.transformers}
    for path, transformer, where in _transformers(scope):
        if isinstance(transformer.code, ContainerImage) and where.workspace.name in running:
            message = f"the image {shown(transformer.code.image)} is run by deploy targets only"
            hint = "here its runs fail; on Kubernetes it runs as a pod"
            yield finding("DS-X004", transformer.code, path, message, hint, holder=transformer)


def _transformers(scope: Scope) -> Iterator[tuple[str, DataTransformer, PlacedWorkspace]]:
    for where in scope.workspaces:
        transformer = where.workspace.transformer
        if transformer is not None:
            yield step(workspace_path(where), "transformer", transformer.name), transformer, where
