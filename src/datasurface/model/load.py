"""Load a model folder: run its `eco.py`, with every module of the folder imported fresh, and return the ecosystem.

The one impure module of `model`. Nothing that it imports stays behind: a second load in the same process sees the
files as they are then, and two folders with modules of the same names do not meet.
"""

from __future__ import annotations

import gc
import importlib
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import FileFinder, ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

from datasurface.errors import ModelCallError, ModelLoadError
from datasurface.model.ecosystem import Ecosystem

__all__ = ["load"]

_ENTRY = "eco"
_NEVER_LOCAL = sys.stdlib_module_names | {"datasurface", "__main__"}
_ONE_AT_A_TIME = threading.RLock()


def load(folder: Path | str) -> Ecosystem:
    """Return the ecosystem that `folder/eco.py` defines: a value `ecosystem` or a function `create_ecosystem()`.

    Threads may call this at the same time; one loads after the other.

    Raises:
        ModelLoadError: there is no such file, it has a syntax error, its code raises, or it defines no ecosystem.
        ModelCallError: an object is made with an unknown keyword or an argument of the wrong type.
    """
    try:
        root = Path(folder).resolve()
        names, hidden = _local_names(root)
    except (OSError, RuntimeError, ValueError) as error:
        raise ModelLoadError(f"cannot read the model folder {folder!s}: {error}") from error
    with _ONE_AT_A_TIME, _no_collection(), _fresh_imports(root, names):
        try:
            return _ecosystem_of(importlib.import_module(_ENTRY))
        except (ModelCallError, ModelLoadError):
            raise
        except SystemExit as error:
            raise ModelLoadError(f"the model calls exit{_place_of(error)}") from error
        except Exception as error:
            raise ModelLoadError(_failure(error), hint=_hint_of(error, hidden)) from error


def _ecosystem_of(module: ModuleType) -> Ecosystem:
    found, said = getattr(module, "ecosystem", None), "`ecosystem`"
    create = getattr(module, "create_ecosystem", None)
    if found is None and callable(create):
        found, said = create(), "what `create_ecosystem()` returns"
    if isinstance(found, Ecosystem):
        return found
    what = (
        "eco.py defines no ecosystem" if said == "`ecosystem`" and found is None else f"{said} in eco.py is {_a(found)}"
    )
    raise ModelLoadError(
        what, hint="assign an Ecosystem to `ecosystem`, or define `create_ecosystem()` that returns one"
    )


def _a(value: object) -> str:
    return f"the class {value.__name__}" if isinstance(value, type) else f"of type {type(value).__name__}"


def _failure(error: Exception) -> str:
    """Return what went wrong in the model's code, and where."""
    if isinstance(error, SyntaxError) and error.filename and _is_of_model(error.filename):
        line = f":{error.lineno}" if error.lineno else ""
        return f"syntax error at {error.filename}{line}: {error.msg}"
    return f"{type(error).__name__}{_place_of(error)}: {error}"


def _hint_of(error: Exception, hidden: set[str]) -> str:
    """Return what may explain a name that is not found: a file that Python's own module of that name hides."""
    if not hidden or not isinstance(error, (ImportError, AttributeError, NameError)):
        return ""
    return f"rename {', '.join(f'{name}.py' for name in sorted(hidden))}: Python has a module of that name"


def _place_of(error: BaseException) -> str:
    """Return ` at path:line` of the innermost frame in the model folder, whose code alone has relative paths."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if _is_of_model(f.filename)]
    return f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""


def _is_of_model(filename: str) -> bool:
    return filename.endswith(".py") and not Path(filename).is_absolute()


class _RelativeLoader(SourceFileLoader):
    """Compiles a module from its source, never from a cache, under its path relative to the model folder."""

    root: Path

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        try:
            relative = Path(path).relative_to(self.root)
        except ValueError:
            relative = Path(path)
        try:
            return self.source_to_code(self.get_data(path), str(relative))
        except SyntaxError as error:
            error.filename = error.filename or str(relative)
            raise


class _ModelFinder(MetaPathFinder):
    """Finds modules of one model folder before all others."""

    def __init__(self, root: Path, names: set[str]) -> None:
        self.root = root
        self.names = names
        self.loader = type("Loader", (_RelativeLoader,), {"root": root})

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a module of the folder, or None for any other."""
        if fullname.partition(".")[0] not in self.names:
            return None
        for place in [str(self.root)] if path is None else path:
            spec = FileFinder(place, (self.loader, [".py"])).find_spec(fullname, target)
            if spec is not None:
                return spec
        return None


def _local_names(root: Path) -> tuple[set[str], set[str]]:
    """Return the top-level modules of the folder, and those that stay hidden behind a standard one."""
    if not (root / "eco.py").is_file():
        raise ModelLoadError(
            f"no eco.py in {root}", hint="name the model folder with --model, or run `datasurface init`"
        )
    files = {p.stem for p in root.glob("*.py") if p.stem.isidentifier()}
    folders = {p.name for p in root.iterdir() if p.name.isidentifier() and p.is_dir() and _is_package(p)}
    return (files | folders) - _NEVER_LOCAL, files & _NEVER_LOCAL - {"__main__"}


def _is_package(folder: Path) -> bool:
    """Tell whether a name means this folder: as for Python, without `__init__.py` an installed package goes first."""
    if (folder / "__init__.py").is_file():
        return True
    installed = PathFinder.find_spec(folder.name)
    return installed is None or installed.loader is None


@contextmanager
def _fresh_imports(root: Path, names: set[str]) -> Iterator[None]:
    """Let imports find the folder's own modules, and forget them afterwards."""

    def local() -> list[str]:
        return [name for name in sys.modules if name.partition(".")[0] in names]

    before = {name: sys.modules.pop(name) for name in local()}
    finders, path = sys.meta_path[:], sys.path[:]
    sys.meta_path.insert(0, _ModelFinder(root, names))
    try:
        yield
    finally:
        sys.meta_path[:], sys.path[:] = finders, path
        for name in local():
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
