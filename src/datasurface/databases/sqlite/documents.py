"""JSON texts as SQLite stores them: checked to be what every merge database can hold, and passed on as they are."""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal
from typing import Never

from datasurface.databases.sqlite.unfit import UnfitError, kind_of

__all__ = ["document"]

_MOST_DIGITS = 100_000
"""Of a number on either side of the point; PostgreSQL's numeric holds 131,072 and 16,383."""
_MOST_PLACES = 16_383
_ESCAPED = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")


def document(value: object) -> str:
    """Return the JSON text of a value: a text that is JSON already, or a number that SQLite made of one."""
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        return repr(value)
    if not isinstance(value, str):
        raise UnfitError(f"holds {kind_of(value)} that is no JSON text")
    try:
        parsed = json.loads(value, parse_constant=_refuse, parse_int=_number, parse_float=_number)
    except UnfitError:
        raise
    except (ValueError, RecursionError) as error:
        raise UnfitError("holds text that is not JSON") from error
    if _ESCAPED.search(value):
        _check_texts(parsed)
    return value


def _refuse(_constant: str) -> Never:
    raise UnfitError("holds text that is not JSON: NaN and Infinity are no JSON numbers")


def _number(text: str) -> None:
    """Check a number without making it: it may have any number of digits."""
    if len(text) <= 300 and "e" not in text and "E" not in text:  # noqa: PLR2004 - the common case, far below the bounds
        return
    _, digits, exponent = Decimal(text).as_tuple()
    if not isinstance(exponent, int) or -exponent > _MOST_PLACES or len(digits) + exponent > _MOST_DIGITS:
        raise UnfitError("holds JSON with a number of too many digits")


def _check_texts(value: object) -> None:
    """Refuse NUL and half a surrogate pair in any text, which JSON can spell and databases cannot hold."""
    if isinstance(value, str):
        if "\0" in value or any("\ud800" <= c <= "\udfff" for c in value):
            raise UnfitError("holds JSON with a NUL or half a character, which no merge database can hold")
    elif isinstance(value, dict):
        for key, item in value.items():
            _check_texts(key)
            _check_texts(item)
    elif isinstance(value, list):
        for item in value:
            _check_texts(item)
