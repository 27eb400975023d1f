"""Platforms: merge databases that can do what is asked, groups that somebody serves, promises that can be kept."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from datasurface.govern.cron import longest_gap
from datasurface.govern.paths import group_path, shown, sink_path, step, workspace_path
from datasurface.govern.report import Finding, Severity, finding
from datasurface.govern.scope import Scope
from datasurface.graph.nodes import GraphProblem
from datasurface.model.capture import Cron, Every
from datasurface.model.effective import duration
from datasurface.model.vocabulary import Latency
from datasurface.model.workspace import DatasetGroup, Workspace

__all__ = ["databases", "deployment", "groups", "latencies", "problems"]

_PROBLEMS = {
    "no_platform": ("DS-P003", "declare a platform that fits, name it with platform=, or write an Assign rule"),
    "platform_cannot": ("DS-P004", "choose another platform, or add the history to the platform's histories="),
    "tie": ("DS-P005", "make one of the rules more specific, or name the platform with platform="),
    "no_source": ("DS-P006", "let at least one of them read a datastore with a capture"),
}
_PROMISES = {
    Latency.SECONDS: timedelta(minutes=1),
    Latency.MINUTES: timedelta(hours=1),
    Latency.HOURS: timedelta(days=1),
    Latency.DAYS: timedelta(days=31),
}


def databases(scope: Scope) -> Iterator[Finding]:
    """DS-P001, DS-P002, DS-P007: the merge database of each platform, and what is asked of it."""
    used = {s.platform for s in scope.graph.streams}
    for platform in scope.yellow:
        path = step("", "platform", platform.name)
        found = scope.capabilities_of(platform.container)
        if platform.keep_batches < -1:
            message = f"keep_batches={platform.keep_batches} means nothing"
            yield finding("DS-P007", platform, path, message, "0 keeps none, -1 all, n the last n batches")
        if found is None or not found.merges:
            kind = type(platform.container).__name__
            message = f"{kind} {shown(platform.container.name)} as merge database is not supported yet"
            hint = f"merge databases now: {_mergers(scope)}"
            severity = Severity.ERROR if platform.name in used else Severity.WARNING
            yield finding("DS-P001", platform, path, message, hint, severity=severity)
    for export in scope.graph.exports:
        capabilities = scope.merge_capabilities(export.platform)
        history = export.group.history
        if capabilities is not None and capabilities.merges and history.value not in capabilities.merges:
            message = (
                f"{capabilities.database}, where platform {export.platform} merges, cannot keep history {history.value}"
            )
            hint = f"it can keep {', '.join(sorted(capabilities.merges))}"
            yield finding("DS-P002", export.group, _path_of(scope, export.group, ""), message, hint)


def _mergers(scope: Scope) -> str:
    return ", ".join(sorted(name for name, c in scope.capabilities.items() if c.merges)) or "none"


def problems(scope: Scope) -> Iterator[Finding]:
    """DS-P003 to DS-P006: what kept the graph from serving a group. Unknown platforms are reported as references."""
    for problem in scope.graph.problems:
        if problem.kind in _PROBLEMS:
            code, hint = _PROBLEMS[problem.kind]
            yield finding(code, problem.subject, _problem_path(scope, problem), problem.message, hint)


def _problem_path(scope: Scope, problem: GraphProblem) -> str:
    return _path_of(scope, problem.subject, problem.path)


def _path_of(scope: Scope, subject: object, otherwise: str) -> str:
    """Return the full path of a group or workspace that the graph names."""
    if isinstance(subject, DatasetGroup | Workspace):
        for where in scope.workspaces:
            if where.workspace is subject:
                return workspace_path(where)
            for group in where.workspace.groups:
                if group is subject:
                    return group_path(where, group)
    return otherwise


def groups(scope: Scope) -> Iterator[Finding]:
    """DS-P010, DS-P011: what groups say of themselves."""
    for where in scope.workspaces:
        for group in where.workspace.groups:
            path = group_path(where, group)
            if group.retention is not None and duration(group.retention) is None:
                message = f"the retention {group.retention[:200]!r} is no duration"
                yield finding("DS-P010", group, path, message, 'write "7 years", or leave it away for ever')
            if not group.sinks:
                message = f"group {shown(group.name)} consumes nothing"
                yield finding("DS-P011", group, path, message, "name what it needs in sinks=, or remove it")


def latencies(scope: Scope) -> Iterator[Finding]:
    """DS-P009: no group expects rows sooner than their source is read."""
    gaps: dict[int, timedelta | None] = {}
    for found in scope.sinks:
        capture = found.target[0].datastore.capture if found.target else None
        if capture is None:
            continue
        if id(capture) not in gaps:
            gaps[id(capture)] = _between(capture.every)
        between = gaps[id(capture)]
        if between is not None and between > _PROMISES[found.group.latency]:
            message = (
                f"latency {found.group.latency.value} cannot be met for {shown(found.sink.dataset)}: "
                f"its source is read every {_words(capture.every)}"
            )
            path = sink_path(found.placed, found.group, found.sink)
            hint = "relax latency=, or ask its producer for a shorter every="
            yield finding("DS-P009", found.sink, path, message, hint, holder=found.group)


def _between(every: Every) -> timedelta | None:
    if isinstance(every, str):
        return duration(every)
    return longest_gap(every.expression) if isinstance(every, Cron) else None


def _words(every: Every) -> str:
    return every.strip() if isinstance(every, str) else f"Cron({getattr(every, 'expression', '')!r})"


def deployment(scope: Scope) -> Iterator[Finding]:
    """DS-P008: a model from which nothing follows."""
    if not scope.graph.streams:
        message = "this release deploys 0 streams"
        hint = "nothing runs until a group of a workspace consumes a dataset, and a platform serves it"
        yield finding("DS-P008", scope.ecosystem, step("", "ecosystem", scope.ecosystem.name), message, hint)
