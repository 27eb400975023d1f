"""The platform file: a platform of a bound release without its streams, all that a job needs to find the rest.

It is JSON, holds names and places but no secret, and is the same for the same release.
"""

from __future__ import annotations

from pathlib import Path

from datasurface.errors import ConfigurationError, ModelCallError
from datasurface.release.bind import replaced
from datasurface.release.job import PlatformSpec

__all__ = ["platform_file", "read_platform_file"]

_HINT = "`datasurface deploy` writes it; it goes with --platform-file"


def platform_file(platform: PlatformSpec) -> str:
    """Return the content of the platform file: where the merge database is, whose it is, and which stores to ask.

    Streams, views and readers are left out: jobs take them from the active release.
    """
    return replaced(platform, jobs=(), views=(), readers=()).to_json() + "\n"


def read_platform_file(path: Path) -> PlatformSpec:
    """Return the platform that a platform file describes.

    Raises:
        ConfigurationError: it cannot be read, or it is no platform file.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise ConfigurationError(f"the platform file {path} cannot be read: {reason}", hint=_HINT) from error
    try:
        return PlatformSpec.from_json(text)
    except ModelCallError as error:
        raise ConfigurationError(f"{path} is no platform file: {error.message}", hint=_HINT) from error
