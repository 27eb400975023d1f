"""What differs between a release and the running system, as a list of operations in the order in which they run."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from datasurface.engine.actual import Actual, read_actual
from datasurface.engine.evolve import check_refusals, retired_tables, table_operations
from datasurface.engine.operation import Operation
from datasurface.engine.outputs import retired_outputs
from datasurface.engine.publish import view_operations
from datasurface.release.job import PlatformSpec
from datasurface.runtime.platform import RunningPlatform
from datasurface.store.schema_version import create_statements

__all__ = ["Plan", "make_plan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The difference between a release and what runs.

    Attributes:
        platform: The platform's name.
        digest: The release that becomes active.
        operations: What differs.
        retired: What nobody asks for any longer; dropped only on demand, so it alone makes no difference.
    """

    platform: str
    digest: str
    operations: tuple[Operation, ...]
    retired: tuple[Operation, ...]

    @property
    def empty(self) -> bool:
        """Whether the running system is as the model says."""
        return not self.operations

    @property
    def stopped(self) -> tuple[Operation, ...]:
        """What cannot be done, or has to wait."""
        return tuple([o for o in self.operations if o.refused or o.blocked])

    def to_json(self) -> dict[str, object]:
        """Return the plan as `--json` prints it."""
        return {
            "platform": self.platform,
            "release": self.digest,
            "empty": self.empty,
            "operations": [o.to_json() for o in self.operations],
            "retired": [o.to_json() for o in self.retired],
        }


def make_plan(running: RunningPlatform, spec: PlatformSpec, digest: str) -> Plan:
    """Compare a release's platform with what runs."""
    with running.reading() as connection:
        actual = read_actual(running.store, connection, running.schema)
        operations = list(_operations(running, connection, spec, actual, digest))
        retired = (
            *retired_tables(running.store, spec, running.schema, actual),
            *retired_outputs(running.store, connection, spec, running.schema),
        )
    return Plan(platform=spec.name, digest=digest, operations=tuple(operations), retired=retired)


def _operations(
    running: RunningPlatform, connection: Connection, spec: PlatformSpec, actual: Actual, digest: str
) -> list[Operation]:
    store, schema = running.store, running.schema
    found: list[Operation] = []
    if not actual.enrolled:
        statements = (store.create_schema(schema), *create_statements(connection, schema))
        found.append(Operation(action="create", target=f"platform schema {schema}", statements=statements))
    tables = list(table_operations(store, connection, spec, schema, actual))
    remade = {key for operation in tables for key in operation.forgets_views}
    views = view_operations(store, connection, spec, schema, running.limit, actual, remade)
    found += [*tables, *views, *check_refusals(store, connection, spec, schema)]
    if actual.digest != digest:
        detail = f"in place of {actual.digest[:12]}" if actual.digest else ""
        found.append(Operation(action="activate", target=f"release {digest[:12]}", detail=detail))
    return found
