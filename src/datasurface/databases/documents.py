"""JSON documents as Python values, without loss: numbers stay exact, and JSON's `null` is not a missing value."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, Final

__all__ = ["JSON_NULL", "dump_document", "load_document"]


class _JsonNull:
    """The document `null`; as a column's value, `None` means that there is no document."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "JSON_NULL"

    def __bool__(self) -> bool:
        return False


JSON_NULL: Final = _JsonNull()
"""The document `null`: what a column holds that is not NULL, and is nothing nevertheless."""


def load_document(text: str | bytes) -> Any:
    """Return a document as mappings, lists, texts, integers, `decimal.Decimal`, booleans, or `JSON_NULL`."""
    found = json.loads(text, parse_float=Decimal)
    return JSON_NULL if found is None else found


def dump_document(value: Any) -> str:
    """Return the JSON text of a document.

    Raises:
        TypeError: it holds something that JSON does not have.
        ValueError: it holds a number that JSON does not have, such as NaN.
    """
    if value is JSON_NULL:
        return "null"
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except TypeError:
        return _text(value)


def _text(value: Any) -> str:
    """Write what `json.dumps` does not: exact decimals, wherever they stand."""
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError(f"a JSON document holds no {value}")
        return str(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(str(k), ensure_ascii=False)}: {_text(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_text(item) for item in value) + "]"
    return dump_document(value) if value is JSON_NULL else json.dumps(value, ensure_ascii=False, allow_nan=False)
