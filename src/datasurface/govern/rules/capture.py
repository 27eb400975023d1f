"""Capture: what fills each datastore, from which database, how often, and within which bounds."""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterator

from datasurface.govern.cron import cron_fault
from datasurface.govern.paths import shown, step, store_path, workspace_path
from datasurface.govern.report import Finding, Severity, finding
from datasurface.govern.scope import Scope
from datasurface.model.capture import Capture, Cron, Every, Watermark
from datasurface.model.effective import PlacedDatastore, duration

__all__ = ["containers", "guards", "schedules", "sources"]

_DURATION_HINT = 'write a number and a unit, such as "5 minutes", "1 hour" or "7 days"'
_HIGHEST_PORT = 65_535


def sources(scope: Scope) -> Iterator[Finding]:
    """DS-C004 to DS-C007, DS-C009: every datastore is filled by something that can fill it."""
    for placed in scope.datastores:
        store = placed.datastore
        if not store.datasets:
            message = f"datastore {shown(store.name)} has no datasets"
            yield finding("DS-C009", store, store_path(placed), message, "list its datasets, or remove it")
        if placed.workspace is not None:
            if store.capture is not None:
                message = f"datastore {shown(store.name)} is a transformer's output and has a capture too"
                yield finding(
                    "DS-C007", store, store_path(placed), message, "remove capture=: the transformer fills it"
                )
        elif store.capture is None:
            message = f"datastore {shown(store.name)} has no capture, and no transformer fills it"
            hint = "give capture=Snapshot(…), or make it a transformer's output="
            yield finding("DS-C006", store, store_path(placed), message, hint)
        else:
            yield from _support(scope, placed, store.capture)


def _support(scope: Scope, placed: PlacedDatastore, capture: Capture) -> Iterator[Finding]:
    kind, container = type(capture).__name__, type(capture.container).__name__
    carriers = scope.carriers(placed.datastore)
    by = f" by platform {', '.join(carriers)}" if carriers else ""
    severity = Severity.ERROR if carriers else Severity.WARNING
    found = scope.capabilities_of(capture.container)
    path = store_path(placed)
    if found is None or not found.captures:
        message = f"reading from {container} {shown(capture.container.name)} is not supported yet{by}"
        hint = f"databases that can be read now: {_readable(scope)}"
        yield finding("DS-C005", capture, path, message, hint, severity=severity)
    elif kind not in found.captures:
        message = f"{kind} from {found.database} is not supported yet{by}"
        hint = f"{found.database} can be read now with {', '.join(sorted(found.captures))}"
        yield finding("DS-C004", capture, path, message, hint, severity=severity)


def _readable(scope: Scope) -> str:
    return ", ".join(sorted(name for name, c in scope.capabilities.items() if c.captures)) or "none"


def schedules(scope: Scope) -> Iterator[Finding]:
    """DS-C001 to DS-C003: durations, Cron expressions and time zones can be read."""
    for placed in scope.datastores:
        capture = placed.datastore.capture
        if capture is not None:
            path = store_path(placed)
            yield from _every(capture, path, capture.every)
            if isinstance(capture, Watermark):
                for text in (capture.overlap, capture.reconcile):
                    if isinstance(text, str):
                        yield from _every(capture, path, text)
    for where in scope.workspaces:
        transformer = where.workspace.transformer
        if transformer is not None and transformer.every is not None:
            path = step(workspace_path(where), "transformer", transformer.name)
            yield from _every(transformer, path, transformer.every)
    for platform in scope.yellow:
        for replica in platform.replicas:
            path = step(step("", "platform", platform.name), "replica", replica.name)
            yield from _every(replica, path, replica.every)


def _every(subject: object, path: str, every: Every) -> Iterator[Finding]:
    if isinstance(every, str):
        if duration(every) is None:
            yield finding("DS-C001", subject, path, f"{every[:200]!r} is no duration", _DURATION_HINT)
    elif isinstance(every, Cron):
        fault = cron_fault(every.expression)
        if fault:
            message = f"the Cron expression {every.expression[:200]!r} cannot be read: {fault}"
            hint = 'five fields: minute hour day month weekday, such as "0 6 * * 1-5"'
            yield finding("DS-C002", every, path, message, hint)
        if not _zone_known(every.tz):
            message = f"the time zone {every.tz[:200]!r} is not known"
            yield finding("DS-C003", every, path, message, 'use a name of the tz database, such as "Europe/Berlin"')


def _zone_known(name: str) -> bool:
    """Tell whether a time zone exists; where no tz database is installed, every name passes."""
    try:
        zoneinfo.ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        return name != "UTC" and not _zone_known("Europe/Berlin") if name != "Europe/Berlin" else False
    return True


def guards(scope: Scope) -> Iterator[Finding]:
    """DS-C008: a guard's bounds."""
    for placed in scope.datastores:
        guard = placed.datastore.guard
        path = store_path(placed)
        store = placed.datastore
        if not 0 <= guard.max_deleted <= 1:
            message = f"Guard(max_deleted={guard.max_deleted}) is no share between 0 and 1"
            yield finding(
                "DS-C008", guard, path, message, "0.5 is half of the rows; 1 switches the guard off", holder=store
            )
        if guard.above_rows < 0:
            message = f"Guard(above_rows={guard.above_rows}) is below 0"
            yield finding("DS-C008", guard, path, message, "0 guards every table", holder=store)


def containers(scope: Scope) -> Iterator[Finding]:
    """DS-C010: settings of containers that no database could have."""
    for held in (*scope.containers, *scope.stand_ins):
        container = held.container
        port, connections = getattr(container, "port", None), getattr(container, "connections", None)
        if port is not None and not 0 < port <= _HIGHEST_PORT:
            message = f"port {port} of container {shown(container.name)} is not between 1 and {_HIGHEST_PORT}"
            yield finding("DS-C010", container, held.path, message, "give the port of its server", holder=held.holder)
        if connections is not None and connections < 1:
            message = f"container {shown(container.name)} allows {connections} connections"
            hint = "at least 1 is needed to read or write it"
            yield finding("DS-C010", container, held.path, message, hint, holder=held.holder)
