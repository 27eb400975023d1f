"""Duplicates: names that must be unique and are not, and things that meet where they must not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from datasurface.govern.holders import HeldContainer, HeldCredential
from datasurface.govern.paths import shown, sink_path, step, store_path, workspace_path
from datasurface.govern.report import Finding, finding, position_of
from datasurface.govern.rules.stores import kinds_of_stores
from datasurface.govern.scope import Scope
from datasurface.model.effective import sinks_of
from datasurface.model.secret_names import NAMED_STORES, variable_stem

__all__ = ["containers", "credentials", "names", "schemas_of_stores", "sinks"]

_Named = tuple[object, str, str]
"""An object, its name and its path."""


def _repeated(kind: str, within: str, found: Iterable[_Named]) -> Iterator[Finding]:
    """Yield a finding at each object whose name another one, at an earlier place of the source, has too."""
    same: dict[str, list[_Named]] = {}
    for named in found:
        same.setdefault(named[1], []).append(named)
    for name, group in same.items():
        if len(group) > 1:
            first, *others = sorted(group, key=_place)
            at = position_of(first[0])
            other = f"at {at}" if at else f"as {first[2]}"
            for subject, _, path in others:
                message = f"the {kind} {shown(name)} exists twice in {within}; the other is declared {other}"
                yield finding("DS-D001", subject, path, message, "rename or remove one of the two")


def _place(named: _Named) -> tuple[str, int, str]:
    at = position_of(named[0])
    return (at.path if at else "", at.line if at else 0, named[2])


def names(scope: Scope) -> Iterator[Finding]:
    """DS-D001: names are unique in the ecosystem or in their parent."""
    eco = scope.ecosystem
    whole = "the ecosystem"
    yield from _repeated("datastore", whole, ((p.datastore, p.datastore.name, store_path(p)) for p in scope.datastores))
    yield from _repeated(
        "workspace", whole, ((p.workspace, p.workspace.name, workspace_path(p)) for p in scope.workspaces)
    )
    for kind, objects in (
        ("platform", eco.platforms),
        ("zone", eco.zones),
        ("vendor", eco.vendors),
        ("environment", eco.environments),
    ):
        yield from _repeated(kind, whole, ((o, o.name, step("", kind, o.name)) for o in objects))
    for environment in eco.environments:
        path = step("", "environment", environment.name)
        stand_ins = ((p, p.name, step(path, "platform", p.name)) for p in environment.platforms)
        yield from _repeated("platform", f"environment {shown(environment.name)}", stand_ins)
    for zone in eco.zones:
        path = step("", "zone", zone.name)
        yield from _repeated(
            "team", f"zone {shown(zone.name)}", ((t, t.name, step(path, "team", t.name)) for t in zone.teams)
        )
    for platform in scope.yellow:
        path = step("", "platform", platform.name)
        replicas = ((r, r.name, step(path, "replica", r.name)) for r in platform.replicas)
        yield from _repeated("replica", f"platform {shown(platform.name)}", replicas)
    for where in scope.workspaces:
        path = workspace_path(where)
        groups = ((g, g.name, step(path, "group", g.name)) for g in where.workspace.groups)
        yield from _repeated("group", f"workspace {shown(where.workspace.name)}", groups)


def schemas_of_stores(scope: Scope) -> Iterator[Finding]:
    """DS-D001: names of datasets and columns are unique."""
    for placed in scope.datastores:
        datasets = placed.datastore.datasets
        if len({d.name for d in datasets}) != len(datasets):
            path = store_path(placed)
            found = ((d, d.name, step(path, "dataset", d.name)) for d in datasets)
            yield from _repeated("dataset", f"datastore {shown(placed.datastore.name)}", found)
        for dataset in datasets:
            columns = dataset.columns
            if len({c.name for c in columns}) != len(columns):
                path = step(store_path(placed), "dataset", dataset.name)
                twice = ((c, c.name, step(path, "column", c.name)) for c in columns)
                yield from _repeated("column", f"dataset {shown(dataset.name)}", twice)


def sinks(scope: Scope) -> Iterator[Finding]:
    """DS-D002: a group names each dataset once."""
    for where in scope.workspaces:
        for group in where.workspace.groups:
            seen: set[str] = set()
            for sink in sinks_of(group):
                if sink.dataset in seen:
                    message = f"group {shown(group.name)} consumes {shown(sink.dataset)} twice"
                    hint = "remove one of the two, or put it into another group"
                    yield finding("DS-D002", sink, sink_path(where, group, sink), message, hint, holder=group)
                seen.add(sink.dataset)


def containers(scope: Scope) -> Iterator[Finding]:
    """DS-D003: containers of one name have the same settings."""
    variants: dict[str, list[HeldContainer]] = {}
    for held in scope.containers:
        same = variants.setdefault(held.container.name, [])
        if all(held.container != other.container for other in same):
            same.append(held)
    for name, same in variants.items():
        if len(same) > 1:
            first, *others = sorted(same, key=_container_place)
            at = position_of(first.container, first.holder)
            where = f"at {at}" if at else "elsewhere"
            for other in others:
                message = f"the container {shown(name)} has other settings than the one declared {where}"
                hint = "declare it once and use that object, or give the two different names"
                yield finding("DS-D003", other.container, other.path, message, hint, holder=other.holder)


def _container_place(held: HeldContainer) -> tuple[str, int, str]:
    at = position_of(held.container, held.holder)
    return (at.path if at else "", at.line if at else 0, repr(held.container))


def credentials(scope: Scope) -> Iterator[Finding]:
    """DS-D004: no two credentials would be looked for under the same name of a store that is asked."""
    for kind in sorted(kinds_of_stores(scope)):
        if kind == "environment":
            yield from _meeting(scope, variable_stem, "the variables {name}…")
        elif kind in NAMED_STORES:
            name = partial(NAMED_STORES[kind], "datasurface", scope.ecosystem.name, None)
            yield from _meeting(scope, name, f"the secret {{name}} of the store {kind}")


def _meeting(scope: Scope, name_of: Callable[[str], str], where: str) -> Iterator[Finding]:
    meeting: dict[str, dict[str, HeldCredential]] = {}
    for held in sorted(scope.credentials, key=lambda held: held.path):
        meeting.setdefault(name_of(held.credential.name), {}).setdefault(held.credential.name, held)
    for name, by_name in meeting.items():
        first, *others = sorted(by_name)
        for other in others:
            held = by_name[other]
            message = f"the credentials {shown(first)} and {shown(other)} meet in {where.format(name=name)}"
            yield finding("DS-D004", held.credential, held.path, message, "rename one of the two", holder=held.holder)
