"""What system code is given, and how its functions are found: by entry point, so each package registers its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import cast

from sqlalchemy import Connection

from datasurface.databases.code import CodeSession
from datasurface.errors import ConfigurationError
from datasurface.release.job import JobSpec
from datasurface.transform.context import TransformerContext

__all__ = ["SystemFunction", "SystemRun", "system_function"]

_GROUP = "datasurface.system_code"


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemRun:
    """One run of system code, in the platform's own process and under its login.

    Attributes:
        job: The stream of the output.
        context: What every transformer gets: inputs, outputs, parameters, a logger.
        session: What the outputs are written by, for whole blocks of rows.
        reader: A connection at the moment at which inputs are read; not to be committed.
        schema: The platform's schema.
        release: The digest of the active release.
        platform: The running platform, for functions of the package that made it; opaque here.
    """

    job: JobSpec
    context: TransformerContext
    session: CodeSession
    reader: Connection
    schema: str
    release: str
    platform: object


SystemFunction = Callable[[SystemRun], None]
"""Writes to the outputs of its context, or raises; what it writes is committed when it returns."""


def system_function(name: str) -> SystemFunction:
    """Return the system code of that name.

    Raises:
        ConfigurationError: there is none.
    """
    points = {point.name: point for point in entry_points(group=_GROUP)}
    if name not in points:
        raise ConfigurationError(
            f"there is no system code {name!r}", hint=f"there is {', '.join(sorted(points)) or 'none'}"
        )
    return cast("SystemFunction", points[name].load())
