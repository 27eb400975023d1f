"""Functions of published packages: `PythonPackage`, installed once into an environment of its own."""

from __future__ import annotations

from datasurface.errors import ConfigurationError
from datasurface.model.transformer import Code, PythonPackage
from datasurface.names import is_pinned
from datasurface.transform.base import Launch, Place
from datasurface.transform.context import TransformerContext
from datasurface.transform.environment import environment_of
from datasurface.transform.python import call, function_of

__all__ = ["PythonPackageKind"]


class PythonPackageKind:
    """Runs in an environment with the package and what it needs."""

    def version(self, code: Code, place: Place) -> str:
        """Return nothing: the version is pinned, so other code is another model."""
        del code, place
        return ""

    def launch(self, code: Code, place: Place) -> Launch:
        """Install the package, where it is not installed yet.

        Raises:
            ConfigurationError: its version is not pinned.
        """
        requirement = _code(code).requirement
        if not is_pinned(requirement):
            raise ConfigurationError(f"{requirement!r} pins no version", hint='write "name==1.2"')
        return Launch(python=environment_of(f"{requirement}\n", release="", files=None, cache=place.cache))

    def perform(self, code: Code, context: TransformerContext) -> None:
        """Import the module and call its function."""
        module, _, function = _code(code).entry.partition(":")
        call(function_of(module, function), context)


def _code(code: Code) -> PythonPackage:
    if not isinstance(code, PythonPackage):
        raise TypeError(f"{code!r} is no PythonPackage")
    return code
