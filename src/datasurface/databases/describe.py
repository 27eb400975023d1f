"""From a database's catalog to a datastore of the model. Knows no database; tells what it had to leave out."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from datasurface.databases.base import SourceTable
from datasurface.model.capture import Capture
from datasurface.model.datastore import Datastore
from datasurface.model.schema import Column, Dataset
from datasurface.model.types import DataType
from datasurface.names import is_identifier

__all__ = ["Described", "describe", "logical_names"]

_LONGEST = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """A datastore, and what a reader has to know that it does not show, one sentence each."""

    datastore: Datastore
    notes: tuple[str, ...]


def describe(
    name: str, capture: Capture, tables: Sequence[SourceTable], *, keyable: Callable[[DataType], bool]
) -> Described:
    """Return the datastore `name` with a dataset for each table.

    Columns whose type has no type of ours are left out, tables without columns too. A table keeps its primary key only
    if all of it is there and `keyable`.
    """
    notes: list[str] = []
    names = logical_names([table.name for table in tables], "table")
    datasets = [_dataset(logical, table, keyable, notes) for logical, table in zip(names, tables, strict=True)]
    kept = [dataset for dataset in datasets if dataset is not None]
    return Described(datastore=Datastore(name, capture=capture, datasets=kept), notes=tuple(notes))


def _dataset(logical: str, table: SourceTable, keyable: Callable[[DataType], bool], notes: list[str]) -> Dataset | None:
    where = f"table {table.name!r}"
    names = logical_names([column.name for column in table.columns], "column", reserved="ds_")
    if all(column.type is None for column in table.columns):
        kinds = ", ".join(sorted({column.physical for column in table.columns}))
        notes.append(f"{where} is left out: no column has a type of ours ({kinds})")
        return None
    key = _key(table, keyable, where, notes)
    columns = []
    for name, column in zip(names, table.columns, strict=True):
        if column.type is None:
            notes.append(f"{where}: column {column.name!r} is left out: {column.physical} has no type of ours")
            continue
        is_key = column.name in key
        nullable = column.nullable and not is_key
        columns.append(Column(name, column.type, key=is_key, nullable=nullable, source=column.name))
    return Dataset(logical, columns=columns, source=table.name)


def _key(table: SourceTable, keyable: Callable[[DataType], bool], where: str, notes: list[str]) -> set[str]:
    """Return the names of the key columns; none where there is no key or it cannot be one here."""
    found = [column for column in table.columns if column.key_position is not None]
    if not found:
        notes.append(f"{where} has no primary key: without key=True its rows are a multiset")
    unfit = [column for column in found if column.type is None or not keyable(column.type)]
    if unfit:
        shown = ", ".join(f"{column.name!r} ({column.physical})" for column in unfit)
        notes.append(f"{where} has no key here: {shown} cannot be part of one")
        return set()
    return {column.name for column in found}


def logical_names(physical: Sequence[str], kind: str, *, reserved: str | None = None) -> list[str]:
    """Return an identifier for each physical name, all different; names that are identifiers stay as they are.

    Args:
        physical: Different names.
        kind: What to call one of which no character is left: `column_3`.
        reserved: With what no name may begin.
    """

    def allowed(name: str) -> bool:
        return is_identifier(name) and not (reserved and name.startswith(reserved))

    taken = {name for name in physical if allowed(name)}
    made = []
    for number, name in enumerate(physical, start=1):
        if allowed(name):
            made.append(name)
            continue
        candidate = _unused(_cleaned(name, reserved) or f"{kind}_{number}", taken)
        taken.add(candidate)
        made.append(candidate)
    return made


def _cleaned(name: str, reserved: str | None) -> str:
    """Return `name` without accents, with `_` for all that no identifier has."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    text = re.sub(r"[^A-Za-z0-9]+", "_", plain).strip("_")[: _LONGEST - 10]
    if text[:1].isdigit() or (reserved and text.startswith(reserved)):
        return f"_{text}"
    return text


def _unused(name: str, taken: Iterable[str]) -> str:
    candidate, number = name, 2
    while candidate in taken:
        candidate, number = f"{name}_{number}", number + 1
    return candidate
