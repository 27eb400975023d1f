"""Inputs that stay as they are for code that opens connections of its own: copies of them, made at one moment.

The copies are in schemas that only the transformer's role reads, beside one in which it may make tables of its own. All
are dropped after the run; what a crash left is dropped by the next.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from datasurface.databases.code import CodeDatabase, StandIn
from datasurface.databases.merge import MergeStore
from datasurface.errors import DataSurfaceError
from datasurface.model.vocabulary import History
from datasurface.names import group_schema, input_schema, view_name, work_schema

if TYPE_CHECKING:
    from datasurface.transform.instruction import Instruction

__all__ = ["stand_ins"]


@contextmanager
def stand_ins(
    instruction: Instruction, *, store: MergeStore, database: CodeDatabase, role: str | None
) -> Iterator[Instruction]:
    """Copy the inputs of a run as its moment saw them, and yield the instruction that names the copies.

    Args:
        instruction: The run.
        store: The merge database.
        database: What it does for code.
        role: Who may read the copies; None for nobody besides the platform.
    """
    spec, limit = instruction.job.transformer, instruction.name_limit
    if spec is None:
        raise ValueError(f"stream {instruction.job.stream} is no transformer's output")
    platform, workspace = instruction.job.platform, spec.workspace
    schemas = {
        group_schema(workspace, group, limit): input_schema(platform, workspace, group, limit)
        for group in sorted({i.group for i in spec.inputs})
    }
    work = work_schema(platform, workspace, limit)
    made = [*schemas.values(), work]
    with store.engine.begin() as connection:
        database.drop_scratch(connection, made)
    try:
        with store.engine.begin() as connection:
            database.copy_inputs(connection, instruction.snapshot, list(_views(instruction, schemas)), role=role)
            database.make_work(connection, work, role=role)
        yield dataclasses.replace(instruction, snapshot=None, schemas=schemas, work=work)
    finally:
        with suppress(SQLAlchemyError, DataSurfaceError), store.engine.begin() as connection:
            database.drop_scratch(connection, made)


def _views(instruction: Instruction, schemas: dict[str, str]) -> Iterator[StandIn]:
    spec, limit = instruction.job.transformer, instruction.name_limit
    for declared in spec.inputs if spec else ():
        schema = group_schema(spec.workspace, declared.group, limit) if spec else ""
        for history in (False, True) if declared.history is History.FULL else (False,):
            name = view_name(declared.datastore, declared.dataset, limit, history=history)
            yield StandIn(schema=schema, name=name, into=schemas[schema])
