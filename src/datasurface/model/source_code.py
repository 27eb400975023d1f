"""Python source of a model: the text that, when run, makes an equal object. Pure; generic over declared fields.

Fields at their defaults are left out, containers get variables, and the layout is that of the common formatters: what
fits on a line is on one, all else has one argument a line.
"""

from __future__ import annotations

import builtins
import dataclasses
import enum
import keyword
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from datasurface.model import classification
from datasurface.model.base import NOUNS, Noun, _Follows
from datasurface.model.classification import Classification
from datasurface.model.code_layout import Group, Leaf, Node, lay_out
from datasurface.model.datastore import Datastore
from datasurface.model.ecosystem import Ecosystem
from datasurface.model.infrastructure import Container
from datasurface.model.types.base import DataType
from datasurface.model.vocabulary import ENUMERATIONS

__all__ = ["datastore_code", "model_code"]

_OTHERS = frozenset({*dir(builtins), *keyword.kwlist})
"""Names that mean something in Python already."""
_READY_MADE = {value: name for name, value in vars(classification).items() if isinstance(value, Classification)}


def datastore_code(datastore: Datastore, *, variable: str | None = None, comments: Sequence[str] = ()) -> str:
    """Return a module that makes `datastore` and assigns it to `variable`, by default a name like its own.

    `comments` stand at the top, one a line.
    """
    return _module(datastore, variable or datastore.name, comments)


def model_code(ecosystem: Ecosystem) -> str:
    """Return the text of an `eco.py` that makes `ecosystem`."""
    return _module(ecosystem, "ecosystem", ())


def _module(root: Noun, variable: str, comments: Sequence[str]) -> str:
    writer = _Writer()
    target = writer.unused(variable)
    body = writer.node(root)
    statements = [f"{name} = {lay_out(node, len(name) + 3)}" for name, node in writer.containers]
    statements.append(f"{target} = {lay_out(body, len(target) + 3)}")
    head = "".join(f"# {' '.join(line.split())}".rstrip() + "\n" for line in comments)
    parts = [head.rstrip(), _imports(writer.used), *statements]
    return "\n\n".join(part for part in parts if part) + "\n"


def _imports(used: set[str]) -> str:
    names = sorted(used, key=lambda name: (not name.isupper(), not name[:1].isupper(), name))
    line = f"from datasurface import {', '.join(names)}"
    if len(line) <= 120:  # noqa: PLR2004 - the width of the layout
        return line
    return "from datasurface import (\n" + "".join(f"    {name},\n" for name in names) + ")"


class _Writer:
    """Turns nouns into nodes of text, and remembers what has to be imported and assigned before."""

    def __init__(self) -> None:
        self.used: set[str] = set()
        self.containers: list[tuple[str, Node]] = []
        self._variables: dict[Container, str] = {}
        self._taken: set[str] = {*NOUNS, *ENUMERATIONS, *_READY_MADE.values()}

    def unused(self, wanted: str) -> str:
        """Return a variable name like `wanted` that means nothing else yet."""
        base = re.sub(r"\W", "_", wanted, flags=re.ASCII) or "it"
        if base[0].isdigit():
            base = f"_{base}"
        if base in _OTHERS:
            base = f"{base}_"
        name, number = base, 2
        while name in self._taken:
            name, number = f"{base}_{number}", number + 1
        self._taken.add(name)
        return name

    def node(self, value: object) -> Node:
        """Return the node of any value that a field can hold."""
        if isinstance(value, Container):
            return self._container(value)
        if isinstance(value, Noun):
            return self._noun(value)
        if isinstance(value, enum.Enum):
            return Leaf(f"{self._import(type(value).__name__)}.{value.name}")
        if isinstance(value, Mapping):
            return Group("{", tuple((f"{_literal(key)}: ", self.node(item)) for key, item in value.items()), "}")
        if isinstance(value, tuple):
            return self._sequence(value)
        return Leaf(_literal(value))

    def _import(self, name: str) -> str:
        self.used.add(name)
        return name

    def _container(self, container: Container) -> Node:
        """Return the variable that holds a container; equal ones share it."""
        if container not in self._variables:
            name = container.name if container.name not in self._taken else f"{container.name}_db"
            made = self._noun(container)
            self._variables[container] = self.unused(name)
            self.containers.append((self._variables[container], made))
        return Leaf(self._variables[container])

    def _sequence(self, items: tuple[object, ...]) -> Node:
        parts = tuple(("", self.node(item)) for item in items)
        structural = any(isinstance(item, Noun) and not isinstance(item, Classification) for item in items)
        return Group("[", parts, "]", broken=structural)

    def _noun(self, noun: Noun) -> Node:
        if isinstance(noun, Classification) and noun in _READY_MADE:
            return Leaf(self._import(_READY_MADE[noun]))
        arguments = tuple(_arguments(noun))
        if type(noun).shorthand and len(arguments) == 1:
            return self.node(arguments[0][1])
        name = self._import(type(noun).__name__)
        if isinstance(noun, DataType) and not arguments:
            return Leaf(name)
        parts = tuple((f"{label}=" if label else "", self._argument(label, value)) for label, value in arguments)
        return Group(f"{name}(", parts, ")")

    def _argument(self, field: str, value: object) -> Node:
        """Return the node of a field's value; a pair `(schema, name)` is stored as sequences are, in a tuple."""
        if field == "source" and isinstance(value, tuple):
            return Group("(", tuple(("", self.node(item)) for item in value), ")")
        return self.node(value)


def _arguments(noun: Noun) -> Iterator[tuple[str, object]]:
    """Yield what a call has to say: the keyword, or nothing for a positional argument, and the value."""
    positional = True
    for field in dataclasses.fields(cast("Any", noun)):
        value = getattr(noun, field.name)
        if _is_default(noun, field, value):
            positional = False
            continue
        positional = positional and not field.kw_only
        yield ("" if positional else field.name), value


def _is_default(noun: Noun, field: dataclasses.Field[Any], value: object) -> bool:
    default = field.default
    if isinstance(default, _Follows):
        other = getattr(noun, default.field)
        default = (not other) if default.negate else other
    return value is default or (type(value) is type(default) and value == default)


def _literal(value: object) -> str:
    """Return a literal; texts in double quotes where that needs no escape."""
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    text = repr(value)
    if isinstance(value, str) and text.startswith("'") and '"' not in value and "\\" not in text:
        return f'"{value}"'
    return text
