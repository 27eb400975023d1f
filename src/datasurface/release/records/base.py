"""What all builders of records share: the record itself, source positions, owners and joined texts.

A record is a table and the values of one row. Records are plain dicts, so that a model of 400,000 columns passes
through in seconds; `Release.rows()` makes instances of the tables from them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

from datasurface.model.base import Noun
from datasurface.model.capture import Cron, Every, External
from datasurface.model.classification import Classification
from datasurface.model.ownership import GitHubRepository, GitLabRepository, LocalRepository, Repository
from datasurface.release.tables import Table

__all__ = [
    "Record",
    "Value",
    "classification_names",
    "classifications",
    "declared",
    "every_text",
    "joined",
    "joined_or_none",
    "owned",
    "repository_text",
]

_PACKAGE = str(Path(__file__).parents[2]) + os.sep

Value: TypeAlias = str | int | float | bool | None
Record: TypeAlias = tuple[type[Table], dict[str, Value]]


def declared(noun: Noun, around: Noun | None = None) -> dict[str, Value]:
    """Return the source position of `noun`, or that of the object around it where no line of a model made it.

    A default, and what construction makes of a string, has its position in this package.
    """
    for candidate in (noun, around):
        position = candidate.declared_at if candidate is not None else None
        if position is not None and not position.path.startswith(_PACKAGE):
            return {"file": position.path, "line": position.line}
    return {"file": None, "line": None}


def owned(owner: Repository, *, inherited: bool) -> dict[str, Value]:
    """Return the columns of an owner."""
    return {
        "owner_kind": type(owner).__name__,
        "owner": repository_text(owner),
        "owner_branch": getattr(owner, "branch", ""),
        "owner_inherited": inherited,
    }


def repository_text(repository: Repository) -> str:
    """Return where a repository is, without its branch."""
    if isinstance(repository, GitHubRepository):
        return repository.name
    if isinstance(repository, GitLabRepository):
        return f"{repository.url.rstrip('/')}/{repository.name}"
    return repository.path if isinstance(repository, LocalRepository) else repository.to_json()


def every_text(every: Every | None) -> str | None:
    """Return a schedule as a model writes it: `5 minutes`, `Cron('0 6 * * 1-5', tz='Europe/Berlin')`, `External()`."""
    if isinstance(every, Cron):
        return f"Cron({every.expression!r}, tz={every.tz!r})"
    return "External()" if isinstance(every, External) else every


def joined(values: Iterable[str]) -> str:
    """Return the texts in one, joined by `, `."""
    return ", ".join(values)


def joined_or_none(values: Iterable[str] | None) -> str | None:
    """Return the texts in one, or None if there are none to join."""
    return None if values is None else joined(values)


def classification_names(*groups: Iterable[Classification]) -> tuple[str, ...]:
    """Return the names of classifications, each once, with the scheme before those that are not DataSurface's own."""
    return tuple(dict.fromkeys(f"{c.scheme}:{c.name}" if c.scheme else c.name for group in groups for c in group))


def classifications(*groups: Iterable[Classification]) -> str:
    """Return `classification_names` in one text."""
    return joined(classification_names(*groups))
