"""Repositories: who may change a part of the model."""

from __future__ import annotations

from dataclasses import field

from datasurface.model.base import Noun, noun

__all__ = ["GitHubRepository", "GitLabRepository", "LocalRepository", "Repository"]


class Repository(Noun):
    """A branch of a repository."""

    __slots__ = ()


@noun
class GitHubRepository(Repository):
    """`GitHubRepository("owner/name")`."""

    name: str = field(kw_only=False)
    branch: str = "main"


@noun
class GitLabRepository(Repository):
    """`GitLabRepository("https://gitlab.example", "owner/name")`."""

    url: str = field(kw_only=False)
    name: str = field(kw_only=False)
    branch: str = "main"


@noun
class LocalRepository(Repository):
    """A repository on this machine or a shared disk."""

    path: str = field(kw_only=False)
    branch: str = "main"
