"""The image of the jobs: a Dockerfile as a list of instructions, with the drivers that the model needs.

No line names a machine's architecture, so that one build makes it for all of them. Nothing secret is in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from datasurface import __version__
from datasurface.deploy.base import GeneratedFile
from datasurface.deploy.kubernetes.cluster import Cluster
from datasurface.deploy.pod import USER
from datasurface.model.capture import Cron
from datasurface.model.secret_stores import kind_of_store
from datasurface.model.transformer import DbtProject

__all__ = ["Instruction", "dockerfile", "extras", "image_files"]

_IGNORED = ("*", "!model", "!wheels", "!wheels/.keep", "!wheels/*.whl", "**/__pycache__", "**/.datasurface", "**/.git")
_MODEL = "/opt/model"
_HINTS = {
    "model": "The model folder, for the modules of transformers; jobs read nothing else of it.\n",
    "wheels": "Wheels that no package index has.\n",
}
_HEAD = (
    "# syntax=docker/dockerfile:1",
    "# BASE is an image of Python by digest: docker.io/library/python:3.13-slim@sha256:…",
    "# checkov:skip=CKV_DOCKER_7:the base is given by its digest, without which there is no build",
)


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction of a Dockerfile; more than one argument is a line each."""

    keyword: str
    arguments: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.keyword} " + " \\\n    ".join(self.arguments)


_TELEMETRY = {"openlineage": "OPENLINEAGE_", "otel": "OTEL_EXPORTER_OTLP_"}
"""The extras that variables of the jobs ask for; metrics are always exported."""


def extras(cluster: Cluster) -> tuple[str, ...]:
    """Return the extras of DataSurface that the environment's jobs need, sorted."""
    found = {"prometheus"} | ({"cron"} if _has_cron(cluster) else set[str]())
    variables = {name for name, value in cluster.settings.environment.items() if value}
    found |= {extra for extra, prefix in _TELEMETRY.items() if any(name.startswith(prefix) for name in variables)}
    stores = {kind_of_store(choice) for platform in cluster.platforms for choice in platform.secrets}
    found |= stores & {"aws", "azure", "kubernetes"}
    codes = [job.transformer.code for platform in cluster.platforms for job in platform.jobs if job.transformer]
    if any(isinstance(code, DbtProject) for code in codes):
        found.add("dbt")
    if any(str(platform.follows.store).startswith("s3://") for platform in cluster.platforms if platform.follows):
        found.add("aws")
    return tuple(sorted(found))


def image_files(cluster: Cluster) -> list[GeneratedFile]:
    """Return the Dockerfile and what keeps everything else out of its build."""
    return [
        GeneratedFile(path="image/.dockerignore", content="\n".join(_IGNORED) + "\n"),
        GeneratedFile(path="image/Dockerfile", content=dockerfile(extras(cluster))),
        *[GeneratedFile(path=f"image/{name}/.keep", content=text) for name, text in _HINTS.items()],
    ]


def dockerfile(wanted: Sequence[str]) -> str:
    """Return the Dockerfile with these extras unless the build names others."""
    first, second = _builder(wanted), _runtime()
    return "\n".join([*_HEAD, *map(str, first), "", *map(str, second)]) + "\n"


def _builder(wanted: Sequence[str]) -> list[Instruction]:
    """Return the stage that installs packages into a virtual environment of their own."""
    pip = "/opt/datasurface/bin/python -m pip install --no-cache-dir --disable-pip-version-check"
    return [
        Instruction("ARG", ("BASE",)),
        Instruction("FROM", ("${BASE} AS builder",)),
        Instruction("ARG", (f"VERSION={__version__}",)),
        Instruction("ARG", (f'EXTRAS="{",".join(wanted)}"',)),
        Instruction("ARG", ('MORE=""',)),
        Instruction("COPY", ("wheels/ /wheels/",)),
        Instruction(
            "RUN",
            (
                "python3 -m venv /opt/datasurface",
                f"&& {pip} --only-binary :all: --find-links /wheels",
                '"datasurface${EXTRAS:+[$EXTRAS]}==$VERSION" $MORE',
            ),
        ),
    ]


def _runtime() -> list[Instruction]:
    """Return the stage that runs: the virtual environment on the same base, as a user that owns nothing."""
    return [
        Instruction("FROM", ("${BASE}",)),
        Instruction("COPY", ("--from=builder /opt/datasurface /opt/datasurface",)),
        Instruction("COPY", (f"model/ {_MODEL}/",)),
        Instruction(
            "ENV",
            (
                f"DATASURFACE_MODEL={_MODEL}",
                'PATH="/opt/datasurface/bin:$PATH"',
                "PYTHONUNBUFFERED=1",
                "PYTHONDONTWRITEBYTECODE=1",
                "HOME=/tmp",
            ),
        ),
        Instruction("WORKDIR", ("/tmp",)),  # noqa: S108 - of the container alone
        Instruction("USER", (f"{USER}:{USER}",)),
        Instruction("HEALTHCHECK", ("NONE",)),
        Instruction("ENTRYPOINT", ('["datasurface"]',)),
    ]


def _has_cron(cluster: Cluster) -> bool:
    return any(isinstance(job.capture.every, Cron) for platform in cluster.platforms for job in platform.jobs)
