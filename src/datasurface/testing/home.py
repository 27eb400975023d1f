"""Where the embedded server of tests lives: in a temporary folder, gone with everything in it at the end."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from datasurface.runtime import local

__all__ = ["CONTAINER", "temporary_home"]

CONTAINER = "local"
"""The embedded server that every bench uses."""


@contextmanager
def temporary_home() -> Iterator[Path]:
    """Make a folder for an embedded server, which starts with the first bench in it; stop and delete it at the end."""
    home = Path(tempfile.mkdtemp(prefix="datasurface-test-"))
    home.chmod(0o711)  # the server may run under an account of its own
    try:
        yield home
    finally:
        if (home / CONTAINER / "data").exists():
            local.stop(home / CONTAINER)
        shutil.rmtree(home, ignore_errors=True)
