"""How data is read from where it is produced, and when."""

from __future__ import annotations

from dataclasses import field
from typing import TypeAlias

from datasurface.model.base import Noun, noun
from datasurface.model.infrastructure import Container, CredentialLike
from datasurface.model.vocabulary import Consistency

__all__ = ["Capture", "ChangeCapture", "Cron", "Every", "External", "MilestonedSource", "Snapshot", "Watermark"]


@noun
class Cron(Noun):
    """A schedule by the clock: `Cron("0 6 * * 1-5", tz="Europe/Berlin")`; five fields, as cron(8) reads them."""

    expression: str = field(kw_only=False)
    tz: str = "UTC"


@noun
class External(Noun):
    """Runs only when something outside asks for it."""


Every: TypeAlias = str | Cron | External
"""A text such as `"5 minutes"`, a `Cron`, or `External()`."""


class Capture(Noun):
    """How a datastore's data is read. The concrete captures add what they need."""

    __slots__ = ()

    container: Container
    credential: CredentialLike
    every: Every
    consistency: Consistency


@noun
class Snapshot(Capture):
    """Read everything and find the changes."""

    container: Container = field(kw_only=False)
    credential: CredentialLike = None
    every: Every = "1 hour"
    consistency: Consistency = Consistency.DATASTORE


@noun
class Watermark(Capture):
    """Read what moved past a mark.

    Attributes:
        column: The column that only grows: a number or a timestamp.
        overlap: How far before the mark to read again, for late commits.
        reconcile: How often keys are compared so that deletes are seen; None for never.
    """

    container: Container = field(kw_only=False)
    column: str
    credential: CredentialLike = None
    every: Every = "1 hour"
    consistency: Consistency = Consistency.DATASTORE
    overlap: str | int | None = None
    reconcile: str | None = None


@noun
class ChangeCapture(Capture):
    """Read the database's own log of changes."""

    container: Container = field(kw_only=False)
    credential: CredentialLike = None
    every: Every = "1 hour"
    consistency: Consistency = Consistency.DATASTORE
    slot: str | None = None


@noun
class MilestonedSource(Capture):
    """Read a source that keeps every version itself, with the columns that say from when to when each held."""

    container: Container = field(kw_only=False)
    valid_from: str
    valid_to: str
    credential: CredentialLike = None
    every: Every = "1 hour"
    consistency: Consistency = Consistency.DATASTORE
