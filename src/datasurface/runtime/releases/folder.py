"""Releases in a folder, on a disk that publisher and follower share. Other files in it are left alone."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from datasurface.errors import StoreError

__all__ = ["FolderObjects"]

_READABLE = 0o644
_DRAFT = ".draft"
_DESCRIPTION = ".json"


class FolderObjects:
    """Files below a folder, which `create` makes if it is not there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def label(self) -> str:
        """The folder."""
        return str(self._folder)

    def keys(self, prefix: str) -> list[str]:
        """Return the keys that begin with `prefix`, a folder; none if it is not there.

        What stands in a description's place counts, whatever it is: a release that cannot be read is not an absent one.

        Raises:
            StoreError: the store's own folder is not there, such as a disk that is not mounted, or one may not be read.
        """
        with self._told():
            if not self._folder.is_dir():
                raise StoreError(f"the release store {self._folder} is no folder", hint="is its disk mounted?")
            found = [p for p in _below(self._folder / prefix) if p.suffix == _DESCRIPTION or p.is_file()]
            return sorted(p.relative_to(self._folder).as_posix() for p in found if p.suffix != _DRAFT)

    def read(self, key: str) -> bytes | None:
        """Return the content; None if there is none."""
        with self._told():
            try:
                return (self._folder / key).read_bytes()
            except FileNotFoundError:
                return None

    def save(self, key: str, path: Path) -> bool:
        """Copy the content into a file; return False if there is none."""
        with self._told():
            if not (self._folder / key).is_file():
                return False
            shutil.copyfile(self._folder / key, path)
            return True

    def create(self, key: str, content: bytes | Path) -> bool:
        """Write content under a key that is free; return False if it is taken."""
        with self._told(), self._draft(key, content) as draft:
            try:
                os.link(draft, self._folder / key)
            except FileExistsError:
                return False
            _sync(draft.parent)
            return True

    def replace(self, key: str, content: bytes | Path) -> None:
        """Write content in place of what is there."""
        with self._told(), self._draft(key, content) as draft:
            draft.replace(self._folder / key)
            _sync(draft.parent)

    @contextmanager
    def _draft(self, key: str, content: bytes | Path) -> Iterator[Path]:
        """Write content beside its place, whole and on disk."""
        parent = (self._folder / key).parent
        parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(suffix=_DRAFT, dir=parent)
        draft = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                if isinstance(content, bytes):
                    file.write(content)
                else:
                    with content.open("rb") as source:
                        shutil.copyfileobj(source, file)
                file.flush()
                os.fsync(file.fileno())
            draft.chmod(_READABLE)
            yield draft
        finally:
            draft.unlink(missing_ok=True)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            where = f"the release store {self._folder}: {error.strerror}: {error.filename}"
            raise StoreError(where, hint=_way_out(error)) from error


def _below(folder: Path) -> Iterator[Path]:
    """Yield all that is below a folder, folders too; nothing if it is not there."""

    def refused(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError) and Path(error.filename or "").suffix != _DESCRIPTION:
            raise error

    for parent, folders, files in os.walk(folder, onerror=refused):
        yield from (Path(parent, name) for name in (*folders, *files))


def _way_out(error: OSError) -> str:
    """Return what to do about what a disk says."""
    if isinstance(error, IsADirectoryError | NotADirectoryError | FileExistsError):
        return "something else is in the place of a file or folder: move it away, and publish it again"
    if isinstance(error, PermissionError):
        return "give the user that runs this the right to it"
    return "see to the disk, and try again"


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
