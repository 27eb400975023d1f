"""Workspaces: what a consumer needs, of what, and how."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field

from datasurface.model.base import Noun, noun
from datasurface.model.classification import Classification
from datasurface.model.infrastructure import Container
from datasurface.model.transformer import DataTransformer
from datasurface.model.vocabulary import History, Latency, Priority

__all__ = ["DatasetGroup", "DatasetSink", "Reader", "Workspace"]


@noun
class DatasetSink(Noun):
    """One dataset that a group consumes; a plain `"store.dataset"` means all its columns."""

    shorthand = True

    dataset: str = field(kw_only=False)
    columns: Sequence[str] | None = None
    accept_deprecated: bool = False


@noun
class Reader(Noun):
    """Who may read a workspace; a plain `"anna"` means a role that the database has, `"group:analysts"` a group of it.

    Attributes:
        name: The role's name in the database, or the person's if a login is to be made.
        until: When access ends: an ISO date (to the end of that day, in UTC) or time; None for never.
        clearance: Columns above these classifications are hidden; None hides nothing that the groups show.
        login: Whether DataSurface makes a login for this person; else the role has to exist.
    """

    shorthand = True

    name: str = field(kw_only=False)
    until: str | None = None
    clearance: Sequence[Classification] | None = None
    login: bool = False


@noun
class DatasetGroup(Noun):
    """Datasets that are needed in the same way.

    Attributes:
        name: Unique in its workspace; an SQL identifier.
        sinks: What is consumed.
        history: Current rows, or also every earlier version.
        latency: How far behind the source it may be. Never makes a source be read more often than its `every`.
        retention: How long closed versions are kept, such as `"7 years"`; None for ever.
        regulator: Who demands it, if somebody does.
        platform: The name of the platform that has to serve it; None leaves it to the rules.
    """

    name: str = field(kw_only=False)
    sinks: Sequence[DatasetSink | str]
    history: History = History.LIVE
    latency: Latency = Latency.HOURS
    retention: str | None = None
    regulator: str | None = None
    platform: str | None = None


@noun
class Workspace(Noun):
    """A consumer, or a transformer's inputs.

    Attributes:
        name: Unique in the ecosystem; an SQL identifier.
        groups: What it needs.
        transformer: What derives data from its inputs, if anything does.
        container: Where its views are: None for the platform's own database, else a replica's container.
        readers: People and groups who may read it: names of roles, `"group:…"`, or `Reader(…)`.
        deprecated: Why and what to use instead; None if it is not deprecated.
    """

    name: str = field(kw_only=False)
    groups: Sequence[DatasetGroup] = ()
    transformer: DataTransformer | None = None
    container: Container | None = None
    priority: Priority = Priority.MEDIUM
    production: bool = False
    readers: Sequence[Reader | str] = ()
    deprecated: str | None = None
    doc: str = ""
