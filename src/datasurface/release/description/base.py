"""An object of a model as it is shown: its facts, which of them are inherited, and what it contains. Values only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from datasurface.errors import ConfigurationError
from datasurface.govern.scope import closest
from datasurface.model.base import Noun
from datasurface.release.records.base import declared

__all__ = ["Described", "Fact", "FactValue", "find"]

FactValue: TypeAlias = str | int | float | bool | tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Fact:
    """Something to know about an object.

    Attributes:
        inherited: Whether the object leaves it to its parent, its container or the default of the ecosystem.
    """

    value: FactValue
    inherited: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """An object of a model.

    Attributes:
        kind: `ecosystem`, `zone`, `team`, `datastore`, `dataset`, `column`, `workspace`, `group`, `sink`,
            `transformer`, `platform`, `environment`, `vendor` or `policy`.
        reference: How to ask for it: `crm`, `crm.orders`, `crm.orders.order_id`, `reports.live`.
        around: The object whose line is told if `noun` has none of its own.
        facts: In the order in which they are shown.
        children: What it contains, in the order of declaration.
    """

    kind: str
    name: str
    reference: str
    noun: Noun
    around: Noun | None = None
    facts: Mapping[str, Fact] = field(default_factory=dict)
    children: Sequence[Described] = ()

    def to_json(self) -> dict[str, object]:
        """Return the object as JSON data.

        Keys: `kind`, `name`, `reference`, `file`, `line`, `facts` (name to value, null where there is none),
        `inherited` (names of the facts that are) and `children` (objects of the same form).
        """
        return {
            "kind": self.kind,
            "name": self.name,
            "reference": self.reference,
            **declared(self.noun, self.around),
            "facts": {name: fact.value for name, fact in self.facts.items()},
            "inherited": [name for name, fact in self.facts.items() if fact.inherited],
            "children": [child.to_json() for child in self.children],
        }

    def walk(self) -> Iterator[Described]:
        """Yield the object and all that it contains."""
        yield self
        for child in self.children:
            yield from child.walk()


def find(root: Described, reference: str) -> tuple[Described, ...]:
    """Return the objects of that reference: one, or several of different kinds.

    Raises:
        ConfigurationError: there is none.
    """
    found = tuple([node for node in root.walk() if node.reference == reference])
    if not found:
        near = closest(reference, (node.reference for node in root.walk()))
        raise ConfigurationError(
            f"the model has no object {reference!r}",
            hint=near or "objects are named as in `crm`, `crm.orders`, `crm.orders.order_id`, `reports.live`",
        )
    return found
