"""Where a run's own modules are imported from: folders that come before other packages, and never in Python's place.

The platform's part of the process is imported before, so that no module of a folder can stand in for what it needs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

__all__ = ["VARIABLE", "open_folders", "without_folders"]

VARIABLE = "DATASURFACE_FOLDERS"
"""The variable in which a run's process is told its folders; Python does not know it, unlike `PYTHONPATH`."""


class _Folders(MetaPathFinder):
    """Finds the modules of folders, but none that Python itself has under that name."""

    def __init__(self, folders: Sequence[str]) -> None:
        self._folders = folders

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where a module is; a mere folder without modules of its own is left to the other finders."""
        if path is not None or fullname in sys.stdlib_module_names:
            return None
        found = PathFinder.find_spec(fullname, self._folders, target)
        return found if found is not None and found.loader is not None else None


def open_folders() -> None:
    """Have everything imported from now on be looked for in the run's folders first; its processes look there too."""
    listed = os.environ.pop(VARIABLE, "")
    if not listed:
        return
    folders = listed.split(os.pathsep)
    sys.meta_path.insert(0, _Folders(folders))
    sys.path.extend(folders)
    inherited = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([*([inherited] if inherited else []), *folders])


@contextmanager
def without_folders() -> Iterator[None]:
    """Have the platform's own imports not look in the run's folders."""
    finders = sys.meta_path[:]
    sys.meta_path[:] = [finder for finder in finders if not isinstance(finder, _Folders)]
    try:
        yield
    finally:
        sys.meta_path[:] = finders
