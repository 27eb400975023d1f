"""The one tree of errors: each has a stable code, says what happened and where, and hints at what to do.

Findings of `check` are values and live in `govern`; these are for calls, loads, jobs and commands that cannot go on.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "ApplyBlockedError",
    "BatchFailedError",
    "ConfigurationError",
    "DataSurfaceError",
    "LostStreamError",
    "MissingExtraError",
    "ModelCallError",
    "ModelLoadError",
    "NothingActiveError",
    "SecretError",
    "SourceError",
    "StoreError",
    "StreamBusyError",
    "SupersededError",
    "TransientError",
]


class DataSurfaceError(Exception):
    """Base of all errors raised on purpose.

    Attributes:
        code: Stable identifier, `DS-…`.
        hint: What to do about it; may be empty.
        exit_code: What a command that ends with this error returns.
    """

    code: ClassVar[str] = "DS-000"
    exit_code: ClassVar[int] = 2

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.code} {self.message}" + (f" ({self.hint})" if self.hint else "")


class ModelCallError(DataSurfaceError, TypeError):
    """A wrong Python call while a model is being made: unknown keyword, wrong argument type."""

    code = "DS-101"


class ModelLoadError(DataSurfaceError):
    """The model folder cannot be loaded: no `eco.py`, a syntax error, an exception in model code."""

    code = "DS-102"


class ConfigurationError(DataSurfaceError):
    """A command was given something that does not exist or does not fit: an unknown stream, a bad option."""

    code = "DS-103"


class MissingExtraError(DataSurfaceError):
    """An optional dependency is not installed; the message holds the exact command that installs it."""

    code = "DS-104"

    def __init__(self, purpose: str, extra: str) -> None:
        super().__init__(f'{purpose} needs an extra: pip install "datasurface[{extra}]"')


class SecretError(DataSurfaceError):
    """A credential's secret is absent, incomplete or readable by others. Never holds the secret."""

    code = "DS-201"


class SourceError(DataSurfaceError):
    """A source cannot be read as the model says: missing table or column, wrong type, refused password."""

    code = "DS-301"
    exit_code = 1


class TransientError(DataSurfaceError):
    """A fault that may pass by itself: a lost connection, a server that restarts. Retried with back-off."""

    code = "DS-302"
    exit_code = 1


class StoreError(DataSurfaceError):
    """The merge database is out of reach, belongs to another ecosystem, or has an unknown schema version."""

    code = "DS-303"


class NothingActiveError(StoreError):
    """No release is active; `datasurface apply` makes one so."""

    code = "DS-304"


class StreamBusyError(DataSurfaceError):
    """Another run holds the stream."""

    code = "DS-401"
    exit_code = 1


class LostStreamError(DataSurfaceError):
    """This run was silent for too long and another run took the stream; nothing of this run is committed."""

    code = "DS-402"
    exit_code = 1


class SupersededError(DataSurfaceError):
    """Another run has merged what this one would make, after this one looked and before it began."""

    code = "DS-404"
    exit_code = 1


class BatchFailedError(DataSurfaceError):
    """A batch cannot be merged: duplicate or NULL keys, staging that does not add up. Nothing was published."""

    code = "DS-403"
    exit_code = 1


class ApplyBlockedError(DataSurfaceError):
    """A change of the running system has to wait or is refused: a busy stream, somebody's own view, a changed key."""

    code = "DS-501"
    exit_code = 1
