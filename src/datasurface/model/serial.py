"""The JSON form of nouns, both ways. A noun is an object with `is` and the fields that differ from their defaults."""

from __future__ import annotations

import dataclasses
import enum
import json
from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar, cast

from datasurface.errors import ModelCallError
from datasurface.model.base import NOUNS, Noun, _Follows, forget_position
from datasurface.model.vocabulary import ENUMERATIONS

__all__ = ["decode", "decode_text", "encode", "encode_text"]

_T = TypeVar("_T", bound=Noun)
_CLASS = "is"
_ENUM = "enum"


def encode_text(noun: Noun) -> str:
    """Return the canonical JSON text of `noun`."""
    return json.dumps(encode(noun), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def encode(value: Any) -> Any:
    """Return `value` as JSON data."""
    if isinstance(value, Noun):
        return _encode_noun(value)
    if isinstance(value, tuple):
        return [encode(item) for item in value]
    if isinstance(value, enum.Enum):
        return {_ENUM: f"{type(value).__name__}.{value.name}"}
    if isinstance(value, Mapping):
        return {"map": {key: encode(item) for key, item in value.items()}}
    return value


def _encode_noun(noun: Noun) -> dict[str, Any]:
    data: dict[str, Any] = {_CLASS: type(noun).__name__}
    for name, default in _fields(type(noun)):  # type: ignore[arg-type] # classes are hashable
        value = getattr(noun, name)
        if isinstance(default, _Follows):
            other = getattr(noun, default.field)
            default = (not other) if default.negate else other  # noqa: PLW2901
        if value is default or (type(value) is type(default) and value == default):
            continue
        data[name] = value if type(value) in (str, bool, int) else encode(value)
    return data


@cache
def _fields(cls: type[Noun]) -> tuple[tuple[str, Any], ...]:
    return tuple((f.name, f.default) for f in dataclasses.fields(cast("Any", cls)))


def decode_text(text: str, expected: type[_T]) -> _T:
    """Make the noun that `encode_text` wrote.

    Raises:
        ModelCallError: `text` is not the JSON form of an `expected`.
    """
    try:
        data = json.loads(text)
    except ValueError as error:
        raise ModelCallError(f"not the JSON form of a {expected.__name__}: {error}") from error
    made = decode(data)
    if not isinstance(made, expected):
        raise ModelCallError(f"not the JSON form of a {expected.__name__}: {text[:80]!r}")
    return made


def decode(data: Any) -> Any:
    """Make the value that `encode` described."""
    if isinstance(data, list):
        return tuple([decode(item) for item in data])
    if not isinstance(data, dict):
        return data
    if "map" in data:
        return {key: decode(item) for key, item in data["map"].items()}
    if _ENUM in data:
        class_name, _, member = str(data[_ENUM]).partition(".")
        try:
            return ENUMERATIONS[class_name][member]
        except KeyError as error:
            raise ModelCallError(f"unknown value {data[_ENUM]!r} in the JSON form") from error
    cls = NOUNS.get(str(data.get(_CLASS)))
    if cls is None:
        raise ModelCallError(f"unknown class {data.get(_CLASS)!r} in the JSON form")
    made = cls(**{name: decode(item) for name, item in data.items() if name != _CLASS})
    forget_position(made)
    return made
