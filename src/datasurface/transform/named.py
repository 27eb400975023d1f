"""A mapping of what a transformer declared, whose errors name what that is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

__all__ = ["Named"]

_V = TypeVar("_V")


class Named(Mapping[str, _V]):
    """Things by name; asking for one that was not declared names those that were."""

    def __init__(self, kind: str, things: Mapping[str, _V]) -> None:
        self._kind = kind
        self._things = dict(sorted(things.items()))

    def __getitem__(self, name: str) -> _V:
        try:
            return self._things[name]
        except KeyError:
            declared = ", ".join(self._things) or "none"
            raise _UndeclaredError(f"no {self._kind} {name!r} is declared; declared are {declared}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._things)

    def __len__(self) -> int:
        return len(self._things)

    def __repr__(self) -> str:
        return f"{self._kind}s {', '.join(self._things) or 'none'}"


class _UndeclaredError(KeyError):
    """Says its message as it is; a `KeyError` would quote it."""

    def __str__(self) -> str:
        return str(self.args[0])
