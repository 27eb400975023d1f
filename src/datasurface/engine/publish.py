"""Consumers' views that follow the model: one for each sink of each group, made, replaced and dropped."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection

from datasurface.databases.merge import MergeStore, ViewShape
from datasurface.engine.actual import Actual, KnownView
from datasurface.engine.operation import Operation
from datasurface.model.vocabulary import History
from datasurface.names import group_schema, view_name
from datasurface.release.job import PlatformSpec

__all__ = ["desired_views", "view_operations"]

VERSION_COLUMNS = ("ds_batch_in", "ds_batch_out", "ds_valid_from", "ds_valid_to")


def desired_views(store: MergeStore, spec: PlatformSpec, schema: str, limit: int) -> list[ViewShape]:
    """Return every view that the platform has to show."""
    shapes = []
    for view in spec.views:
        tables = store.tables_of(schema, f"{view.datastore}.{view.dataset}")
        kinds = (False, True) if view.history is History.FULL else (False,)
        shapes += [
            ViewShape(
                schema=group_schema(view.workspace, view.group, limit),
                name=view_name(view.datastore, view.dataset, limit, history=history),
                columns=tuple(view.columns),
                history=history,
                stream=view.stream,
                dataset=view.dataset,
                tables=tables,
            )
            for history in kinds
        ]
    return shapes


def view_operations(
    store: MergeStore,
    connection: Connection,
    spec: PlatformSpec,
    schema: str,
    limit: int,
    actual: Actual,
    remade: set[tuple[str, str]],
) -> Iterator[Operation]:
    """Yield what has to be done to views and their schemas.

    Args:
        store: The merge database.
        connection: To look grants up.
        spec: What the platform has to show.
        schema: The platform's own schema.
        limit: The longest name, in bytes.
        actual: What there is.
        remade: Views that an earlier operation of the same plan drops.
    """
    wanted = {(v.schema, v.name): v for v in desired_views(store, spec, schema, limit)}
    here = {key[0] for key in actual.known if key in actual.views and key not in remade}
    for name in sorted({v.schema for v in wanted.values()} - here):
        if store.has_schema(connection, name):
            continue
        yield Operation(action="create", target=f"schema {name}", statements=(store.create_schema(name),))
    for key, known in sorted(actual.known.items()):
        if key not in wanted and key not in remade:
            yield _drop(store, actual, known)
    for key, shape in sorted(wanted.items()):
        known_now = None if key in remade else actual.known.get(key)
        yield from _show(store, connection, actual, shape, known_now)
    for name in sorted({key[0] for key in actual.known} - {key[0] for key in wanted}):
        if all(v.schema != name or (v.schema, v.name) in actual.known for v in actual.views.values()):
            yield Operation(action="drop", target=f"schema {name}", statements=(store.drop_schema(name),))


def _drop(store: MergeStore, actual: Actual, known: KnownView) -> Operation:
    strangers = actual.strangers_on(known.schema, known.name)
    return Operation(
        action="drop",
        target=f"view {known.schema}.{known.name}",
        statements=(store.drop_view(known.schema, known.name),),
        blocked=f"somebody's own view stands on it: {', '.join(strangers)}" if strangers else "",
        forgets_views=((known.schema, known.name),),
    )


def _show(
    store: MergeStore, connection: Connection, actual: Actual, shape: ViewShape, known: KnownView | None
) -> Iterator[Operation]:
    """Yield what makes one view as it should be, if it is not."""
    target = f"view {shape.schema}.{shape.name}"
    statement = store.create_view(shape)
    there = actual.views.get((shape.schema, shape.name))
    columns = shape.columns + (VERSION_COLUMNS if shape.history else ())
    if known is None or there is None:
        grants = store.read_grants(connection, shape.schema, shape.name, columns) if there is not None else ()
        yield Operation(action="create", target=target, statements=(statement, *grants), saves_views=(shape,))
        return
    if known.statement == statement and there.columns == columns:
        return
    statements = [statement]
    strangers: list[str] = []
    if columns[: len(there.columns)] != there.columns:
        grants = store.read_grants(connection, shape.schema, shape.name, columns)
        statements = [store.drop_view(shape.schema, shape.name), statement, *grants]
        strangers = actual.strangers_on(shape.schema, shape.name)
    yield Operation(
        action="change",
        target=target,
        detail=f"columns {', '.join(shape.columns)}",
        statements=tuple(statements),
        blocked=f"somebody's own view stands on it: {', '.join(strangers)}" if strangers else "",
        saves_views=(shape,),
    )
