"""Transformers: their code can be found in what the model says of it, and their needs can be read."""

from __future__ import annotations

import re
from collections.abc import Iterator

from datasurface.govern.paths import shown, step, workspace_path
from datasurface.govern.report import Finding, finding
from datasurface.govern.rules.environments import runs_pods
from datasurface.govern.scope import Scope
from datasurface.model.effective import PlacedWorkspace, duration
from datasurface.model.identity import identity_label, identity_problem
from datasurface.model.ownership import Repository
from datasurface.model.platform import Hint
from datasurface.model.transformer import (
    Code,
    ContainerImage,
    DataTransformer,
    DbtProject,
    PythonModule,
    PythonPackage,
    PythonRepository,
    SqlQueries,
    SystemCode,
)
from datasurface.names import is_pinned

__all__ = ["entries", "identities", "images", "installed", "pins", "queries", "resources"]

_ENTRY = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*\Z")
_BRANCHES = ("HEAD", "develop", "main", "master", "trunk")
"""What nobody calls a tag."""
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


def identities(scope: Scope) -> Iterator[Finding]:
    """DS-N008 and DS-S011: identities of a cloud can exist, and something that is deployed gives them."""
    given = any(runs_pods(e) for e in scope.declared.environments if scope.environment in (None, e.name))
    for path, transformer, _where in _transformers(scope):
        identity = transformer.run_as
        if identity is None:
            continue
        if problem := identity_problem(identity):
            message = f"the identity {shown(identity_label(identity) or '')} {problem}"
            hint = "name a role that exists"
            yield finding("DS-N008", identity, path, message, hint, holder=transformer)
        elif not given:
            message = (
                f"transformer {shown(transformer.name)} runs as {identity_label(identity)} only where it is deployed"
            )
            hint = "pods of a deployed environment have it; here it runs under the platform's own identity"
            yield finding("DS-S011", identity, path, message, hint, holder=transformer)


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
    """DS-X004: nothing runs container images yet, on one machine or where it is deployed."""
    running = {node.workspace.name for node in scope.graph.transformers}
    for path, transformer, where in _transformers(scope):
        if isinstance(transformer.code, ContainerImage) and where.workspace.name in running:
            message = f"nothing runs the image {shown(transformer.code.image)} yet, so that each run fails"
            hint = "no deploy target does either; give it code that runs in a process, such as PythonPackage"
            yield finding("DS-X004", transformer.code, path, message, hint, holder=transformer)


def installed(scope: Scope) -> Iterator[Finding]:
    """DS-X005: something is installed that runs the code of each transformer that would run."""
    kinds = scope.code.kinds
    if kinds is None:
        return
    running = {node.workspace.name for node in scope.graph.transformers}
    for path, transformer, where in _transformers(scope):
        kind = type(transformer.code).__name__
        if kind in kinds or isinstance(transformer.code, SystemCode) or where.workspace.name not in running:
            continue
        hint = f"install the package that runs it; installed are {', '.join(sorted(kinds))}"
        yield finding("DS-X005", transformer.code, path, f"nothing installed runs {kind}", hint, holder=transformer)


def pins(scope: Scope) -> Iterator[Finding]:
    """DS-X006: code from elsewhere is pinned, so that every run is of the same code."""
    for path, transformer, _where in _transformers(scope):
        found = _unpinned(transformer.code)
        if found is not None:
            message, hint = found
            yield finding("DS-X006", transformer.code, path, message, hint, holder=transformer)


def _unpinned(code: Code) -> tuple[str, str] | None:
    """Return what is wrong with the pin of code, and what to do; None if nothing can be told without fetching it."""
    if isinstance(code, PythonPackage):
        if not is_pinned(code.requirement):
            return f"{shown(code.requirement)} pins no version of one package", 'write "name==1.2"'
    elif isinstance(code, PythonRepository | DbtProject):
        repository = code.repository if isinstance(code, PythonRepository) else code.project
        branch = getattr(repository, "branch", None)
        if code.release is None:
            if isinstance(repository, Repository) or "://" in repository:
                return f"the repository {_named(repository)} is not pinned", 'add release="…", a tag or a commit'
        elif code.release in {branch, *_BRANCHES} or not code.release.strip():
            hint = "name a tag, or all digits of a commit"
            return f"release={shown(code.release)} is a branch, which moves", hint
    return None


def _named(repository: Repository | str) -> str:
    return shown(repository if isinstance(repository, str) else str(getattr(repository, "name", repository)))


def _transformers(scope: Scope) -> Iterator[tuple[str, DataTransformer, PlacedWorkspace]]:
    for where in scope.workspaces:
        transformer = where.workspace.transformer
        if transformer is not None:
            yield step(workspace_path(where), "transformer", transformer.name), transformer, where
