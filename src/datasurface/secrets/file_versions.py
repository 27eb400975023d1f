"""The versions of one secret in a folder of secrets: the current one, one to come and the former one.

Each version is written whole beside the others and comes into place by one rename, so that a crash or a reader at any
moment finds whole versions. Knows files and nothing of credentials.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from datasurface.errors import SecretError

__all__ = ["KEPT", "Versions", "promote_all", "stage_all"]

_AT_ONCE = 16
"""How many files are brought to disk at the same time: a file system does that for several as fast as for one."""

KEPT = ".datasurface"
"""The folder, in a folder of secrets, that holds the versions which are not current."""


class Versions:
    """The versions of the secret `name` in `root`.

    `root/name` is the current one; `root/.datasurface/versions/name` has the former one as `previous` and those to
    come as `pending.<number>`, of which the highest counts. Promoting moves current to previous, then pending to
    current; in between, and if it ends there, previous is still what holds.
    """

    def __init__(self, root: Path, name: str) -> None:
        self._root = root
        self._current = root / name
        self._own = root / KEPT
        self._kept = self._own / "versions" / name
        self._previous = self._kept / "previous"

    def current(self) -> Path | None:
        """Return the folder that holds the current version, or None if there is none."""
        if self._current.is_dir():
            return self._current
        with self._still():
            if not self._current.is_dir() and self._newest() is not None and self._previous.is_dir():
                return self._previous
            return self._current if self._current.is_dir() else None

    def pending(self) -> Path | None:
        """Return the folder of the version to come, or None if there is none."""
        with self._still():
            return self._newest()

    def unknown(self) -> bool:
        """Tell whether nothing was ever kept here."""
        return not self._current.exists() and not (self._kept.exists() and os.listdir(self._kept))  # noqa: PTH208

    def only_first(self) -> bool:
        """Tell whether there is nothing but a first version to come."""
        return not self._current.exists() and self._kept.is_dir() and os.listdir(self._kept) == ["pending.1"]  # noqa: PTH208

    def stage(self, pieces: Mapping[str, str]) -> None:
        """Write a version to come, in place of one that was there.

        Raises:
            SecretError: it cannot be written.
        """
        with self._alone():
            earlier = self._all_pending()
            if not earlier and not self._current.is_dir() and self._previous.is_dir():
                self._discard(self._previous)
            written = self._write(pieces)
            _sync_all([*(written / name for name in pieces), written])
            number = int(earlier[-1].suffix[1:]) + 1 if earlier else 1
            written.rename(self._kept / f"pending.{number}")
            _sync(self._kept)
            for folder in earlier:
                self._discard(folder)

    def _write(self, pieces: Mapping[str, str]) -> Path:
        """Write a version beside the others, which is not on disk yet."""
        written = self._kept / f"writing.{uuid.uuid4().hex}"
        written.mkdir(mode=0o700)
        _give_to_owner(written)
        for name in pieces:
            _write(written, name, pieces)
        return written

    def promote(self) -> bool:
        """Make the version to come the current one and keep the former; False if there is none to come."""
        with self._alone():
            coming = self._newest()
            if coming is None:
                return False
            if self._current.is_dir():
                if self._previous.is_dir():
                    self._discard(self._previous)
                self._current.rename(self._previous)
                _sync(self._kept)
            coming.rename(self._current)
            _sync(self._root)
            _sync(self._kept)
            for folder in self._all_pending():
                self._discard(folder)
            return True

    def remove(self) -> None:
        """Remove every version; none being there is no error."""
        with self._alone():
            self._discard(self._kept)
            if self._current.is_dir():
                self._discard(self._current)
            _sync(self._root)

    def _newest(self) -> Path | None:
        found = self._all_pending()
        return found[-1] if found else None

    def _all_pending(self) -> list[Path]:
        found = [path for path in self._kept.glob("pending.*") if path.suffix[1:].isdecimal()]
        return sorted(found, key=lambda path: int(path.suffix[1:]))

    @contextmanager
    def _still(self) -> Iterator[None]:
        """Read while no writer is between two renames."""
        try:
            descriptor = os.open(self._own / "lock", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:  # nothing was ever written here, or it is not ours to read
            yield
            return
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            yield
        finally:
            os.close(descriptor)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Be the only writer of this folder of secrets; what a killed one left is taken back or thrown away."""
        try:
            for folder in (self._root, self._own):
                _make_folder(folder)
            descriptor = os.open(self._own / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                _give_to_owner(self._own / "lock")
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                self._recover()
                yield
            finally:
                os.close(descriptor)
        except OSError as error:
            raise SecretError(
                f"cannot write secrets into {self._root}: {error.strerror}",
                hint="the folder must belong to the user that runs this",
            ) from error

    def _recover(self) -> None:
        for folder in (self._own / "discarded", self._kept.parent, self._kept):
            _make_folder(folder)
        if not self._current.is_dir() and self._previous.is_dir() and self._newest() is not None:
            self._previous.rename(self._current)
            _sync(self._root)
        for left in (*self._kept.glob("writing.*"), *(self._own / "discarded").iterdir()):
            _empty(left)

    def _discard(self, folder: Path) -> None:
        """Take a folder away by one rename, then empty it."""
        gone = self._own / "discarded" / uuid.uuid4().hex
        folder.rename(gone)
        _empty(gone)


def stage_all(root: Path, secrets: Mapping[str, Mapping[str, str]]) -> None:
    """Write first versions to come of secrets that have none, as `Versions.stage` does one, and much faster.

    Raises:
        SecretError: they cannot be written.
    """
    versions = {name: Versions(root, name) for name in sorted(secrets)}
    if not versions:
        return
    with next(iter(versions.values()))._alone():  # noqa: SLF001 - the lock is the folder's
        _make_folder(root / KEPT / "versions")
        written: dict[Path, Path] = {}
        for name, one in versions.items():
            kept = root / KEPT / "versions" / name
            kept.mkdir(mode=0o700, exist_ok=True)
            _give_to_owner(kept)
            written[one._write(secrets[name])] = kept  # noqa: SLF001 - the same module
        _sync_all([folder / piece for folder in written for piece in os.listdir(folder)])  # noqa: PTH208
        _sync_all([*written, root / KEPT / "versions"])
        for folder, kept in written.items():
            folder.rename(kept / "pending.1")
        _sync_all(list(written.values()))


def promote_all(root: Path, names: Iterable[str]) -> None:
    """Make first versions to come the current ones, as `Versions.promote` does one, and much faster.

    Raises:
        SecretError: they cannot be written.
    """
    kept = {name: root / KEPT / "versions" / name for name in sorted(names)}
    if not kept:
        return
    with Versions(root, next(iter(kept)))._alone():  # noqa: SLF001 - the lock is the folder's
        for name, folder in kept.items():
            (folder / "pending.1").rename(root / name)
        _sync_all([root, *kept.values()])


def _empty(folder: Path) -> None:
    """Remove a folder with what is in it; of a link only the link."""
    if folder.is_symlink():
        folder.unlink()
    else:
        shutil.rmtree(folder, ignore_errors=True)


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        return
    _give_to_owner(path)
    _sync(path.parent)


def _write(folder: Path, name: str, pieces: Mapping[str, str]) -> None:
    """Write one piece so that it is read back as it is, not yet to disk: one newline at its end is no part of it."""
    path = folder / name
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, 0o600)
        file.write(pieces[name].encode())
        if not pieces[name].endswith("\r"):
            file.write(b"\n")
    _give_to_owner(path)


def _give_to_owner(path: Path) -> None:
    """Make what root has made belong to the owner of the folder around it, who has to read it."""
    owner = path.parent.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        os.chown(path, owner.st_uid, owner.st_gid)


def _sync_all(paths: Sequence[Path]) -> None:
    """Bring files and folders to disk, in any order."""
    with ThreadPoolExecutor(min(_AT_ONCE, len(paths))) as pool:
        list(pool.map(_sync, paths))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
