"""A type as a model's source code spells it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, cast

from datasurface.model.types.base import DataType

__all__ = ["spell"]


def spell(value: DataType) -> str:
    """Return the shortest Python expression that makes `value`."""
    arguments = [
        _argument(f, getattr(value, f.name))
        for f in dataclasses.fields(cast("Any", value))
        if getattr(value, f.name) != f.default
    ]
    name = type(value).__name__
    return f"{name}({', '.join(arguments)})" if arguments else name


def _argument(f: dataclasses.Field[Any], value: object) -> str:
    return f"{f.name}={_expression(value)}" if f.kw_only else _expression(value)


def _expression(value: object) -> str:
    if isinstance(value, DataType):
        return spell(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key!r}: {_expression(item)}" for key, item in value.items()) + "}"
    return repr(value)
