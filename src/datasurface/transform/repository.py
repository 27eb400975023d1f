"""Functions in git repositories: `PythonRepository`, fetched once, with the packages that it asks for."""

from __future__ import annotations

import logging

from datasurface.model.effective import credential_of
from datasurface.model.transformer import Code, PythonRepository
from datasurface.transform.base import Launch, Place
from datasurface.transform.context import TransformerContext
from datasurface.transform.environment import environment_of, requirements_of
from datasurface.transform.git import GitSource, checkout
from datasurface.transform.python import call, function_of

__all__ = ["PythonRepositoryKind"]

_LOGGER = logging.getLogger("datasurface.transform")


class PythonRepositoryKind:
    """Runs in an environment of the repository's own if it asks for packages, else in the platform's."""

    def version(self, code: Code, place: Place) -> str:
        """Return nothing: a release is pinned, so other code is another model."""
        del code, place
        return ""

    def launch(self, code: Code, place: Place) -> Launch:
        """Fetch the repository and make its environment, where they are not there yet."""
        found = _code(code)
        source = GitSource(
            repository=found.repository, release=found.release, credential=credential_of(found.credential)
        )
        fetched = checkout(source, folder=place.folder, cache=place.cache, secret=place.secret)
        _LOGGER.info("code %s of release %s is commit %s", found.entry, found.release, fetched.commit)
        needs = requirements_of(fetched.files)
        python = environment_of(needs, release=fetched.commit, files=fetched.files, cache=place.cache)
        sources = fetched.files / "src"
        return Launch(python=python, path=(*([sources] if sources.is_dir() else []), fetched.files))

    def perform(self, code: Code, context: TransformerContext) -> None:
        """Import the module and call its function."""
        module, _, function = _code(code).entry.partition(":")
        call(function_of(module, function), context)


def _code(code: Code) -> PythonRepository:
    if not isinstance(code, PythonRepository):
        raise TypeError(f"{code!r} is no PythonRepository")
    return code
