"""Lay out a call or a list as the common formatters do. Knows text alone, nothing of models."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

__all__ = ["Group", "Leaf", "Node", "lay_out"]

_WIDTH = 120
_INDENT = 4


@dataclass(frozen=True, slots=True)
class Leaf:
    """Text that is never broken."""

    text: str

    @property
    def flat(self) -> str:
        """The text on one line."""
        return self.text


@dataclass(frozen=True, slots=True)
class Group:
    """Parts between brackets, each with what stands before it: `name=` or `"key": `.

    Attributes:
        broken: Whether each part gets a line of its own even if all would fit on one.
        flat: The text on one line; None if a part of it must be broken.
    """

    opening: str
    parts: tuple[tuple[str, Node], ...]
    closing: str
    broken: bool = False
    flat: str | None = field(init=False)

    def __post_init__(self) -> None:
        texts = [(before, node.flat) for before, node in self.parts]
        whole = not (self.broken and self.parts) and all(text is not None for _, text in texts)
        joined = ", ".join(f"{before}{text}" for before, text in texts)
        object.__setattr__(self, "flat", f"{self.opening}{joined}{self.closing}" if whole else None)


Node: TypeAlias = Leaf | Group


def lay_out(node: Node, column: int = 0, indent: int = 0) -> str:
    """Return the text of `node` that starts at `column` of a line indented by `indent`, room for a comma after it."""
    if isinstance(node, Leaf):
        return node.text
    if node.flat is not None and column + len(node.flat) < _WIDTH:
        return node.flat
    inner = indent + _INDENT
    lines = [f"{' ' * inner}{before}{lay_out(part, inner + len(before), inner)},\n" for before, part in node.parts]
    return f"{node.opening}\n{''.join(lines)}{' ' * indent}{node.closing}"
