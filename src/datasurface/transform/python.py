"""Functions of modules: `PythonModule`, of an installed package or of the model folder."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from pathlib import Path
from typing import cast

from datasurface.errors import ConfigurationError
from datasurface.model.transformer import Code, PythonModule
from datasurface.transform.base import Launch, Place
from datasurface.transform.context import TransformerContext
from datasurface.transform.modules import files_of

__all__ = ["PythonModuleKind", "call", "function_of"]


class PythonModuleKind:
    """Runs in the platform's own interpreter."""

    def version(self, code: Code, place: Place) -> str:
        """Return the digest of the module, its package and what they import, as far as that is in the model folder.

        There it changes without a release.
        """
        if place.folder is None:
            return ""
        digest = hashlib.sha256()
        for path in files_of(_entry(code)[0], place.folder):
            digest.update(f"{path.relative_to(place.folder)}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()

    def launch(self, code: Code, place: Place) -> Launch:
        """Say that the interpreter is this one, which finds the model folder's modules too."""
        _entry(code)
        return Launch(python=Path(sys.executable), path=(place.folder,) if place.folder else ())

    def perform(self, code: Code, context: TransformerContext) -> None:
        """Import the module and call its function."""
        call(function_of(*_entry(code)), context)


def call(function: Callable[[TransformerContext], object], context: TransformerContext) -> None:
    """Call a transformer's function.

    Raises:
        ConfigurationError: it only began, as a generator function or an `async def` does.
    """
    made = function(context)
    if isinstance(made, Generator | AsyncGenerator | Awaitable):
        if inspect.iscoroutine(made):
            made.close()
        raise ConfigurationError(
            f"function {getattr(function, '__name__', function)!r} returns a {type(made).__name__}, which nothing runs",
            hint="write the output with write() and return: no yield and no async in the function itself",
        )


def function_of(module: str, function: str) -> Callable[[TransformerContext], object]:
    """Return a function of a module.

    Raises:
        ConfigurationError: there is no such module or function.
    """
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise
        raise ConfigurationError(
            f"there is no module {module!r}", hint="install it, or put it into the model folder"
        ) from None
    made = getattr(found, function, None)
    if not callable(made):
        own = module.partition(".")[0] in sys.stdlib_module_names
        hint = "that is Python's own module: give yours another name" if own else ""
        raise ConfigurationError(f"module {module!r} has no function {function!r}", hint=hint)
    return cast("Callable[[TransformerContext], object]", made)


def _entry(code: Code) -> tuple[str, str]:
    if not isinstance(code, PythonModule):
        raise TypeError(f"{code!r} is no PythonModule")
    module, _, function = code.entry.partition(":")
    return module, function
