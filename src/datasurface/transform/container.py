"""Container images: what a container is given, and how it says that it is done. A contract: nothing runs them yet.

In go variables, and files of a private folder whose path is in `DATASURFACE_RUN`; out comes the exit code. The login
and the secrets are in files, never in variables or arguments. The container reads copies of its inputs, which do not
change, and writes the output tables over connections of its own; they count only if it ends with 0.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from datasurface.errors import ConfigurationError
from datasurface.model.infrastructure import AuroraDatabase, PostgresDatabase
from datasurface.model.transformer import Code, ContainerImage
from datasurface.model.vocabulary import History
from datasurface.names import group_schema, view_name
from datasurface.release.job import InputDataset, JobColumn, JobDataset
from datasurface.transform.base import Launch, Place
from datasurface.transform.context import TransformerContext
from datasurface.transform.instruction import InputState, Instruction
from datasurface.transform.process import Ended

__all__ = ["CONTRACT", "RUN_FOLDER", "ContainerImageKind", "ContainerRun", "ContainerRunner", "container_run"]

CONTRACT = 1
"""The version of the document `run.json`."""
RUN_FOLDER = "/run/datasurface"
"""Where the files are in a container."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ContainerRun:
    """One run of a container.

    Attributes:
        image: The image.
        command: What to run in it; empty for what the image says.
        environment: Its variables, none of which is a secret.
        files: The content of each file by its path in the folder `DATASURFACE_RUN`; only the container's user may read
            them.
    """

    image: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    files: Mapping[str, str]


ContainerRunner = Callable[[ContainerRun], Ended]
"""Runs a container to its end, and returns how that was."""


class ContainerImageKind:
    """Refuses: nothing here runs containers, nor does a deploy target. What will is given a `ContainerRun` instead."""

    def version(self, code: Code, place: Place) -> str:
        """Return nothing: other code is another image."""
        del code, place
        return ""

    def launch(self, code: Code, place: Place) -> Launch:
        """Say that nothing runs images.

        Raises:
            ConfigurationError: always.
        """
        del place
        image = code.image if isinstance(code, ContainerImage) else type(code).__name__
        raise ConfigurationError(
            f"nothing runs the image {image} yet",
            hint="give the transformer code that runs in a process, such as PythonPackage",
        )

    def perform(self, code: Code, context: TransformerContext) -> None:
        """Run nothing: a container is no process of ours.

        Raises:
            ConfigurationError: always.
        """
        raise ConfigurationError(f"{type(code).__name__} of transformer {context.name!r} runs as a container")


def container_run(code: ContainerImage, instruction: Instruction, *, folder: str = RUN_FOLDER) -> ContainerRun:
    """Return what a container is given for a run whose inputs stand in as copies.

    Args:
        code: The image and its command.
        instruction: The run.
        folder: Where its files will be.

    Raises:
        ConfigurationError: the merge database is none that a container is told how to reach.
    """
    container = instruction.login.container
    if not isinstance(container, PostgresDatabase | AuroraDatabase):
        raise ConfigurationError(f"containers cannot reach {container.label()}")
    user, password = instruction.login.user or "", instruction.login.password or ""
    place = {
        "PGHOST": container.host,
        "PGPORT": str(container.port),
        "PGDATABASE": container.database,
        "PGSSLMODE": container.tls.value,
    }
    pgpass = ":".join(_escaped(p) for p in (container.host, str(container.port), container.database, user, password))
    secrets = dict(_secret_files(instruction))
    return ContainerRun(
        image=code.image,
        command=tuple(code.command),
        environment={"DATASURFACE_RUN": folder, **place, "PGUSER": user, "PGPASSFILE": f"{folder}/login/pgpass"},
        files={
            "run.json": json.dumps(_document(instruction, sorted(secrets)), indent=2) + "\n",
            "login/user": user,
            "login/password": password,
            "login/pgpass": f"{pgpass}\n",
            **secrets,
        },
    )


def _escaped(part: str) -> str:
    return part.replace("\\", "\\\\").replace(":", "\\:")


def _secret_files(instruction: Instruction) -> Iterator[tuple[str, str]]:
    for name, secret in instruction.secrets.items():
        for piece, value in secret.pieces().items():
            yield f"secrets/{name}/{piece}", value


def _document(instruction: Instruction, secrets: Sequence[str]) -> dict[str, object]:
    job, spec = instruction.job, instruction.job.transformer
    if spec is None:
        raise ValueError(f"stream {job.stream} is no transformer's output")
    return {
        "contract": CONTRACT,
        "transformer": spec.name,
        "workspace": spec.workspace,
        "mode": job.mode.value,
        "rebuild": instruction.rebuild,
        "params": dict(spec.params),
        "work_schema": instruction.work,
        "secrets": list(secrets),
        "inputs": [_input(declared, instruction, spec.workspace) for declared in spec.inputs],
        "outputs": [_output(job.staged(dataset)) for dataset in job.datasets],
    }


def _input(declared: InputDataset, instruction: Instruction, workspace: str) -> dict[str, object]:
    name, limit = f"{declared.datastore}.{declared.dataset}", instruction.name_limit
    state = instruction.inputs.get(name, InputState(batch=None))
    own = group_schema(workspace, declared.group, limit)
    full = declared.history is History.FULL
    return {
        "group": declared.group,
        "dataset": name,
        "schema": instruction.schemas.get(own, own),
        "table": view_name(declared.datastore, declared.dataset, limit),
        "history": view_name(declared.datastore, declared.dataset, limit, history=True) if full else None,
        "columns": [_column(c) for c in declared.columns],
        "batch": state.batch,
        "previous": state.previous if state.comparable else None,
    }


def _output(dataset: JobDataset) -> dict[str, object]:
    return {
        "dataset": dataset.name,
        "schema": dataset.source_schema,
        "table": dataset.source_table,
        "columns": [_column(c) for c in dataset.columns],
    }


def _column(column: JobColumn) -> dict[str, object]:
    return {"name": column.name, "type": column.type.spelled(), "key": column.key, "nullable": column.nullable}
