"""Transformers: code that derives a datastore from what a workspace consumes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field

from datasurface.model.base import EMPTY_MAPPING, Noun, noun
from datasurface.model.capture import Every
from datasurface.model.datastore import Datastore
from datasurface.model.identity import CloudIdentity
from datasurface.model.infrastructure import Credential, CredentialLike
from datasurface.model.ownership import Repository
from datasurface.model.platform import Hint
from datasurface.model.vocabulary import OutputMode

__all__ = [
    "Code",
    "ContainerImage",
    "DataTransformer",
    "DbtProject",
    "PythonModule",
    "PythonPackage",
    "PythonRepository",
    "SqlQueries",
    "SystemCode",
]


class Code(Noun):
    """What a transformer runs."""

    __slots__ = ()


@noun
class PythonModule(Code):
    """A function of an installed module: `PythonModule("package.module:function")`."""

    entry: str = field(kw_only=False)


@noun
class PythonRepository(Code):
    """A function in a git repository, pinned by tag or commit.

    Attributes:
        repository: The repository, its address as git takes it, or a path from the model folder.
        release: A tag, or all digits of a commit.
        entry: `package.module:function`, from the repository's root or its `src`.
        credential: What may read it; None for what git itself is set up with.
    """

    repository: Repository | str = field(kw_only=False)
    release: str
    entry: str
    credential: CredentialLike = None


@noun
class PythonPackage(Code):
    """A function of a published package: `PythonPackage("name==1.2", entry="module:function")`."""

    requirement: str = field(kw_only=False)
    entry: str


@noun
class SqlQueries(Code):
    """A query for each output dataset, or the folder that holds `<dataset>.sql` files."""

    queries: Mapping[str, str] | str = field(kw_only=False)


@noun
class DbtProject(Code):
    """A dbt project, whose models are named as the datasets of the output.

    Attributes:
        project: A repository, its address as git takes it, or a folder of the model folder.
        release: A tag, or all digits of a commit; None for a folder of the model.
        credential: What may read the repository; None for what git itself is set up with.
    """

    project: Repository | str = field(kw_only=False)
    release: str | None = None
    credential: CredentialLike = None


@noun
class ContainerImage(Code):
    """A command in a container image."""

    image: str = field(kw_only=False)
    command: Sequence[str] = field(default=(), kw_only=False)


@noun
class SystemCode(Code):
    """Code of DataSurface itself, by the name under which its package registers it."""

    name: str = field(kw_only=False)


@noun
class DataTransformer(Noun):
    """Derives the datasets of `output` from the inputs of the workspace it belongs to.

    Attributes:
        code: What it runs.
        output: A datastore without capture.
        every: When it runs; None for whenever its inputs have changed.
        run_as: The identity of a cloud under which it runs where it is deployed.
        mode: Whether it writes whole tables or changes.
        secrets: The credentials it gets, by the name it knows them under.
        params: What it is told.
        resources: What it needs.
    """

    name: str = field(kw_only=False)
    code: Code
    output: Datastore
    every: Every | None = None
    run_as: CloudIdentity | None = None
    mode: OutputMode = OutputMode.SNAPSHOT
    secrets: Mapping[str, Credential | str] = EMPTY_MAPPING
    params: Mapping[str, str | bool | int | float] = EMPTY_MAPPING
    resources: Hint | None = None
