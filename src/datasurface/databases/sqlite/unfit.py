"""A stored value that the model's type cannot hold. Says what kind of value it is, never the value itself."""

from __future__ import annotations

__all__ = ["UnfitError", "kind_of"]


class UnfitError(ValueError):
    """What is wrong with the value, as in `holds text of 90 characters`. Whoever reads it says where."""


def kind_of(value: object) -> str:
    """Return SQLite's word for a value's type, with its article."""
    return {int: "an integer", float: "a real", str: "text", bytes: "a blob"}.get(type(value), type(value).__name__)
