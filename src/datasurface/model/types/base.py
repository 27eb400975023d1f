"""The base of the DSL's types. A type says what values a column holds, never how a database stores them."""

from __future__ import annotations

from datasurface.model.base import Noun

__all__ = ["DataType"]


class DataType(Noun):
    """A column's type."""

    __slots__ = ()

    def spelled(self) -> str:
        """Return the type as a model writes it: `BigInt`, `String(80)`."""
        from datasurface.model.types.spelling import spell  # noqa: PLC0415 - spelling needs the finished types

        return spell(self)
