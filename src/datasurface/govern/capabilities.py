"""What databases and platforms can do, as plain values. Adapters publish theirs; `check` and `graph` only read them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from datasurface.model.types import DataType

__all__ = ["Capabilities", "CapabilityMap"]


def _holds_nothing(_type: DataType) -> str | None:
    return None


def _no_key(_type: DataType) -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What one kind of database can do.

    Attributes:
        database: As messages name it, such as `PostgreSQL`.
        containers: The DSL classes it stands behind, such as `PostgresDatabase`.
        credentials: The kinds of credentials it can be logged in to with, by `CredentialKind` value; none if it has no
            logins.
        captures: The capture classes it can be read with, such as `Snapshot`.
        merges: The merges it can do as a merge database, by `History` value; none if it is only a source.
        name_limit: The longest name, in bytes of UTF-8.
        physical_type: The type that holds a DSL type without loss, as SQL text, or None if there is none.
        keyable: Whether a DSL type may be part of a key there.
    """

    database: str
    containers: tuple[str, ...]
    credentials: frozenset[str] = frozenset({"password"})
    captures: frozenset[str] = frozenset()
    merges: frozenset[str] = frozenset()
    name_limit: int = 63
    physical_type: Callable[[DataType], str | None] = field(default=_holds_nothing)
    keyable: Callable[[DataType], bool] = field(default=_no_key)


CapabilityMap = Mapping[str, Capabilities]
"""Capabilities by the DSL class of the container."""
