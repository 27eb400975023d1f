"""What all nouns of the DSL share: construction, equality, JSON form, digest and source position.

A noun is a frozen, slotted dataclass made by `@noun`. Construction checks argument types, freezes lists and mappings,
turns bare types and shorthands into instances and fills dependent defaults, all in one generated `__init__`. It never
judges the model; that is `check`'s work.
"""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Callable
from types import CodeType
from typing import Any, ClassVar, Self, TypeVar, cast, dataclass_transform

from datasurface.errors import ModelCallError
from datasurface.model.convert import (
    EMPTY_MAPPING,
    MISSING,
    Converter,
    bad_argument,
    build_converter,
    outer_frame,
    where,
    wrong_arguments,
)
from datasurface.model.position import Position, line_of

__all__ = ["EMPTY_MAPPING", "NOUNS", "Noun", "field_names", "follows", "noun", "opposite", "replaced"]

NOUNS: dict[str, type[Noun]] = {}
"""Every noun by its class name: what `from_json` may make."""

_OWN_FOLDER = os.path.join(os.path.dirname(__file__), "")  # noqa: PTH118, PTH120 - pathlib takes long to import
_REPLACE = getattr(dataclasses, "_replace", dataclasses.replace).__code__
_NounT = TypeVar("_NounT", bound="type[Noun]")
_AnyNoun = TypeVar("_AnyNoun", bound="Noun")


class Noun:
    """Base of every object of a model."""

    __slots__ = ("_made_at", "_made_in")

    shorthand: ClassVar[bool] = False
    """Whether a string stands for `Class(string)` where a field takes either."""

    _made_in: CodeType | None
    _made_at: int

    def __init__(self, *_args: object, **_kwargs: object) -> None:
        raise ModelCallError(
            f"{type(self).__name__} is only the base of other classes{where()}", hint="make one of those"
        )

    @property
    def declared_at(self) -> Position | None:
        """Where the object was made; None if it was read from JSON or comes from DataSurface itself.

        From DataSurface come defaults and what a bare type such as `BigInt` stands for. What a string stands for was
        made where the string is an argument.
        """
        if self._made_in is None or self._made_in.co_filename.startswith(_OWN_FOLDER):
            return None
        return Position(self._made_in.co_filename, line_of(self._made_in, self._made_at))

    def __setattr__(self, name: str, value: object) -> None:
        raise dataclasses.FrozenInstanceError(f"{self.label()} is frozen: cannot assign to {name!r}")

    def __delattr__(self, name: str) -> None:
        raise dataclasses.FrozenInstanceError(f"{self.label()} is frozen: cannot delete {name!r}")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return _values(self) == _values(other)

    def __hash__(self) -> int:
        return hash((type(self).__name__, *_values(self)))

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in field_names(type(self)))
        return f"{type(self).__name__}({shown})"

    def __reduce__(self) -> tuple[Callable[..., Noun], tuple[type[Noun], dict[str, object]]]:
        return _remake, (type(self), {name: getattr(self, name) for name in field_names(type(self))})

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def label(self) -> str:
        """Return the object as messages name it, such as `Column 'order_id'`."""
        name = getattr(self, "name", None)
        return f"{type(self).__name__} {name!r}" if isinstance(name, str) else type(self).__name__

    def to_json(self) -> str:
        """Return the canonical JSON text: sorted keys, no spaces, fields at their default left out."""
        from datasurface.model.serial import encode_text  # noqa: PLC0415 - serial needs the finished nouns

        return encode_text(self)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Make the object that `to_json` wrote.

        Raises:
            ModelCallError: `text` is not the JSON form of a `cls`.
        """
        from datasurface.model.serial import decode_text  # noqa: PLC0415 - serial needs the finished nouns

        return decode_text(text, cls)

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON form, in hex."""
        import hashlib  # noqa: PLC0415 - a model that is only read does not pay for OpenSSL

        return hashlib.sha256(self.to_json().encode()).hexdigest()


def field_names(cls: type[Noun]) -> tuple[str, ...]:
    """Return the names of the declared fields of a noun class, in their order."""
    return tuple(cls.__dataclass_fields__)  # type: ignore[attr-defined] # every noun is a dataclass


def replaced(noun: _AnyNoun, **changes: object) -> _AnyNoun:
    """Return a copy of `noun` with other values in some fields, at the same place of the source."""
    copy = dataclasses.replace(noun, **changes)  # type: ignore[type-var] # every noun is a dataclass
    for slot in ("_made_in", "_made_at"):
        object.__setattr__(copy, slot, getattr(noun, slot))
    return copy


def _values(noun: Noun) -> list[object]:
    return [getattr(noun, name) for name in field_names(type(noun))]


def _remake(cls: type[Noun], values: dict[str, object]) -> Noun:
    """Return what was pickled; as with JSON, it has no position."""
    return cls(**values)


@dataclasses.dataclass(frozen=True, slots=True)
class _Follows:
    """A default that is another field's value, or its negation."""

    field: str
    negate: bool

    def of(self, noun: Noun) -> Any:
        """Return the default of this very object."""
        value = getattr(noun, self.field)
        return not value if self.negate else value


def follows(field: str) -> Any:
    """Return a default that takes the value of the field named."""
    return _Follows(field, negate=False)


def opposite(field: str) -> Any:
    """Return a default that is `not` the field named."""
    return _Follows(field, negate=True)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(dataclasses.field,))
def noun(cls: _NounT) -> _NounT:
    """Make `cls` a noun: a frozen dataclass with the shared construction, equality and JSON form."""
    dataclass = dataclasses.dataclass(slots=True, kw_only=True, init=False, repr=False, eq=False, match_args=False)
    made = cast("_NounT", dataclass(cls))
    NOUNS[made.__name__] = made
    _replace_init(made, _first_init(made))
    return made


def _first_init(cls: type[Noun]) -> Callable[..., None]:
    """Return an `__init__` that builds the real one, which needs every noun's name to be known, then calls it."""

    def __init__(self: Noun, *args: Any, **kwargs: Any) -> None:  # noqa: N807
        build = _build_init(cls)
        _replace_init(cls, build)
        build(self, *args, **kwargs)
        frame = sys._getframe(1)  # noqa: SLF001 - the only way to the caller's line that costs nothing
        if frame.f_code is _REPLACE:
            frame = outer_frame() or frame
        _set_position(self, frame.f_code, frame.f_lasti)

    return __init__


def _replace_init(cls: type[Noun], init: Callable[..., None]) -> None:
    init.__qualname__ = f"{cls.__name__}.__init__"
    type.__setattr__(cls, "__init__", init)


def _set_position(noun: Noun, code: CodeType, instruction: int) -> None:
    object.__setattr__(noun, "_made_in", code)
    object.__setattr__(noun, "_made_at", instruction)


def _build_init(cls: type[Noun]) -> Callable[..., None]:
    """Compile `__init__` for `cls` from its fields: about a microsecond a call, so that models may have millions."""
    scope: dict[str, Any] = {
        "getframe": sys._getframe,  # noqa: SLF001
        "outer_frame": outer_frame,
        "replace": _REPLACE,
        "wrong_arguments": wrong_arguments,
        "bad_argument": bad_argument,
        "cls": cls,
        "__name__": __name__,
        "set_in": _slot(cls, "_made_in"),
        "set_at": _slot(cls, "_made_at"),
    }
    names = _names_for(cls)
    fields = dataclasses.fields(cast("Any", cls))
    parameters = ["self", "/", *(_parameter(f, scope) for f in fields if not f.kw_only), "*extra"]
    parameters += [*(_parameter(f, scope) for f in fields if f.kw_only), "**unknown"]
    body = ["if extra or unknown: wrong_arguments(cls, extra, unknown)"]
    for f in fields:
        body += _field_lines(cls, f, eval(str(f.type), names), scope)  # noqa: S307 - our own annotations
    body += ["frame = getframe(1)", "if frame.f_code is replace: frame = outer_frame() or frame"]
    body += ["set_in(self, frame.f_code)", "set_at(self, frame.f_lasti)"]
    source = f"def __init__({', '.join(parameters)}):\n    " + "\n    ".join(body)
    exec(source, scope)  # noqa: S102 - the text is made of our own field names only
    return cast("Callable[..., None]", scope["__init__"])


def _parameter(f: dataclasses.Field[Any], scope: dict[str, Any]) -> str:
    scope[f"default_{f.name}"] = MISSING if f.default is dataclasses.MISSING else f.default
    return f"{f.name}=default_{f.name}"


def _field_lines(cls: type[Noun], f: dataclasses.Field[Any], hint: Any, scope: dict[str, Any]) -> list[str]:
    """Return the statements that check, convert and store one field."""
    name = f.name
    scope[f"set_{name}"] = _slot(cls, name)
    scope[f"convert_{name}"] = convert = build_converter(hint)
    needed = _needs_converter(convert, name, scope)
    call = f"if {needed}: {name} = convert_{name}({name}, bad_argument, cls, {name!r})"
    if isinstance(f.default, _Follows):
        value = f"{'not ' if f.default.negate else ''}{f.default.field}"
        lines = [f"if {name} is default_{name}: {name} = {value}", f"el{call}"]
    elif f.default is dataclasses.MISSING:
        lines = [call]
    else:
        lines = [f"if {name} is not default_{name}:", f"    {call}"]
    return [*lines, f"set_{name}(self, {name})"]


def _needs_converter(convert: Converter, name: str, scope: dict[str, Any]) -> str:
    """Return the expression that tells whether the value of the argument `name` cannot be stored as it is."""
    exact, accepts = getattr(convert, "exact", None), getattr(convert, "accepts", ())
    if accepts:
        scope[f"accepts_{name}"] = accepts
        return f"not isinstance({name}, accepts_{name})"
    return f"{name}.__class__ is not {exact}" if exact else "True"


def _slot(cls: type[Noun], name: str) -> Callable[[Noun, Any], None]:
    """Return the setter of a slot, which the frozen class itself does not offer."""
    return cast("Callable[[Noun, Any], None]", getattr(cls, name).__set__ if name in _slots(cls) else None)


def _slots(cls: type[Noun]) -> set[str]:
    return {slot for base in cls.__mro__ for slot in getattr(base, "__slots__", ())}


def _names_for(cls: type[Noun]) -> dict[str, Any]:
    """Return what annotations of `cls` may name: its module's globals, then every noun."""
    return {**NOUNS, **vars(sys.modules[cls.__module__])}
