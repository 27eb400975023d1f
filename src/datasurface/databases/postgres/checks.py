"""Checks on PostgreSQL: conditions counted in one statement over the rows that a batch is to publish.

A user's query runs with the dataset as its only table, after `proof` has asked the server what it would read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import psycopg
from psycopg import errors as pg

from datasurface.databases.checks import Judged, Measure, Rows
from datasurface.databases.postgres.connect import explain
from datasurface.databases.postgres.ddl import qualified, quote
from datasurface.databases.postgres.delta import shown_key
from datasurface.databases.postgres.proof import framed, in_savepoint
from datasurface.databases.postgres.types import canonical, physical_type
from datasurface.errors import BatchFailedError
from datasurface.model.check import (
    AcceptedValues,
    Freshness,
    InRange,
    NotNull,
    SqlCheck,
    Unique,
    check_name,
    columns_of,
)
from datasurface.model.check_values import value_for
from datasurface.model.effective import duration
from datasurface.model.schema import Check
from datasurface.model.types import (
    Boolean,
    DataType,
    Date,
    FixedString,
    Float64,
    Interval,
    String,
    Time,
    Timestamp,
    Uuid,
)
from datasurface.model.vocabulary import OutputMode

__all__ = ["PostgresChecker"]

_SHOWN = 10
_NATURAL = (Float64, Boolean, Date, Time, Interval, Uuid, Timestamp)
"""Types whose own comparison takes a value as it is."""
_PRESENTABLE = "BETWEEN '0001-01-02' AND '9999-12-30'"
"""Moments that a calendar has; others make nothing fresh."""
_OPERATORS = {"at_least": "<", "at_most": ">", "above": "<=", "below": ">="}
"""By which a value is outside of a bound."""

_Params = list[object]


class PostgresChecker:
    """Judges one dataset of a batch.

    Args:
        raw: The connection, in the transaction that is to publish the batch.
        judged: The dataset.
        delta: The table that holds its delta.
        fault: Says why a query may not run, or nothing.
    """

    def __init__(
        self, raw: psycopg.Connection[Any], judged: Judged, delta: str, fault: Callable[[SqlCheck], str]
    ) -> None:
        self._raw = raw
        self._dataset = judged.dataset
        self._types = {c.name: c.type for c in judged.dataset.columns}
        self._fault = fault
        names = ", ".join(quote(c.name) for c in judged.dataset.columns)
        tables = judged.tables
        changed = f"SELECT {names} FROM {qualified(tables.schema, delta)} WHERE ds_op <> 'D'"
        staged = f"SELECT {names} FROM {qualified(tables.schema, judged.staging.table)}"
        kept = (
            f"SELECT {names} FROM {qualified(tables.schema, tables.current)} c WHERE NOT EXISTS "
            f"(SELECT FROM {qualified(tables.schema, delta)} d WHERE d.ds_row = c.ctid)"
        )
        self._rows = {
            Rows.CHANGED: changed,
            Rows.WHOLE: staged if judged.mode is OutputMode.SNAPSHOT else f"{kept} UNION ALL {changed}",
        }

    def measure(self, checks: Sequence[Check], rows: Rows) -> Sequence[Measure]:
        """Return what each check found, all in one statement."""
        bound: _Params = []
        counts = [self._counted(check, rows, bound) for check in checks]
        # The first count makes one row of it, also where nothing but subqueries follows.
        query = f"SELECT count(*), {', '.join(counts)} FROM ({self._rows[rows]}) r"
        found = self._raw.execute(query.encode(), bound or None).fetchall()[0][1:]
        return [
            Measure(newest=value) if isinstance(check, Freshness) else Measure(failing=int(value))
            for check, value in zip(checks, found, strict=True)
        ]

    def failing_keys(self, check: Check, rows: Rows) -> Sequence[str]:
        """Return the keys of up to ten rows that are wrong, each as one text."""
        if not self._dataset.key_columns:
            return []
        keys = ", ".join(quote(c.name) for c in self._dataset.key_columns)
        bound: _Params = []
        if isinstance(check, Unique):
            group = self._group(check)
            many = f"SELECT *, count(*) OVER (PARTITION BY {group}) AS ds_copies FROM ({self._rows[rows]}) r"
            found, order = f"({many} WHERE {self._present(check)}) r WHERE ds_copies > 1", f"{group}, {keys}"
        else:
            found, order = f"({self._rows[rows]}) r WHERE {self._wrong(check, bound)}", keys
        query = f"SELECT {shown_key(self._dataset)} FROM {found} ORDER BY {order} LIMIT {_SHOWN}"
        return [str(row[0]) for row in self._raw.execute(query.encode(), bound or None)]

    def query(self, check: SqlCheck, *, keys: bool) -> tuple[int, Sequence[str]]:
        """Run a user's query; return how many rows it found, and the keys of up to ten if it names them."""
        fault = self._fault(check)
        if fault:
            raise BatchFailedError(f"check {check_name(check)!r} of dataset {self._dataset.name!r}: {fault}")
        limit = duration(check.timeout)
        seconds = limit.total_seconds() if limit is not None else 60.0
        try:
            with in_savepoint(self._raw, read_only=True, seconds=seconds):
                counted = self._framed(check, "SELECT count(*) FROM ({}) ds_found")
                number = int(self._raw.execute(counted, prepare=True).fetchall()[0][0])
                return number, self._named(check) if keys and number else []
        except pg.QueryCanceled as error:
            raise self._failed(check, f"it took longer than {check.timeout}") from error
        except psycopg.Error as error:
            if error.sqlstate is None or error.sqlstate[:2] not in ("22", "42", "21", "25", "0A", "54", "2F", "53"):
                raise
            raise self._failed(check, _without_values(error)) from error

    def _named(self, check: SqlCheck) -> Sequence[str]:
        """Return the keys of the dataset's own rows that a query found, if it returns the key under its own names."""
        wanted = [c.name for c in self._dataset.key_columns]
        described = self._raw.execute(self._framed(check, "SELECT * FROM ({}) ds_found LIMIT 0"), prepare=True)
        found = [c.name for c in described.description or ()]
        if not wanted or any(found.count(name) != 1 for name in wanted):
            return []
        # The texts come from the dataset's own column, whatever the query calls by its name.
        same = " AND ".join(f"r.{quote(n)}::text = ds_found.{quote(n)}::text" for n in wanted)
        exists = f"EXISTS (SELECT FROM ({{}}) ds_found WHERE {same})"
        keys = ", ".join(f"r.{quote(n)}" for n in wanted)
        text = f"SELECT {shown_key(self._dataset)} FROM {quote(self._dataset.name)} r WHERE {exists} ORDER BY {keys}"
        return [str(row[0]) for row in self._raw.execute(self._framed(check, f"{text} LIMIT {_SHOWN}"), prepare=True)]

    def _framed(self, check: SqlCheck, around: str) -> bytes:
        return framed(check.query, self._dataset.name, self._rows[Rows.WHOLE], around).encode()

    def _failed(self, check: SqlCheck, reason: str) -> BatchFailedError:
        message = f"check {check_name(check)!r} of dataset {self._dataset.name!r} cannot be run: {reason}"
        return BatchFailedError(message, hint="correct the query in the model, then `datasurface apply`")

    def _counted(self, check: Check, rows: Rows, bound: _Params) -> str:
        """Return the expression of one column of the statement that measures."""
        if isinstance(check, Freshness):
            return self._newest(check)
        if isinstance(check, Unique):
            copies = f"SELECT count(*) AS n FROM ({self._rows[rows]}) r WHERE {self._present(check)}"
            return f"(SELECT coalesce(sum(n), 0) FROM ({copies} GROUP BY {self._group(check)} HAVING count(*) > 1) g)"
        return f"count(*) FILTER (WHERE {self._wrong(check, bound)})"

    def _newest(self, check: Freshness) -> str:
        name = quote(check.column)
        newest = f"max({name}) FILTER (WHERE {name} {_PRESENTABLE})"
        zoned = isinstance(self._types[check.column], Timestamp) and getattr(self._types[check.column], "tz", True)
        return newest if zoned else f"({newest})::timestamp AT TIME ZONE 'UTC'"

    def _present(self, check: Check) -> str:
        return " AND ".join(f"{quote(name)} IS NOT NULL" for name in columns_of(check))

    def _group(self, check: Check) -> str:
        return ", ".join(canonical(self._types[name], quote(name)) for name in columns_of(check))

    def _wrong(self, check: Check, bound: _Params) -> str:
        """Return the condition that a row is wrong, and add the values that it binds."""
        if isinstance(check, NotNull):
            return " OR ".join(f"{quote(name)} IS NULL" for name in columns_of(check))
        if isinstance(check, AcceptedValues):
            held = self._types[check.column]
            bound.append([value_for(held, value) for value in check.values])
            return f"{canonical(held, quote(check.column))} <> ALL ({_accepted(held)})"
        if not isinstance(check, InRange):
            raise BatchFailedError(f"check {check_name(check)!r} is of a class that PostgreSQL cannot run")
        held, parts = self._types[check.column], []
        for where, operator in _OPERATORS.items():
            value = getattr(check, where)
            if value is not None:
                bound.append(value_for(held, value))
                parts.append(f"{quote(check.column)} {operator} %s::{_compared(held)}")
        return " OR ".join(parts)


def _compared(held: DataType) -> str:
    """Return the type as which a bound meets a column's values, so that neither is rounded."""
    physical = physical_type(held) or "text"
    if physical == "real" or isinstance(held, _NATURAL):
        return physical
    return "text" if isinstance(held, String | FixedString) else "numeric"


def _accepted(held: DataType) -> str:
    if isinstance(held, Interval):
        return "SELECT interval_send(v) FROM unnest(%s::text[]::interval[]) v"
    return f"%s::{_compared(held)}[]"


def _without_values(error: psycopg.Error) -> str:
    """Say a driver's error without the value that a cast or a function was given: what stands between quotes."""
    text = explain(error)
    before, quoted, rest = text.partition('"')
    if not (error.sqlstate or "").startswith("22") or not quoted:
        return text
    after = rest.rpartition(quoted)[2]
    return f"{before}…{after}"
