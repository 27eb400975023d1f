"""Duplicates: names that must be unique and are not, and things that meet where they must not."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from datasurface.govern.paths import shown, sink_path, step, store_path, workspace_path
from datasurface.govern.report import Finding, finding, position_of
from datasurface.govern.scope import Scope
from datasurface.model.effective import all_containers, credential_of, sinks_of
from datasurface.model.infrastructure import Container, Credential

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
                    yield finding("DS-D002", sink, sink_path(where, group, sink), message, hint)
                seen.add(sink.dataset)


def containers(scope: Scope) -> Iterator[Finding]:
    """DS-D003: containers of one name have the same settings."""
    variants: dict[str, list[Container]] = {}
    seen: set[int] = set()
    for container in all_containers(scope.ecosystem):
        if id(container) not in seen:
            seen.add(id(container))
            same = variants.setdefault(container.name, [])
            if container not in same:
                same.append(container)
    for name, same in variants.items():
        if len(same) > 1:
            first, *others = sorted(same, key=lambda c: _place((c, name, type(c).__name__)))
            at = position_of(first)
            for other in others:
                elsewhere = f"at {at}" if at else "elsewhere"
                message = f"the container {shown(name)} has other settings than the one declared {elsewhere}"
                hint = "declare it once and use that object, or give the two different names"
                yield finding("DS-D003", other, step("", "container", name), message, hint)


def credentials(scope: Scope) -> Iterator[Finding]:
    """DS-D004: no two credentials would be looked for in the same environment variable."""
    meeting: dict[str, dict[str, tuple[object, str]]] = {}
    for holder, path, credential in _credentials(scope):
        variable = re.sub(r"[^A-Z0-9_]", "_", credential.name.upper())
        subject = credential if position_of(credential) else holder
        meeting.setdefault(variable, {}).setdefault(credential.name, (subject, path))
    for variable, by_name in meeting.items():
        first, *others = sorted(by_name)
        for name in others:
            subject, path = by_name[name]
            message = f"the credentials {shown(first)} and {shown(name)} meet in the variables DATASURFACE_{variable}_…"
            yield finding("DS-D004", subject, path, message, "rename one of the two")


def _credentials(scope: Scope) -> Iterator[tuple[object, str, Credential]]:
    """Yield who names a credential, its path, and the credential."""
    holders: list[tuple[object, str, object]] = []
    for placed in scope.datastores:
        capture = placed.datastore.capture
        if capture is not None:
            holders.append((capture, store_path(placed), capture.credential))
    holders.extend((p, step("", "platform", p.name), p.credential) for p in scope.yellow)
    holders.extend(
        (c, step("", "container", c.name), getattr(c, "credential", None)) for c in all_containers(scope.ecosystem)
    )
    for where in scope.workspaces:
        transformer = where.workspace.transformer
        if transformer is not None:
            path = step(workspace_path(where), "transformer", transformer.name)
            holders.extend((transformer, path, secret) for secret in transformer.secrets.values())
    for holder, path, value in holders:
        credential = credential_of(value) if isinstance(value, str | Credential) else None
        if credential is not None:
            yield holder, path, credential
