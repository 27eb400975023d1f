"""Checks of datasets: conditions that hold before rows are published. A failing one parks the batch, or warns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import field

from datasurface.model.base import noun
from datasurface.model.schema import Check
from datasurface.model.vocabulary import OnFailure

__all__ = [
    "AcceptedValues",
    "Freshness",
    "InRange",
    "NotNull",
    "RowCount",
    "SqlCheck",
    "Unique",
    "check_name",
    "columns_of",
]


@noun
class NotNull(Check):
    """No row has NULL in these columns; one column may be written without a list."""

    columns: str | Sequence[str] = field(kw_only=False)
    on_failure: OnFailure = OnFailure.PARK
    name: str = ""
    doc: str = ""


@noun
class Unique(Check):
    """No two rows agree in all these columns; rows with a NULL in one of them agree with none."""

    columns: str | Sequence[str] = field(kw_only=False)
    on_failure: OnFailure = OnFailure.PARK
    name: str = ""
    doc: str = ""


@noun
class AcceptedValues(Check):
    """A column holds one of these values, or NULL; moments and exact numbers may be written as texts."""

    column: str = field(kw_only=False)
    values: Sequence[str | bool | int | float] = field(kw_only=False)
    on_failure: OnFailure = OnFailure.PARK
    name: str = ""
    doc: str = ""


@noun
class InRange(Check):
    """A column's values lie between bounds, or are NULL; moments and exact numbers may be written as texts.

    Attributes:
        at_least: The smallest value allowed.
        at_most: The largest value allowed.
        above: All values are larger.
        below: All values are smaller.
    """

    column: str = field(kw_only=False)
    at_least: str | int | float | None = None
    at_most: str | int | float | None = None
    above: str | int | float | None = None
    below: str | int | float | None = None
    on_failure: OnFailure = OnFailure.PARK
    name: str = ""
    doc: str = ""


@noun
class RowCount(Check):
    """The table has so many rows."""

    at_least: int | None = None
    at_most: int | None = None
    on_failure: OnFailure = OnFailure.PARK
    name: str = ""
    doc: str = ""


@noun
class Freshness(Check):
    """The newest moment in a column is not older than this, at the time when the source was read.

    Attributes:
        column: A date or timestamp; one without zone is taken for UTC.
        within: Such as `"2 days"`.
    """

    column: str = field(kw_only=False)
    within: str
    on_failure: OnFailure = OnFailure.PARK
    name: str = ""
    doc: str = ""


@noun
class SqlCheck(Check):
    """A query that returns the rows that are wrong: `SqlCheck("SELECT * FROM {table} WHERE shipped < placed")`.

    Attributes:
        query: A SELECT in the merge database's SQL; `{table}` stands for the dataset, the only one that it may read.
        timeout: How long it may run.
    """

    query: str = field(kw_only=False)
    timeout: str = "1 minute"
    on_failure: OnFailure = OnFailure.PARK
    name: str = ""
    doc: str = ""


def columns_of(check: Check) -> tuple[str, ...]:
    """Return the names of the columns that a check looks at; none for one that looks at all, or at none."""
    if isinstance(check, NotNull | Unique):
        return (check.columns,) if isinstance(check.columns, str) else tuple(check.columns)
    return (check.column,) if isinstance(check, AcceptedValues | InRange | Freshness) else ()


def check_name(check: Check) -> str:
    """Return a check's name; one that has none is called by what it looks at, such as `unique(customer, day)`."""
    columns = ", ".join(columns_of(check))
    own: str = getattr(check, "name", "")  # a stranger's check may have none
    kind = re.sub(r"(?<!^)(?=[A-Z])", "_", type(check).__name__).lower()
    return own or kind + (f"({columns})" if columns else "")
