"""Names: identifiers where SQL needs them, readable texts elsewhere, physical names that a source can have."""

from __future__ import annotations

from collections.abc import Iterator

from datasurface.govern.paths import shown, step, store_path, workspace_path
from datasurface.govern.report import Finding, finding
from datasurface.govern.scope import Scope
from datasurface.model.ecosystem import SystemZone
from datasurface.model.effective import PlacedDatastore, embedded_database
from datasurface.model.infrastructure import EmbeddedPostgres
from datasurface.model.schema import Column, Dataset
from datasurface.names import is_identifier, is_system_name

__all__ = ["columns", "embedded", "free", "identifiers", "reserved", "schemas", "secrets", "sources"]

_RESERVED = frozenset('/\\:*?"<>|')
_LONGEST = 128
_EMBEDDED_LIMIT = 63
_IDENTIFIER_HINT = "use a letter or _, then letters, digits and _, at most 128; source= can give the physical name"

_VARIABLE_HINT = "use a letter or _, then letters, digits and _, at most 128; capitals make no difference"


def identifiers(scope: Scope) -> Iterator[Finding]:
    """DS-N001: datastores, datasets, workspaces, groups and platforms have SQL identifiers as names."""
    for platform in scope.ecosystem.platforms:
        yield from _identifier(platform, "platform", platform.name, "")
    for placed in scope.datastores:
        path = store_path(placed)
        yield from _identifier(placed.datastore, "datastore", placed.datastore.name, path.rpartition(" / ")[0])
        for dataset in placed.datastore.datasets:
            if not is_identifier(dataset.name):
                yield from _identifier(dataset, "dataset", dataset.name, path)
    for where in scope.workspaces:
        path = workspace_path(where)
        yield from _identifier(where.workspace, "workspace", where.workspace.name, path.rpartition(" / ")[0])
        for group in where.workspace.groups:
            yield from _identifier(group, "group", group.name, path)


def _identifier(subject: object, kind: str, name: str, parent: str) -> Iterator[Finding]:
    if not is_identifier(name):
        message = f"the name {name[:200]!r} of the {kind} is not an SQL identifier"
        yield finding("DS-N001", subject, step(parent, kind, name), message, _IDENTIFIER_HINT)


def secrets(scope: Scope) -> Iterator[Finding]:
    """DS-N001: the names of a transformer's secrets, which become variables in capitals, and of containers files."""
    for where in scope.workspaces:
        transformer = where.workspace.transformer
        if transformer is None:
            continue
        path = step(workspace_path(where), "transformer", transformer.name)
        seen: dict[str, str] = {}
        for name in transformer.secrets:
            other = seen.setdefault(name.upper(), name)
            fault = ""
            if not is_identifier(name):
                fault = f"the name {name[:200]!r} of the secret is not an identifier"
            elif other != name:
                fault = f"the names {other!r} and {name!r} of secrets make the same variable"
            if fault:
                yield finding("DS-N001", transformer, step(path, "secret", name), fault, _VARIABLE_HINT)


def columns(scope: Scope) -> Iterator[Finding]:
    """DS-N001, DS-N003, DS-N005: names and physical names of columns. Each distinct name is judged once."""
    good: set[str] = set()
    for placed in scope.datastores:
        for dataset in placed.datastore.datasets:
            names = {c.name for c in dataset.columns}
            names.update([c.source for c in dataset.columns])
            if names <= good:
                continue
            good.update([n for n in names - good if is_identifier(n) and not n.startswith("ds_") and len(n) < 60])  # noqa: PLR2004 - shorter than any database's limit
            for column in dataset.columns:
                if column.name not in good or column.source not in good:
                    yield from _column(scope, placed, dataset, column)


def _column(scope: Scope, placed: PlacedDatastore, dataset: Dataset, column: Column) -> Iterator[Finding]:
    parent = step(store_path(placed), "dataset", dataset.name)
    path = step(parent, "column", column.name)
    yield from _identifier(column, "column", column.name, parent)
    if column.name.startswith("ds_"):
        message = f"column {shown(column.name)} begins with ds_, which is kept for the columns of history"
        yield finding("DS-N003", column, path, message, "choose another name, and give the physical one with source=")
    yield from _physical(scope, placed, column, path, column.source)


def sources(scope: Scope) -> Iterator[Finding]:
    """DS-N005: the physical names of datasets."""
    for placed in scope.datastores:
        for dataset in placed.datastore.datasets:
            parts = (dataset.source,) if isinstance(dataset.source, str) else dataset.source
            for part in parts:
                if not is_identifier(part) or len(part) >= 60:  # noqa: PLR2004 - shorter than any database's limit
                    yield from _physical(
                        scope, placed, dataset, step(store_path(placed), "dataset", dataset.name), part
                    )


def _physical(scope: Scope, placed: PlacedDatastore, subject: object, path: str, name: str) -> Iterator[Finding]:
    capture = placed.datastore.capture
    found = scope.capabilities_of(capture.container) if capture else None
    fault = physical_fault(name, found.name_limit if found else None)
    if fault:
        database = found.database if found else "the source"
        message = f"the physical name {name[:200]!r} {fault}, so {database} cannot have it"
        yield finding("DS-N005", subject, path, message, "give the name as the source has it with source=")


def physical_fault(name: str, limit: int | None) -> str:
    """Return what keeps a text from being a name in a database, or nothing; `limit` is in bytes of UTF-8."""
    if not name:
        return "is empty"
    if "\0" in name:
        return "holds a NUL character"
    try:
        length = len(name.encode())
    except UnicodeEncodeError:
        return "holds half a character (a lone surrogate)"
    return f"has {length} bytes where at most {limit} fit" if limit is not None and length > limit else ""


def free(scope: Scope) -> Iterator[Finding]:
    """DS-N002: names that need not be identifiers are readable and fit in a path."""
    ecosystem = scope.ecosystem
    named: list[tuple[object, str, str, str]] = [(ecosystem, "ecosystem", ecosystem.name, "")]
    for zone in ecosystem.zones:
        named.append((zone, "zone", zone.name, ""))
        parent = step("", "zone", zone.name)
        named.extend((team, "team", team.name, parent) for team in zone.teams)
    named.extend((vendor, "vendor", vendor.name, "") for vendor in ecosystem.vendors)
    named.extend((environment, "environment", environment.name, "") for environment in ecosystem.environments)
    for platform in scope.yellow:
        parent = step("", "platform", platform.name)
        named.extend((replica, "replica", replica.name, parent) for replica in platform.replicas)
    for where in scope.workspaces:
        transformer = where.workspace.transformer
        if transformer is not None:
            named.append((transformer, "transformer", transformer.name, workspace_path(where)))
    for subject, kind, name, parent in named:
        yield from _free(subject, None, kind, name, step(parent, kind, name))
    for held in (*scope.containers, *scope.stand_ins):
        yield from _free(held.container, held.holder, "container", held.container.name, held.path)
    for secret in scope.credentials:
        yield from _free(secret.credential, secret.holder, "credential", secret.credential.name, secret.path)


def _free(subject: object, holder: object, kind: str, name: str, path: str) -> Iterator[Finding]:
    fault = free_fault(name)
    if fault:
        message = f"the name {name[:200]!r} of the {kind} {fault}"
        yield finding("DS-N002", subject, path, message, "choose a plain, readable name", holder=holder)


def free_fault(name: str) -> str:
    """Return what is wrong with a name that need not be an identifier, or nothing."""
    if not name.strip():
        return "is empty"
    if name != name.strip() or not name.isprintable():
        return "has blanks at its ends or characters that cannot be printed"
    if name in (".", ".."):
        return "is a name of a folder"
    if len(name) > _LONGEST:
        return f"has more than {_LONGEST} characters"
    reserved = sorted(_RESERVED & set(name))
    return f"has the reserved character {reserved[0]}" if reserved else ""


def schemas(scope: Scope) -> Iterator[Finding]:
    """DS-N004: no group's schema is the platform's or the database's own."""
    for where in scope.workspaces:
        for group in where.workspace.groups:
            schema = f"{where.workspace.name}_{group.name}"
            if schema.startswith(("ds_", "pg_")) or schema.lower() == "information_schema":
                path = step(workspace_path(where), "group", group.name)
                message = f"the group's views would be in the schema {shown(schema)}, which is reserved"
                yield finding("DS-N004", group, path, message, "rename the workspace; ds_… and pg_… are taken")


def reserved(scope: Scope) -> Iterator[Finding]:
    """DS-N007: no zone, team, datastore or workspace of a model has a name of DataSurface's own."""
    for subject, kind, path in _own(scope):
        name = str(getattr(subject, "name", ""))
        if is_system_name(name):
            message = f"the name {shown(name)} of the {kind} is DataSurface's own"
            hint = (
                "choose a name that does not begin with datasurface; what DataSurface adds may be consumed by its name"
            )
            yield finding("DS-N007", subject, path, message, hint)


def _own(scope: Scope) -> Iterator[tuple[object, str, str]]:
    """Yield what the model itself declares, with its kind and path."""
    for zone in scope.ecosystem.zones:
        if not isinstance(zone, SystemZone):
            path = step("", "zone", zone.name)
            yield zone, "zone", path
            yield from ((team, "team", step(path, "team", team.name)) for team in zone.teams)
    for placed in scope.datastores:
        if not isinstance(placed.zone, SystemZone):
            yield placed.datastore, "datastore", store_path(placed)
    for where in scope.workspaces:
        if not isinstance(where.zone, SystemZone):
            yield where.workspace, "workspace", workspace_path(where)


def embedded(scope: Scope) -> Iterator[Finding]:
    """DS-N006: the database of an embedded server has a name that PostgreSQL can hold."""
    for held in scope.containers:
        container = held.container
        if isinstance(container, EmbeddedPostgres):
            name = embedded_database(container, scope.ecosystem.name)
            fault = physical_fault(name, _EMBEDDED_LIMIT)
            if not fault and name in ("postgres", "template0", "template1"):
                fault = "is PostgreSQL's own"
            if fault:
                message = f"the database {name[:200]!r} of the embedded server {fault}"
                hint = "give EmbeddedPostgres(database=…), or shorten the ecosystem's name"
                yield finding("DS-N006", container, held.path, message, hint, holder=held.holder)
