"""Checks of datasets: each looks at columns that there are, of types it can judge, by values that can be.

Whether a query can be understood is the merge database's to say, at `apply`; here only its outline is looked at.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from datasurface.govern.paths import shown, step, store_path
from datasurface.govern.report import Finding, finding
from datasurface.govern.scope import Scope, closest
from datasurface.model.check import (
    AcceptedValues,
    Freshness,
    InRange,
    NotNull,
    RowCount,
    SqlCheck,
    Unique,
    check_name,
    columns_of,
)
from datasurface.model.check_values import ENUMERABLE, MOMENTS, ORDERED, value_for
from datasurface.model.effective import duration
from datasurface.model.schema import Check, Column, Dataset
from datasurface.model.types import DataType

__all__ = ["checks"]

_KNOWN = (NotNull, Unique, AcceptedValues, InRange, RowCount, Freshness, SqlCheck)
_TYPES: tuple[tuple[type[Check], tuple[type[DataType], ...], str], ...] = (
    (AcceptedValues, ENUMERABLE, "values of {} cannot be listed"),
    (InRange, ORDERED, "a {} has no range"),
    (Freshness, MOMENTS, "a {} is no moment"),
)
_BOUNDS = ("at_least", "above", "at_most", "below")
_QUOTED = re.compile(
    r"""--[^\n]*|/\*.*?\*/|[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|\$(\w*)\$.*?\$\1\$""", re.DOTALL
)
_OPEN = re.compile(r"'|\"|/\*|\$\w*\$")
_SQL_HINT = 'write one SELECT that returns the wrong rows, such as "SELECT * FROM {table} WHERE shipped < placed"'


def checks(scope: Scope) -> Iterator[Finding]:
    """DS-Q001 to DS-Q006: the checks of datasets."""
    for placed in scope.datastores:
        for dataset in placed.datastore.datasets:
            if dataset.checks:
                yield from _of(dataset, step(store_path(placed), "dataset", dataset.name))


def _of(dataset: Dataset, path: str) -> Iterator[Finding]:
    names = Counter(check_name(check) for check in dataset.checks)
    columns = {c.name: c for c in dataset.columns}
    for check in dataset.checks:
        name = check_name(check)
        place = step(path, "check", name)
        if not isinstance(check, _KNOWN):
            message = f"nothing can run a check of the class {type(check).__name__}"
            yield finding("DS-Q006", check, place, message, "write it as a SqlCheck", holder=dataset)
            continue
        if names[name] > 1:
            message = f"dataset {shown(dataset.name)} has {names[name]} checks called {shown(name)}"
            yield finding("DS-Q005", check, place, message, "give each a name= of its own", holder=dataset)
        for code, message, hint in (*_columns(check, columns), *_values(check), *_query(check)):
            yield finding(code, check, place, message, hint, holder=dataset)


def _columns(check: Check, columns: dict[str, Column]) -> Iterator[tuple[str, str, str]]:
    """Yield what is wrong with the columns that a check looks at, and with its values for them."""
    if isinstance(check, NotNull | Unique) and not columns_of(check):
        yield "DS-Q003", "it names no column", "list the columns"
    for name in columns_of(check):
        column = columns.get(name)
        if column is None:
            yield "DS-Q001", f"the dataset has no column {shown(name)}", closest(name, columns)
            continue
        for kind, allowed, words in _TYPES:
            if isinstance(check, kind) and not isinstance(column.data_type, allowed):
                what = words.format(column.data_type.spelled())
                yield "DS-Q002", f"{what}: column {shown(name)}", "use another check, or a SqlCheck"
                break
        else:
            yield from _unfit(check, column)


def _unfit(check: Check, column: Column) -> Iterator[tuple[str, str, str]]:
    """Yield the values of a check that mean nothing for a column, and bounds between which nothing lies."""
    given = {"values": check.values} if isinstance(check, AcceptedValues) else {}
    if isinstance(check, InRange):
        given = {b: (getattr(check, b),) for b in _BOUNDS if getattr(check, b) is not None}
    meant: dict[str, object] = {}
    for where, values in given.items():
        for value in values:
            try:
                meant[where] = value_for(column.data_type, value)
            except ValueError as wanted:
                spelled = column.data_type.spelled()
                yield "DS-Q003", f"{where} has {value!r}, which is no value of a {spelled}", f"write {wanted}"
    if isinstance(check, InRange):
        low = [meant[b] for b in _BOUNDS[:2] if b in meant]
        high = [meant[b] for b in _BOUNDS[2:] if b in meant]
        if any(not isinstance(a, str) and a > z for a in low for z in high):  # type: ignore[operator] # of one type
            yield "DS-Q003", "no value lies between its bounds", "exchange them"


def _values(check: Check) -> Iterator[tuple[str, str, str]]:
    """Yield what is wrong with values that no column is needed to judge."""
    if isinstance(check, AcceptedValues) and not check.values:
        yield "DS-Q003", "it accepts no value", "list the values that are right"
    if isinstance(check, InRange) and all(getattr(check, b) is None for b in _BOUNDS):
        yield "DS-Q003", "it has no bound", f"give one of {', '.join(_BOUNDS)}"
    if isinstance(check, RowCount):
        low, high = check.at_least, check.at_most
        if low is None and high is None:
            yield "DS-Q003", "it has no bound", "give at_least= or at_most="
        if min(low or 0, high or 0) < 0 or (low is not None and high is not None and low > high):
            yield "DS-Q003", "no table has so many rows", "give 0 <= at_least <= at_most"
    for where in ("within", "timeout"):
        text = getattr(check, where, None)
        if isinstance(text, str) and duration(text) is None:
            yield "DS-Q003", f"{where} is {text!r}, which is no duration", 'write one such as "2 days"'


def _query(check: Check) -> Iterator[tuple[str, str, str]]:
    """Yield what is wrong with the outline of a query."""
    if not isinstance(check, SqlCheck):
        return
    bare = _QUOTED.sub(" '' ", check.query)
    if _OPEN.search(bare.replace(" '' ", "")):
        yield "DS-Q004", "its query has a quote or a comment that does not end", _SQL_HINT
    elif not re.match(r"\s*\(*\s*(select|with)\b", bare, re.IGNORECASE):
        yield "DS-Q004", "its query is no SELECT", _SQL_HINT
    elif ";" in bare:
        yield "DS-Q004", "its query is more than one statement", "leave the semicolon away"
    elif not _balanced(bare):
        yield "DS-Q004", "its query has parentheses that do not match", _SQL_HINT
    elif "{table}" not in bare:
        yield "DS-Q004", "its query does not read {table}, which stands for the dataset", _SQL_HINT


def _balanced(text: str) -> bool:
    depth = 0
    for character in text:
        depth += (character == "(") - (character == ")")
        if depth < 0:
            return False
    return depth == 0
