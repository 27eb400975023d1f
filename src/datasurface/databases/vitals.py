"""How a merge database fares, as it says itself. An adapter that can tell has a function `vitals`."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Vitals"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """A database at one moment.

    Attributes:
        connections: How many connections its server has.
        most_connections: How many it allows to ordinary users.
        size: Bytes that the database takes.
    """

    connections: int
    most_connections: int
    size: int
