"""References: every text that names another object of the model names one that exists."""

from __future__ import annotations

from collections.abc import Iterator

from datasurface.govern.holders import held_containers
from datasurface.govern.paths import group_path, shown, sink_path, step, store_path, workspace_path
from datasurface.govern.report import Finding, finding
from datasurface.govern.scope import Scope, closest, known
from datasurface.model.effective import PlacedDatastore, split_reference
from datasurface.model.platform import Assign, PrimaryIngestion

__all__ = ["approvals", "assignments", "environments", "hints", "platforms", "replicas", "sink_columns", "sinks"]


def sinks(scope: Scope) -> Iterator[Finding]:
    """DS-R001, DS-R002: every sink names a dataset that exists."""
    for found in scope.sinks:
        if found.target is not None:
            continue
        name = found.sink.dataset
        path = sink_path(found.placed, found.group, found.sink)
        reference = split_reference(name)
        if reference is None:
            message = f"the sink {name[:200]!r} does not name a dataset as store.dataset"
            yield finding(
                "DS-R001", found.sink, path, message, 'write "store.dataset", with one dot', holder=found.group
            )
            continue
        store, dataset = reference
        same = scope.stores.get(store, [])
        if same:
            message = f"datastore {shown(store)} has no dataset {shown(dataset)}"
            hint = closest(dataset, [d.name for p in same for d in p.datastore.datasets])
        else:
            message, hint = f"there is no datastore {shown(store)}", closest(store, scope.stores)
        yield finding("DS-R002", found.sink, path, message, hint, holder=found.group)


def sink_columns(scope: Scope) -> Iterator[Finding]:
    """DS-R003: the columns that a sink chooses exist, and there is at least one."""
    for found in scope.sinks:
        chosen = found.sink.columns
        if chosen is None or found.target is None:
            continue
        existing = {c.name for c in found.target[1].columns}
        path = sink_path(found.placed, found.group, found.sink)
        if not chosen:
            message = f"the sink of {shown(found.sink.dataset)} chooses no column at all"
            yield finding(
                "DS-R003", found.sink, path, message, "leave columns= away for all of them", holder=found.group
            )
        for name in sorted(set(chosen) - existing):
            message = f"{shown(found.sink.dataset)} has no column {shown(name)}"
            yield finding("DS-R003", found.sink, path, message, closest(name, existing), holder=found.group)


def platforms(scope: Scope) -> Iterator[Finding]:
    """DS-R004, DS-R006: rules, primary ingestions and groups name platforms and datastores that exist."""
    for where in scope.workspaces:
        for group in where.workspace.groups:
            if group.platform is not None and group.platform not in scope.platforms:
                yield _unknown_platform(scope, group, group_path(where, group), group.platform)
    for rule in scope.ecosystem.assignments:
        path = step("", "primary ingestion" if isinstance(rule, PrimaryIngestion) else "assignment", rule.platform)
        if rule.platform not in scope.platforms:
            yield _unknown_platform(scope, rule, path, rule.platform)
        if isinstance(rule, PrimaryIngestion):
            for name in sorted(set(rule.datastores) - scope.stores.keys()):
                message = f"there is no datastore {shown(name)}"
                yield finding("DS-R006", rule, path, message, closest(name, scope.stores))


def _unknown_platform(scope: Scope, subject: object, path: str, name: str) -> Finding:
    message = f"there is no platform {shown(name)}"
    return finding("DS-R004", subject, path, message, f"the platforms are: {known(scope.platforms)}")


def assignments(scope: Scope) -> Iterator[Finding]:
    """DS-R005: the workspace, group and zone of a rule exist."""
    zones = {z.name for z in scope.ecosystem.zones}
    groups = {name for names in scope.workspace_groups.values() for name in names}
    for rule in scope.ecosystem.assignments:
        if not isinstance(rule, Assign):
            continue
        path = step("", "assignment", rule.platform)
        workspace, group = rule.workspace, rule.group
        if workspace is not None and workspace not in scope.workspace_groups:
            message = f"there is no workspace {shown(workspace)}"
            yield finding("DS-R005", rule, path, message, closest(workspace, scope.workspace_groups))
            continue
        possible = groups if workspace is None else scope.workspace_groups[workspace]
        if group is not None and group not in possible:
            message = f"there is no group {shown(group)}" + (f" in workspace {shown(workspace)}" if workspace else "")
            yield finding("DS-R005", rule, path, message, closest(group, possible))
        if rule.zone is not None and rule.zone not in zones:
            yield finding("DS-R005", rule, path, f"there is no zone {shown(rule.zone)}", closest(rule.zone, zones))


def approvals(scope: Scope) -> Iterator[Finding]:
    """DS-R008, DS-R009: approvals can be read, and name a group and a dataset that exist."""
    for placed in scope.datastores:
        for approval in placed.datastore.approvals:
            parsed = split_approval(approval)
            if parsed is None:
                message = f"the approval {approval[:200]!r} cannot be read"
                hint = 'write "workspace.group" or "workspace.group:dataset"'
                yield finding("DS-R008", placed.datastore, store_path(placed), message, hint)
            else:
                missing = _missing(scope, placed, *parsed)
                if missing:
                    message = f"the approval {shown(approval)} is of no use: there is no {missing}"
                    yield finding("DS-R009", placed.datastore, store_path(placed), message, "correct or remove it")


def split_approval(text: str) -> tuple[str, str, str | None] | None:
    """Return workspace, group and dataset (None: all) of an approval, or None if it has another form."""
    groups, colon, dataset = text.partition(":")
    reference = split_reference(groups)
    if reference is None or (colon and (not dataset or ":" in dataset)):
        return None
    return (*reference, dataset if colon else None)


def _missing(scope: Scope, placed: PlacedDatastore, workspace: str, group: str, dataset: str | None) -> str:
    if workspace not in scope.workspace_groups:
        return f"workspace {shown(workspace)}"
    if group not in scope.workspace_groups[workspace]:
        return f"group {shown(group)} in workspace {shown(workspace)}"
    if dataset is not None and all(d.name != dataset for d in placed.datastore.datasets):
        return f"dataset {shown(dataset)} in datastore {shown(placed.datastore.name)}"
    return ""


def replicas(scope: Scope) -> Iterator[Finding]:
    """DS-R010, DS-R011: replicas serve workspaces that exist, and workspaces stand on containers of replicas."""
    offered = {r.container.name for p in scope.yellow for r in p.replicas}
    for platform in scope.yellow:
        for replica in platform.replicas:
            path = step(step("", "platform", platform.name), "replica", replica.name)
            for name in sorted(set(replica.workspaces) - scope.workspace_groups.keys()):
                message = f"there is no workspace {shown(name)}"
                yield finding("DS-R010", replica, path, message, closest(name, scope.workspace_groups))
    for where in scope.workspaces:
        container = where.workspace.container
        if container is not None and container.name not in offered:
            message = f"no platform has a replica on the container {shown(container.name)}"
            hint = "leave container= away for the platform's own database, or declare a ConsumerReplica there"
            yield finding("DS-R011", where.workspace, workspace_path(where), message, hint)


def hints(scope: Scope) -> Iterator[Finding]:
    """DS-R012: hints name a datastore, a dataset's stream or a transformer."""
    names: set[str] = {w.workspace.transformer.name for w in scope.workspaces if w.workspace.transformer}
    names.update(w.workspace.name for w in scope.workspaces if w.workspace.transformer)
    for platform in scope.yellow:
        for name in sorted(set(platform.hints) - names - scope.stores.keys()):
            store, dataset = split_reference(name) or ("", "")
            if not any(d.name == dataset for p in scope.stores.get(store, []) for d in p.datastore.datasets):
                message = f"there is no stream or transformer {shown(name)} to give a hint for"
                path = step("", "platform", platform.name)
                yield finding("DS-R012", platform.hints[name], path, message, closest(name, scope.stores))


def environments(scope: Scope) -> Iterator[Finding]:
    """DS-R013, DS-R014: the environment asked for exists; environments replace what exists."""
    names = {e.name for e in scope.ecosystem.environments}
    if scope.environment is not None and scope.environment not in names:
        message = f"there is no environment {shown(scope.environment)}"
        path = step("", "ecosystem", scope.ecosystem.name)
        yield finding("DS-R013", scope.ecosystem, path, message, f"the environments are: {known(names)}")
    containers = {held.container.name for held in held_containers(scope.declared)}
    platforms = {platform.name for platform in scope.declared.platforms}
    for environment in scope.ecosystem.environments:
        path = step("", "environment", environment.name)
        for name in sorted(set(environment.containers) - containers):
            message = f"it replaces the container {shown(name)}, which nothing uses"
            yield finding("DS-R014", environment, path, message, closest(name, containers))
        for platform in environment.platforms:
            if platform.name not in platforms:
                message = f"it replaces the platform {shown(platform.name)}, which does not exist"
                yield finding("DS-R014", platform, path, message, closest(platform.name, platforms))
