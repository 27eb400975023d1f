"""The JSON form of nouns, both ways. A noun is an object with `is` and the fields that differ from their defaults."""

from __future__ import annotations

import dataclasses
import enum
import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from json.encoder import encode_basestring as _quoted
from math import isfinite
from operator import attrgetter
from typing import Any, TypeVar, cast

from datasurface.errors import ModelCallError
from datasurface.model.base import NOUNS, Noun, _Follows
from datasurface.model.convert import FrozenMapping
from datasurface.model.vocabulary import ENUMERATIONS

__all__ = ["decode", "decode_text", "encode", "encode_text"]

_T = TypeVar("_T", bound=Noun)
_CLASS = "is"
_ENUM = "enum"
_MAP = "map"
_FLOAT = "float"
_SURROGATE = re.compile("[\ud800-\udfff]")


def encode_text(noun: Noun) -> str:
    """Return the canonical JSON text of `noun`: `encode(noun)` with sorted keys and no spaces, without making the data.

    Half of a surrogate pair, which no file can hold, is written as its escape.
    """
    text = _text(noun)
    return text if text.isascii() else _SURROGATE.sub(lambda half: f"\\u{ord(half[0]):04x}", text)


def _text(value: Any) -> str:
    cls = value.__class__
    write = _WRITERS.get(cls) or _WRITERS.setdefault(cls, _noun_writer(cls))
    return write(value)


def _noun_writer(cls: type[Noun]) -> Callable[[Any], str]:
    """Return the function that writes objects of one class."""
    head = f"{_quoted(_CLASS)}:{_quoted(cls.__name__)}"
    fields = _fields(cls)  # type: ignore[arg-type] # classes are hashable
    if not fields:
        return lambda _: f"{{{head}}}"
    keys = [(f"{_quoted(name)}:", default, default.__class__) for name, default in fields]
    values_of = attrgetter(*(name for name, _ in fields), "__class__")  # one more, so that it is always a tuple

    def write(noun: Any) -> str:
        parts = [head]
        for (key, default, kind), value in zip(keys, values_of(noun), strict=False):
            if value is default:
                continue
            usual = default.of(noun) if kind is _Follows else default
            if value.__class__ is not usual.__class__ or value != usual:
                parts.append(key + _text(value))
        parts.sort()  # sorts by the keys, whose closing quotes come before all that names are made of
        return f"{{{','.join(parts)}}}"

    return write


_WRITERS: dict[type, Callable[[Any], str]] = {
    str: _quoted,
    bool: lambda value: "true" if value else "false",
    int: int.__repr__,
    float: lambda value: repr(value) if isfinite(value) else f'{{"{_FLOAT}":"{value}"}}',
    type(None): lambda _: "null",
    tuple: lambda items: f"[{','.join([_text(item) for item in items])}]",
    FrozenMapping: lambda items: (
        f'{{"{_MAP}":{{{",".join([f"{_quoted(key)}:{_text(items[key])}" for key in sorted(items)])}}}}}'
    ),
    **dict.fromkeys(ENUMERATIONS.values(), lambda value: f'{{"{_ENUM}":{_quoted(_member(value))}}}'),
}


def encode(value: Any) -> Any:
    """Return `value` as JSON data."""
    if isinstance(value, Noun):
        return dict(_encoded_fields(value))
    if isinstance(value, tuple):
        return [encode(item) for item in value]
    if isinstance(value, enum.Enum):
        return {_ENUM: _member(value)}
    if isinstance(value, Mapping):
        return {_MAP: {key: encode(item) for key, item in value.items()}}
    if isinstance(value, float) and not isfinite(value):
        return {_FLOAT: str(value)}
    return value


def _encoded_fields(noun: Noun) -> Iterator[tuple[str, Any]]:
    yield _CLASS, type(noun).__name__
    for name, default in _fields(type(noun)):  # type: ignore[arg-type] # classes are hashable
        value = getattr(noun, name)
        usual = default.of(noun) if isinstance(default, _Follows) else default
        if type(value) is not type(usual) or value != usual:
            yield name, value if type(value) in (str, bool, int) else encode(value)


@cache
def _fields(cls: type[Noun]) -> tuple[tuple[str, Any], ...]:
    return tuple((f.name, f.default) for f in dataclasses.fields(cast("Any", cls)))


def _member(value: enum.Enum) -> str:
    return f"{type(value).__name__}.{value.name}"


def decode_text(text: str, expected: type[_T]) -> _T:
    """Make the noun that `encode_text` wrote.

    Raises:
        ModelCallError: `text` is not the JSON form of an `expected`.
    """
    try:
        made = decode(json.loads(text))
    except ModelCallError:
        raise
    except (ValueError, TypeError, RecursionError) as error:
        raise ModelCallError(f"not the JSON form of a {expected.__name__}: {error}") from error
    if not isinstance(made, expected):
        raise ModelCallError(f"not the JSON form of a {expected.__name__}: {text[:80]!r}")
    return made


def decode(data: Any) -> Any:
    """Make the value that `encode` described."""
    if isinstance(data, list):
        return tuple([decode(item) for item in data])
    if not isinstance(data, dict):
        return data
    if _CLASS in data:
        return _decode_noun(data)
    if isinstance(data.get(_MAP), dict):
        return {key: decode(item) for key, item in data[_MAP].items()}
    if isinstance(data.get(_FLOAT), str):
        return float(data[_FLOAT])
    class_name, _, member = str(data.get(_ENUM)).partition(".")
    try:
        return ENUMERATIONS[class_name][member]
    except KeyError as error:
        raise ModelCallError(f"neither an object nor a value in the JSON form: {str(data)[:80]}") from error


def _decode_noun(data: dict[str, Any]) -> Noun:
    cls = NOUNS.get(str(data[_CLASS])) or _added(str(data[_CLASS]))
    if cls is None:
        raise ModelCallError(f"unknown class {data[_CLASS]!r} in the JSON form")
    values = {name: decode(item) for name, item in data.items() if name != _CLASS}
    return cls(**values)


def _added(name: str) -> type[Noun] | None:
    """Return the class of a kind of code that another package adds: what runs it imports the class."""
    from importlib.metadata import entry_points  # noqa: PLC0415 - only documents with such a class pay for it

    for point in entry_points(group="datasurface.code", name=name):
        point.load()
    return NOUNS.get(name)
