"""Datasets and their columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from typing import TypeAlias, cast

from datasurface.model.base import Noun, follows, noun, opposite
from datasurface.model.classification import Classification
from datasurface.model.types.base import DataType
from datasurface.model.vocabulary import OnFailure

__all__ = ["Check", "Column", "Dataset", "SourceName"]

SourceName: TypeAlias = str | tuple[str, str]
"""A physical name in the container's schema, or a pair `(schema, name)`."""


class Check(Noun):
    """A condition that a dataset's rows must meet before they are published. The concrete checks say which."""

    __slots__ = ()

    on_failure: OnFailure
    name: str
    doc: str


@noun
class Column(Noun):
    """A column of a dataset.

    Attributes:
        name: The logical name, an SQL identifier; any, reserved words too.
        type: What it holds; a parameterless type may be written without parentheses.
        key: Whether it is part of the dataset's key.
        nullable: Whether it may be NULL; by default unless it is a key.
        source: The physical name at the source; by default the logical one.
        classification: Adds to the dataset's.
    """

    name: str = field(kw_only=False)
    type: DataType | type[DataType] = field(kw_only=False)
    key: bool = False
    nullable: bool = field(default=opposite("key"))
    source: str = field(default=follows("name"))
    classification: Sequence[Classification] = ()
    doc: str = ""

    @property
    def data_type(self) -> DataType:
        """The type as the instance that construction made of it."""
        return cast("DataType", self.type)


@noun
class Dataset(Noun):
    """A table of a datastore.

    Attributes:
        name: Unique in its datastore; an SQL identifier.
        columns: In the order in which consumers see them.
        source: The physical name, or `(schema, name)`; by default the logical name.
        classification: Holds for all columns.
        deprecated: Why and what to use instead; None if it is not deprecated.
        checks: Conditions that hold before rows are published.
    """

    name: str = field(kw_only=False)
    columns: Sequence[Column]
    source: SourceName = field(default=follows("name"))
    classification: Sequence[Classification] = ()
    deprecated: str | None = None
    checks: Sequence[Check] = ()
    doc: str = ""

    @property
    def key_columns(self) -> tuple[Column, ...]:
        """The columns of the key, in the dataset's order; empty for a multiset."""
        return tuple([c for c in self.columns if c.key])
