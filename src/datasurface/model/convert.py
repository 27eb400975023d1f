"""Check and convert one argument of a noun according to its annotation. Refuses at once what has the wrong type."""

from __future__ import annotations

import dataclasses
import difflib
import sys
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Never, Protocol

from datasurface.errors import ModelCallError
from datasurface.model.position import Position

__all__ = [
    "EMPTY_MAPPING",
    "Converter",
    "FrozenMapping",
    "Refuse",
    "bad_argument",
    "build_converter",
    "unknown_arguments",
]

Refuse = Callable[[type, str, object, str], Never]


class Converter(Protocol):
    """Returns the value to store, or calls `refuse`."""

    def __call__(self, value: Any, refuse: Refuse, owner: type, field: str, /) -> Any:
        """Return `value` converted; refuse it with `refuse(owner, field, value, expected)`."""


class FrozenMapping(Mapping[str, Any]):
    """An immutable, hashable mapping that keeps its order and compares as a dict does."""

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, Any]) -> None:
        self._items = dict(items)

    def __getitem__(self, key: str) -> Any:
        return self._items[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        return hash(frozenset(self._items.items()))

    def __repr__(self) -> str:
        return repr(self._items)


EMPTY_MAPPING = FrozenMapping({})


def bad_argument(owner: type, field: str, value: object, expected: str) -> Never:
    """Raise `ModelCallError` for a value of the wrong type, naming the line that gave it."""
    shown = value.__name__ if isinstance(value, type) else repr(value)
    raise ModelCallError(
        f"{owner.__name__}({field}=…) takes {expected}, not {type(value).__name__} {shown[:80]}{_where()}"
    )


def unknown_arguments(owner: type, unknown: Mapping[str, object]) -> Never:
    """Raise `ModelCallError` for keywords that `owner` does not have, with the nearest that it has."""
    known = [f.name for f in dataclasses.fields(owner)]
    name = next(iter(unknown))
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"it has {', '.join(known)}"
    raise ModelCallError(f"{owner.__name__} has no argument {name!r}{_where()}", hint=hint)


def _where() -> str:
    """Return ` at path:line` of the first frame outside this package's model layer."""
    frame: types.FrameType | None = sys._getframe(2)  # noqa: SLF001
    while frame is not None and _is_ours(frame):
        frame = frame.f_back
    return f" at {Position(frame.f_code.co_filename, frame.f_lineno)}" if frame else ""


def _is_ours(frame: types.FrameType) -> bool:
    return frame.f_globals.get("__name__", "").startswith("datasurface.model.") or "getframe" in frame.f_globals


def _as_it_is(value: Any, _refuse: Refuse, _owner: type, _field: str) -> Any:
    return value


def build_converter(hint: Any) -> Converter:  # noqa: PLR0911 - one line a kind of annotation
    """Return the converter for an annotation.

    `Sequence[T]` takes lists and tuples and stores a tuple; `Mapping[str, T]` stores a frozen mapping; `T | type[T]`
    takes the bare type and stores an instance; `Noun | str` stores the noun if the class allows the shorthand.
    """
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any or hint is object:
        return _as_it_is
    if origin in (typing.Union, types.UnionType):
        return _union(arguments)
    if origin is Sequence:
        return _sequence(build_converter(arguments[0]), _describe(arguments[0]))
    if origin is Mapping:
        return _mapping(build_converter(arguments[1]), _describe(arguments[1]))
    if origin is tuple:
        return _pair(arguments)
    if origin is type:
        return _bare(arguments[0])
    return _instance(hint)


def _describe(hint: Any) -> str:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(dict.fromkeys(_describe(a) for a in arguments))
    if origin is Sequence:
        return f"a list of {_describe(arguments[0])}"
    if origin is Mapping:
        return f"a dict of {_describe(arguments[1])}"
    if origin is tuple:
        return f"a pair of {_describe(arguments[0])}"
    if origin is type:
        return _describe(arguments[0])
    return "None" if hint is type(None) else str(getattr(hint, "__name__", hint))


def _instance(expected: type) -> Converter:
    def convert(value: Any, refuse: Refuse, owner: type, field: str) -> Any:
        if isinstance(value, bool) and expected in (int, float):
            refuse(owner, field, value, expected.__name__)
        if expected is float and isinstance(value, int):
            return float(value)
        if not isinstance(value, expected):
            refuse(owner, field, value, _describe(expected))
        return str(value) if expected is str and type(value) is not str else value

    if expected in (str, bool):
        convert.exact = expected.__name__  # type: ignore[attr-defined]
    return convert


def _bare(base: type) -> Converter:
    """Take the class itself and store an instance: `BigInt` for `BigInt()`."""
    made: dict[type, Any] = {}

    def convert(value: Any, refuse: Refuse, owner: type, field: str) -> Any:
        if value in made:
            return made[value]
        if not (isinstance(value, type) and issubclass(value, base)):
            refuse(owner, field, value, _describe(base))
        try:
            made[value] = value()
        except TypeError:
            refuse(owner, field, value, f"{value.__name__}(…) with its arguments")
        return made[value]

    return convert


def _sequence(item: Converter, expected: str) -> Converter:
    def convert(value: Any, refuse: Refuse, owner: type, field: str) -> Any:
        if not isinstance(value, (list, tuple)):
            refuse(owner, field, value, f"a list of {expected}")
        return tuple([item(element, refuse, owner, field) for element in value])

    return convert


def _mapping(item: Converter, expected: str) -> Converter:
    def convert(value: Any, refuse: Refuse, owner: type, field: str) -> Any:
        if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
            refuse(owner, field, value, f"a dict from str to {expected}")
        return FrozenMapping({key: item(element, refuse, owner, field) for key, element in value.items()})

    return convert


def _pair(parts: tuple[Any, ...]) -> Converter:
    def convert(value: Any, refuse: Refuse, owner: type, field: str) -> Any:
        if not isinstance(value, (tuple, list)) or [type(part) for part in value] != list(parts):
            refuse(owner, field, value, f"a pair of {_describe(parts[0])}")
        return tuple(value)

    return convert


class _NoMatchError(Exception):
    """One alternative of a union does not fit."""


def _no_match(_owner: type, _field: str, _value: object, _expected: str) -> Never:
    raise _NoMatchError


def _union(alternatives: tuple[Any, ...]) -> Converter:
    optional = type(None) in alternatives
    given = [a for a in alternatives if a is not type(None)]
    quick = tuple(a for a in given if isinstance(a, type) and not issubclass(a, (str, bool, int, float)))
    shorthand = next((a for a in given if getattr(a, "shorthand", False)), None) if str in given else None
    bare = next((build_converter(a) for a in given if typing.get_origin(a) is type), None)
    converters = [build_converter(a) for a in given if typing.get_origin(a) is not type]
    expected = _describe(typing.Union[alternatives])  # noqa: UP007 - built from a tuple

    def convert(value: Any, refuse: Refuse, owner: type, field: str) -> Any:
        if value is None and optional:
            return None
        if quick and isinstance(value, quick):
            return value
        if bare is not None and isinstance(value, type):
            return bare(value, refuse, owner, field)
        if shorthand is not None and isinstance(value, str):
            return shorthand(value)
        for alternative in converters:
            try:
                return alternative(value, _no_match, owner, field)
            except _NoMatchError:
                continue
        return refuse(owner, field, value, expected)

    return convert
