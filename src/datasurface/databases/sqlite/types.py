"""Which DSL type a declared column of SQLite means. SQLite itself lets any column hold any value; see `values`."""

from __future__ import annotations

import re

from datasurface.model.types import (
    BigInt,
    Binary,
    Boolean,
    DataType,
    Date,
    Decimal,
    Float64,
    Json,
    String,
    Time,
    Timestamp,
    Uuid,
)

__all__ = ["dsl_type"]

_NAMED: dict[str, DataType] = {
    "BOOL": Boolean(),
    "BOOLEAN": Boolean(),
    "DATE": Date(),
    "DATETIME": Timestamp(tz=False),
    "TIMESTAMP": Timestamp(tz=False),
    "TIMESTAMP WITHOUT TIME ZONE": Timestamp(tz=False),
    "TIMESTAMPTZ": Timestamp(),
    "TIMESTAMP WITH TIME ZONE": Timestamp(),
    "TIME": Time(),
    "UUID": Uuid(),
    "GUID": Uuid(),
    "UNIQUEIDENTIFIER": Uuid(),
    "JSON": Json(),
    "STRING": String(),
}
_DECIMAL = frozenset({"DECIMAL", "NUMERIC", "NUMBER", "DEC"})
_MOST_DIGITS = 1000
_DECLARED = re.compile(
    r"(?P<name>[A-Z][A-Z0-9_ ]*?) *(?:\( *(?P<first>\d+) *(?:, *(?P<second>\d+) *)?\) *(?P<rest>[A-Z ]*))?\Z"
)
_INTEGER = re.compile(r"\b(?:TINY|SMALL|MEDIUM|BIG)?INT(?:EGER|\d)?\b|\b(?:BIG|SMALL)?SERIAL\b")
_FLOAT = re.compile(r"REAL|FLOA|DOUB")
_TEXT = re.compile(r"CHAR|CLOB|TEXT")
_BYTES = re.compile(r"BLOB|BINARY|BYTEA")


def dsl_type(declared: str) -> DataType | None:
    """Return the DSL type that a declaration such as `VARCHAR(80)` means; None if it means none of ours.

    A declared length counts, though SQLite itself ignores it: a longer text is refused when it is read. Numbers without
    precision, columns without declaration (those of expressions in views) and unknown words mean none.
    """
    found = _DECLARED.match(" ".join(declared.upper().split()))
    if found is None:
        return None
    name = f"{found['name']} {found['rest'] or ''}".strip()
    size = int(found["first"]) if found["first"] else None
    if name in _NAMED:
        return _NAMED[name]
    if found["name"] in _DECIMAL:
        return _decimal(size, int(found["second"] or 0))
    return _by_words(name, size or None)


def _decimal(precision: int | None, scale: int) -> Decimal | None:
    if precision is None or not 1 <= precision <= _MOST_DIGITS or scale > precision:
        return None
    return Decimal(precision, scale)


def _by_words(name: str, size: int | None) -> DataType | None:
    if _INTEGER.search(name):
        return BigInt()
    if _FLOAT.search(name):
        return Float64()
    if _TEXT.search(name):
        return String(size)
    return Binary(size) if _BYTES.search(name) else None
