"""Load a model folder: run its `eco.py`, with every module of the folder imported fresh, and return the ecosystem.

The one impure module of `model`. Nothing that it imports stays behind: a second load in the same process sees the
files as they are then, and two folders with modules of the same names do not meet.
"""

from __future__ import annotations

import gc
import importlib
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import FileFinder, ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

from datasurface.errors import ModelCallError, ModelLoadError
from datasurface.model.ecosystem import Ecosystem

__all__ = ["load"]

_ENTRY = "eco"


def load(folder: Path | str) -> Ecosystem:
    """Return the ecosystem that `folder/eco.py` defines: a value `ecosystem` or a function `create_ecosystem()`.

    Raises:
        ModelLoadError: there is no such file, it has a syntax error, its code raises, or it defines no ecosystem.
        ModelCallError: an object is made with an unknown keyword or an argument of the wrong type.
    """
    root = Path(folder).resolve()
    if not (root / "eco.py").is_file():
        raise ModelLoadError(
            f"no eco.py in {root}", hint="name the model folder with --model, or run `datasurface init`"
        )
    with _no_collection(), _fresh_imports(root):
        try:
            return _ecosystem_of(importlib.import_module(_ENTRY))
        except (ModelCallError, ModelLoadError):
            raise
        except SyntaxError as error:
            raise ModelLoadError(f"syntax error at {error.filename}:{error.lineno}: {error.msg}") from error
        except Exception as error:
            raise ModelLoadError(f"{type(error).__name__}{_place_of(error, root)}: {error}") from error
        except SystemExit as error:
            raise ModelLoadError(f"the model calls exit{_place_of(error, root)}") from error


def _ecosystem_of(module: ModuleType) -> Ecosystem:
    found = getattr(module, "ecosystem", None)
    create = getattr(module, "create_ecosystem", None)
    if found is None and callable(create):
        found = create()
    if not isinstance(found, Ecosystem):
        raise ModelLoadError(
            "eco.py defines no ecosystem", hint="assign an Ecosystem to `ecosystem`, or define `create_ecosystem()`"
        )
    return found


def _place_of(error: BaseException, root: Path) -> str:
    """Return ` at path:line` of the innermost frame in the model folder."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if (root / f.filename).is_file()]
    return f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""


class _RelativeLoader(SourceFileLoader):
    """Compiles a module from its source, never from a cache, under its path relative to the model folder."""

    root: Path

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        try:
            relative = Path(path).relative_to(self.root)
        except ValueError:
            relative = Path(path)
        return self.source_to_code(self.get_data(path), str(relative))


class _ModelFinder(MetaPathFinder):
    """Finds modules of one model folder before all others."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.loader = type("Loader", (_RelativeLoader,), {"root": root})

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a module of the folder, or None for any other."""
        places = [str(self.root)] if path is None else [p for p in path if Path(p).is_relative_to(self.root)]
        for place in places:
            spec = FileFinder(place, (self.loader, [".py"])).find_spec(fullname, target)
            if spec is not None:
                return spec
        return None


def _local_names(root: Path) -> set[str]:
    """Return the top-level modules of the folder, but those that would replace a standard one."""
    names = {p.stem for p in root.glob("*.py")} | {p.name for p in root.iterdir() if p.is_dir()}
    return {n for n in names if n.isidentifier()} - sys.stdlib_module_names - {"datasurface", "__pycache__"}


@contextmanager
def _fresh_imports(root: Path) -> Iterator[None]:
    """Let imports find the folder's own modules, and forget them afterwards."""
    local = _local_names(root)

    def belongs(name: str) -> bool:
        return name.partition(".")[0] in local

    before = {name: sys.modules.pop(name) for name in list(sys.modules) if belongs(name)}
    finder = _ModelFinder(root)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in [name for name in sys.modules if belongs(name)]:
            del sys.modules[name]
        sys.modules.update(before)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Switch the garbage collector off: a model only grows while it is made, and a million objects cost it seconds."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
