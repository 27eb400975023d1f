"""What callers know of code that the model only names: which kinds are installed, files, and how to read a query."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["NO_FACTS", "CodeFacts", "QueryLineage", "QueryReader", "Relation"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """A view that a query may read: its schema, its name, the dataset behind it, and its columns."""

    schema: str
    name: str
    dataset: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryLineage:
    """What a query reads, and what its columns are made of.

    Attributes:
        unknown: Tables that it names and that are none of the relations, as it names them, sorted.
        columns: For each column of its answer the columns that its values are computed from, as `store.dataset.column`,
            sorted; none if its answer cannot be told.
        complete: Whether these are all columns of its answer: the database makes up names for those without one.
        problem: Why it could not be read; empty if it could.
    """

    unknown: tuple[str, ...] = ()
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    complete: bool = True
    problem: str = ""


QueryReader = Callable[[str, Sequence[Relation]], QueryLineage]
"""Reads a query over relations; a name without a schema means the first one that has it."""


def _no_files(_folder: str) -> Mapping[str, str] | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeFacts:
    """What is known of code besides the model.

    Attributes:
        kinds: The names of the installed kinds of code; None if that is not known.
        read: Reads queries; None if nothing installed does.
        files: Returns the queries in a folder of the model, by dataset; None if there is no such folder.
    """

    kinds: frozenset[str] | None = None
    read: QueryReader | None = None
    files: Callable[[str], Mapping[str, str] | None] = _no_files


NO_FACTS = CodeFacts()
"""Nothing is known besides the model."""
