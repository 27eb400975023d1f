"""What each role of a platform may do with what exists: views to read, tables to write, schemas to enter. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator

from datasurface.databases.security import Catalog, DefaultPrivilege, Kind, Privilege, Thing
from datasurface.release.job import ViewSpec
from datasurface.security.wanted import LoginRole, Wanted

__all__ = ["PUBLIC_VIEWS", "default_privileges", "privileges"]

PUBLIC_VIEWS = ("batches", "batch_datasets")
_OUTPUT_RIGHTS = ("DELETE", "INSERT", "SELECT", "TRUNCATE", "UPDATE")


def privileges(wanted: Wanted, catalog: Catalog, logins: Collection[LoginRole]) -> frozenset[Privilege]:
    """Return every privilege on what exists."""
    shown = [(view, thing) for view, thing in wanted.shown if thing in catalog.owners]
    return frozenset(
        {
            *_database(wanted, catalog, logins),
            *_monitoring(wanted, catalog),
            *_entering(wanted, catalog),
            *_reading(wanted, shown),
            *_clearances(wanted, catalog, shown),
            *_writing(wanted, catalog),
        }
    )


def _database(wanted: Wanted, catalog: Catalog, logins: Collection[LoginRole]) -> Iterator[Privilege]:
    """Yield what is granted on the database itself, where the administrator may grant there."""
    database = Thing(Kind.DATABASE, catalog.database)
    if not catalog.gives_database:
        return
    yield Privilege(database, wanted.names.owner, "CREATE")
    yield from (Privilege(database, login.role, "CONNECT") for login in logins)
    yield from (Privilege(database, role, "CONNECT") for role in wanted.group_roles)


def _monitoring(wanted: Wanted, catalog: Catalog) -> Iterator[Privilege]:
    schema = Thing(Kind.SCHEMA, wanted.schema)
    if schema in catalog.owners:
        yield Privilege(schema, wanted.names.monitor, "USAGE")
    for name in PUBLIC_VIEWS:
        view = Thing(Kind.VIEW, wanted.schema, name)
        if view in catalog.owners:
            yield Privilege(view, wanted.names.monitor, "SELECT")


def _entering(wanted: Wanted, catalog: Catalog) -> Iterator[Privilege]:
    """Yield who may look into the schemas of groups: their readers, and the transformer of the workspace."""
    schemas = {(view.workspace, view.group): Thing(Kind.SCHEMA, thing.schema) for view, thing in wanted.shown}
    for (workspace, group), schema in schemas.items():
        if schema in catalog.owners:
            yield Privilege(schema, wanted.names.reader(workspace, group), "USAGE")
            if workspace in wanted.transformers:
                yield Privilege(schema, wanted.names.transformer(workspace), "USAGE")
    for reader in wanted.readers:
        for group in wanted.groups.get(reader.workspace, ()):
            schema = schemas[reader.workspace, group]
            if schema in catalog.owners:
                yield Privilege(schema, wanted.names.reader(reader.workspace, group, reader.cleared), "USAGE")


def _reading(wanted: Wanted, shown: Collection[tuple[ViewSpec, Thing]]) -> Iterator[Privilege]:
    """Yield what readers and transformers see whole."""
    for view, thing in shown:
        yield Privilege(thing, wanted.names.reader(view.workspace, view.group), "SELECT")
        if view.workspace in wanted.transformers:
            yield Privilege(thing, wanted.names.transformer(view.workspace), "SELECT")


def _clearances(wanted: Wanted, catalog: Catalog, shown: Collection[tuple[ViewSpec, Thing]]) -> Iterator[Privilege]:
    """Yield what readers with a clearance see: whole views, or the columns that it covers."""
    by_workspace: dict[str, list[tuple[ViewSpec, Thing]]] = defaultdict(list)
    for view, thing in shown:
        by_workspace[view.workspace].append((view, thing))
    for reader in wanted.readers:
        for view, thing in by_workspace[reader.workspace] if reader.cleared is not None else ():
            role = wanted.names.reader(view.workspace, view.group, reader.cleared)
            head = f"{view.datastore}.{view.dataset}."
            hidden = {column.removeprefix(head) for column in reader.hidden if column.startswith(head)}
            if not hidden & set(view.columns):
                yield Privilege(thing, role, "SELECT")
                continue
            yield from (Privilege(thing, role, "SELECT", c) for c in catalog.columns.get(thing, ()) if c not in hidden)


def _writing(wanted: Wanted, catalog: Catalog) -> Iterator[Privilege]:
    """Yield what transformers may do with their own output tables."""
    for thing in catalog.owners:
        if thing.schema in wanted.outputs and thing.kind is not Kind.DATABASE:
            role = wanted.names.transformer(wanted.outputs[thing.schema])
            rights = ("USAGE",) if thing.kind is Kind.SCHEMA else _OUTPUT_RIGHTS
            yield from (Privilege(thing, role, right) for right in rights)


def default_privileges(wanted: Wanted) -> Iterator[DefaultPrivilege]:
    """Yield what is granted on each view and table as the owner makes it, in the same transaction."""
    owner = wanted.names.owner
    for workspace, group, schema in {(view.workspace, view.group, thing.schema) for view, thing in wanted.shown}:
        yield DefaultPrivilege(owner, schema, "r", wanted.names.reader(workspace, group), "SELECT")
        if workspace in wanted.transformers:
            yield DefaultPrivilege(owner, schema, "r", wanted.names.transformer(workspace), "SELECT")
    for schema, workspace in wanted.outputs.items():
        for right in _OUTPUT_RIGHTS:
            yield DefaultPrivilege(owner, schema, "r", wanted.names.transformer(workspace), right)
