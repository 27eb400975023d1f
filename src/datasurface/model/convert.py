"""Check and convert one argument of a noun according to its annotation. Refuses at once what has the wrong type."""

from __future__ import annotations

import dataclasses
import enum
import math
import sys
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Never, Protocol

from datasurface.errors import ModelCallError
from datasurface.model.position import Position

__all__ = [
    "EMPTY_MAPPING",
    "MISSING",
    "Converter",
    "FrozenMapping",
    "Refuse",
    "bad_argument",
    "build_converter",
    "outer_frame",
    "where",
    "wrong_arguments",
]

Refuse = Callable[[type, str, object, str], Never]


class _Missing:
    """An argument that was not given; of a type that no field takes."""


MISSING = _Missing()
_USUAL = 1 << 62
_LARGEST_BITS = 1000
"""Of integers: what a float still holds, and Python prints."""


class Converter(Protocol):
    """Returns the value to store, or calls `refuse`.

    It may have two attributes that spare calls: `exact`, the name of a built-in type, and `accepts`, a tuple of
    classes, whose instances are stored as they are.
    """

    def __call__(self, value: Any, refuse: Refuse, owner: type, field: str, /) -> Any:
        """Return `value` converted; refuse it with `refuse(owner, field, value, expected)`."""


class FrozenMapping(Mapping[str, Any]):
    """An immutable, hashable mapping that keeps its order and compares as a dict does, but for `1`, `1.0` and `True`.

    Those are three values here, as they are in JSON.
    """

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, Any]) -> None:
        self._items = dict(items)

    def __getitem__(self, key: str) -> Any:
        return self._items[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mapping):
            return NotImplemented
        same = self._items == dict(other.items())
        return same and all(type(other[key]) is type(value) for key, value in self._items.items())

    def __hash__(self) -> int:
        return hash(frozenset(self._items.items()))

    def __repr__(self) -> str:
        return repr(self._items)


EMPTY_MAPPING = FrozenMapping({})


def bad_argument(owner: type, field: str, value: object, expected: str) -> Never:
    """Raise `ModelCallError` for an argument that is absent or has the wrong type, naming the line of the call."""
    if value is MISSING:
        raise ModelCallError(f"{owner.__name__}(…) is missing {field!r}{where()}", hint=f"it takes {expected}")
    raise ModelCallError(
        f"{owner.__name__}({field}=…) takes {expected}, not {type(value).__name__} {_shown(value)}{where()}"
    )


def _shown(value: object) -> str:
    try:
        return (value.__name__ if isinstance(value, type) else repr(value))[:80]
    except Exception:  # noqa: BLE001 - whatever a stranger's __repr__ does, the message is about something else
        return "that cannot be shown"


def wrong_arguments(owner: type, extra: tuple[object, ...], unknown: Mapping[str, object]) -> Never:
    """Raise `ModelCallError` for positional arguments too many, or for keywords that `owner` does not have."""
    fields = dataclasses.fields(owner)
    if not unknown:
        names = ", ".join(f.name for f in fields if not f.kw_only) or "none"
        raise ModelCallError(
            f"{owner.__name__} takes {_shown(extra[0])} by keyword only{where()}",
            hint=f"without keyword it takes {names}",
        )
    import difflib  # noqa: PLC0415 - not worth its time where nothing is wrong

    known = [f.name for f in fields]
    name = next(iter(unknown))
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"it has {', '.join(known) or 'no arguments'}"
    raise ModelCallError(f"{owner.__name__} has no argument {name!r}{where()}", hint=hint)


def outer_frame() -> types.FrameType | None:
    """Return the innermost frame that is not of the model layer, nor of a copy made with `dataclasses.replace`."""
    frame: types.FrameType | None = sys._getframe(1)  # noqa: SLF001 - positions are what this is for
    while frame is not None and _is_ours(frame.f_globals.get("__name__", "")):
        frame = frame.f_back
    return frame


def where() -> str:
    """Return ` at path:line` of the call that leads into the model layer."""
    frame = outer_frame()
    return f" at {Position(frame.f_code.co_filename, frame.f_lineno)}" if frame else ""


def _is_ours(module: str) -> bool:
    return module.startswith("datasurface.model.") or module in {"dataclasses", "copy"}


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
    return _number(hint) if hint in (int, float) else _instance(hint)


def _describe(hint: Any) -> str:  # noqa: PLR0911 - one line a kind of annotation
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
    if isinstance(hint, enum.EnumMeta):
        return " or ".join(f"{hint.__name__}.{name}" for name in hint.__members__)
    return "None" if hint is type(None) else str(getattr(hint, "__name__", hint))


def _instance(expected: type) -> Converter:
    def convert(value: Any, refuse: Refuse, owner: type, field: str) -> Any:
        if not isinstance(value, expected):
            refuse(owner, field, value, _describe(expected))
        return str.__str__(value) if expected is str else value

    if expected in (str, bool):
        convert.exact = expected.__name__  # type: ignore[attr-defined]
    else:
        convert.accepts = (expected,)  # type: ignore[attr-defined]
    return convert


def _number(expected: type[int | float]) -> Converter:
    """Take numbers that can be written; an int where a float is expected, but never a bool."""
    takes = (int,) if expected is int else (int, float)

    def convert(value: Any, refuse: Refuse, owner: type, field: str) -> Any:
        if value.__class__ is expected and -_USUAL < value < _USUAL:
            return value + 0  # which makes 0.0 of -0.0
        if isinstance(value, bool) or not isinstance(value, takes):
            refuse(owner, field, value, expected.__name__)
        if isinstance(value, int) and value.bit_length() > _LARGEST_BITS:
            refuse(owner, field, value, f"{expected.__name__} of a sensible size")
        return math.nan if value != value else expected(value)  # noqa: PLR0124 - one NaN for all: equal to itself

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
    accepts = getattr(item, "accepts", ())

    def convert(value: Any, refuse: Refuse, owner: type, field: str) -> Any:
        if not isinstance(value, (list, tuple)):
            refuse(owner, field, value, f"a list of {expected}")
        for element in value:
            if not isinstance(element, accepts):
                return tuple([item(element, refuse, owner, field) for element in value])
        return tuple(value)

    return convert


def _mapping(item: Converter, expected: str) -> Converter:
    def convert(value: Any, refuse: Refuse, owner: type, field: str) -> Any:
        if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
            refuse(owner, field, value, f"a dict from str to {expected}")
        return FrozenMapping({str.__str__(key): item(element, refuse, owner, field) for key, element in value.items()})

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
            return _from_shorthand(shorthand, value)
        for alternative in converters:
            try:
                return alternative(value, _no_match, owner, field)
            except _NoMatchError:
                continue
        return refuse(owner, field, value, expected)

    convert.accepts = quick  # type: ignore[attr-defined]
    return convert


def _from_shorthand(cls: type, text: str) -> Any:
    """Return `cls(text)`, made where the object that it is an argument of is made."""
    made, frame = cls(text), outer_frame()
    if frame is not None:
        object.__setattr__(made, "_made_in", frame.f_code)
        object.__setattr__(made, "_made_at", frame.f_lasti)
    return made
