"""PostgreSQL's statements that make and change tables and views, as text, so that a plan prints what apply runs."""

from __future__ import annotations

import re
from collections.abc import Sequence

from datasurface.databases.merge import Tables, ViewShape
from datasurface.databases.postgres.types import physical_type
from datasurface.release.job import JobColumn, JobDataset

__all__ = [
    "add_column",
    "alter_type",
    "columns_of",
    "create_current",
    "create_deltas",
    "create_history",
    "create_view",
    "literal",
    "qualified",
    "quote",
    "type_of",
    "widening",
]


def quote(name: str) -> str:
    """Return an identifier, quoted."""
    return '"' + name.replace('"', '""') + '"'


def qualified(schema: str, name: str) -> str:
    """Return `"schema"."name"`."""
    return f"{quote(schema)}.{quote(name)}"


def literal(text: str) -> str:
    """Return a text literal; only for names in view definitions, which cannot have bound values."""
    escaped = text.replace("'", "''")
    return f"'{escaped}'" if "\\" not in text else "E'" + escaped.replace("\\", "\\\\") + "'"


def type_of(column: JobColumn) -> str:
    """Return the physical type of a column, which `check` has found to exist."""
    physical = physical_type(column.type)
    if physical is None:
        raise ValueError(f"PostgreSQL cannot hold {column.type.spelled()} of column {column.name!r}")
    return physical


def columns_of(dataset: JobDataset, *, nullable_keys: bool = False) -> list[str]:
    """Return the column definitions of a dataset; a key that is made later may still hold what cannot be one."""
    lines = []
    for column in dataset.columns:
        not_null = not column.nullable and not (column.key and nullable_keys)
        lines.append(f"{quote(column.name)} {type_of(column)}{' NOT NULL' if not_null else ''}")
    return lines


def create_current(tables: Tables, dataset: JobDataset) -> Sequence[str]:
    """Return the statements for an empty current table: the dataset's columns, its key, and since when a row holds."""
    columns = [*columns_of(dataset), "ds_batch_in bigint NOT NULL", "ds_valid_from timestamp with time zone NOT NULL"]
    key = ", ".join(quote(c.name) for c in dataset.key_columns)
    primary = [f"PRIMARY KEY ({key})"] if key else []
    return [f"CREATE TABLE {qualified(tables.schema, tables.current)} ({', '.join([*columns, *primary])})"]


def create_history(tables: Tables, dataset: JobDataset) -> Sequence[str]:
    """Return the statements for an empty history table, with an index on the key to find a row's versions."""
    columns = [
        *(f"{quote(c.name)} {type_of(c)}" for c in dataset.columns),
        "ds_batch_in bigint NOT NULL",
        "ds_batch_out bigint NOT NULL",
        "ds_valid_from timestamp with time zone NOT NULL",
        "ds_valid_to timestamp with time zone NOT NULL",
    ]
    table = qualified(tables.schema, tables.history)
    key = ", ".join(quote(c.name) for c in dataset.key_columns)
    statements = [f"CREATE TABLE {table} ({', '.join(columns)})"]
    if key:
        statements.append(f"CREATE INDEX ON {table} ({key})")
    if dataset.retention_days is not None:
        statements.append(f"CREATE INDEX ON {table} USING brin (ds_valid_to)")
    return statements


def create_deltas(tables: Tables, dataset: JobDataset) -> Sequence[str]:
    """Return the statements for the table of kept deltas."""
    table = qualified(tables.schema, tables.deltas)
    columns = [*(f"{quote(c.name)} {type_of(c)}" for c in dataset.columns)]
    head = ["ds_batch bigint NOT NULL", 'ds_op "char" NOT NULL']
    return [f"CREATE TABLE {table} ({', '.join([*head, *columns])})", f"CREATE INDEX ON {table} (ds_batch)"]


def create_view(view: ViewShape) -> str:
    """Return the statement for a consumer's view.

    A view of all versions leaves rows out, so it is a barrier: no function in a reader's condition sees them. A view of
    the current rows leaves none out; a barrier would hide nothing there, and keep joins from using the key.
    """
    columns = ", ".join(quote(c) for c in view.columns)
    current = qualified(view.tables.schema, view.tables.current)
    head = f"CREATE OR REPLACE VIEW {qualified(view.schema, view.name)}"
    if not view.history:
        return f"{head} AS SELECT {columns} FROM {current}"
    state = (
        f"(SELECT history_from, history_from_at FROM {qualified(view.tables.schema, 'datasets')} "
        f"WHERE stream = {literal(view.stream)} AND dataset = {literal(view.dataset)} AND history_from IS NOT NULL)"
    )
    return (
        f"{head} WITH (security_barrier = true) AS SELECT {', '.join(f'h.{quote(c)}' for c in view.columns)}, "
        f"h.ds_batch_in, h.ds_batch_out, h.ds_valid_from, h.ds_valid_to "
        f"FROM {qualified(view.tables.schema, view.tables.history)} h CROSS JOIN {state} s "
        f"WHERE h.ds_batch_out > s.history_from "
        f"UNION ALL SELECT {', '.join(f'c.{quote(c)}' for c in view.columns)}, "
        f"greatest(c.ds_batch_in, s.history_from), NULL::bigint, "
        f"greatest(c.ds_valid_from, s.history_from_at), NULL::timestamp with time zone "
        f"FROM {current} c CROSS JOIN {state} s"
    )


def add_column(schema: str, table: str, column: str, physical: str) -> str:
    """Return the statement that adds a nullable column."""
    return f"ALTER TABLE {qualified(schema, table)} ADD COLUMN {quote(column)} {physical}"


def alter_type(schema: str, table: str, column: str, physical: str) -> str:
    """Return the statement that widens a column."""
    return f"ALTER TABLE {qualified(schema, table)} ALTER COLUMN {quote(column)} TYPE {physical}"


_NUMERIC = re.compile(r"numeric\((\d+),(\d+)\)\Z")
_VARYING = re.compile(r"character varying\((\d+)\)\Z")
_FIXED = re.compile(r"character\((\d+)\)\Z")
_INTEGERS = ("smallint", "integer", "bigint")
_DIGITS = {"smallint": 5, "integer": 10, "bigint": 19}


def widening(old: str, new: str) -> bool | None:
    """Judge a change of physical type: True widens by a rewrite, False without one, None is no widening."""
    if old == new:
        return False
    if old in _INTEGERS and new in _INTEGERS:
        return True if _INTEGERS.index(new) > _INTEGERS.index(old) else None
    if (old, new) == ("real", "double precision"):
        return True
    return _text_widening(old, new) if new.startswith(("text", "character")) else _numeric_widening(old, new)


def _text_widening(old: str, new: str) -> bool | None:
    was, fixed = _VARYING.match(old), _FIXED.match(old)
    if was:
        to = _VARYING.match(new)
        return False if new == "text" or (to and int(to[1]) >= int(was[1])) else None
    to = _FIXED.match(new)
    return True if fixed and to and int(to[1]) >= int(fixed[1]) else None


def _numeric_widening(old: str, new: str) -> bool | None:
    to = _NUMERIC.match(new)
    if not to:
        return None
    precision, scale = int(to[1]), int(to[2])
    if old in _DIGITS:
        return True if precision - scale >= _DIGITS[old] else None
    was = _NUMERIC.match(old)
    if not was or scale < int(was[2]) or precision - scale < int(was[1]) - int(was[2]):
        return None
    return scale != int(was[2])
