"""The secret store `files`: `$DATASURFACE_SECRETS/<name>/{user,password,…}`.

What anybody else could read or replace is refused.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from datasurface.errors import SecretError
from datasurface.model.infrastructure import Credential
from datasurface.secrets.base import Secret, assemble, required_pieces

__all__ = ["FOLDER_VARIABLE", "FileStore"]

FOLDER_VARIABLE = "DATASURFACE_SECRETS"
_READABLE_BY_OTHERS = 0o066
_WRITABLE_BY_OTHERS = 0o022
_LONGEST = 1024 * 1024


class FileStore:
    """Finds secrets in files, one a piece. One newline at a file's end is not part of the secret."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        folder = environ.get(FOLDER_VARIABLE)
        self._root = Path(folder) if folder else None

    def __repr__(self) -> str:
        return f"FileStore({self._root})"

    def lookup(self, credential: Credential) -> Secret | None:
        """Return the secret, or None if no folder is set or it has no file of this secret.

        Raises:
            SecretError: a file is missing, is no text, or could be read or replaced by somebody else; or the
                credential's name is no file name.
        """
        if self._root is None:
            return None
        folder = self._folder(self._root, credential)
        if not _is_folder(folder):
            return None
        for place in (self._root, folder):
            _refuse_shared_folder(place)
        return assemble(credential, lambda piece: _read(folder / piece), lambda piece: str(folder / piece))

    def places(self, credential: Credential) -> tuple[str, ...]:
        """Return the files that a secret of this kind needs."""
        root = self._root or Path(f"${FOLDER_VARIABLE}")
        return tuple([str(root / credential.name / piece) for piece in required_pieces(credential.kind)])

    @staticmethod
    def _folder(root: Path, credential: Credential) -> Path:
        name = credential.name
        if name in ("", ".", "..") or "/" in name or "\\" in name or "\0" in name:
            raise SecretError(
                f"credential {name!r} cannot have a folder of its own in {root}",
                hint="choose a name without slashes, or keep its secret in another store",
            )
        return root / name


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError as error:
        raise SecretError(f"cannot look into {path}: {error.strerror}") from error


def _refuse_shared_folder(folder: Path) -> None:
    found = folder.stat()
    if found.st_mode & _WRITABLE_BY_OTHERS:
        raise SecretError(f"others may write to the folder of secrets {folder}", hint=f"chmod 700 {folder}")
    _refuse_stranger(folder, found)


def _refuse_stranger(path: Path, found: os.stat_result) -> None:
    """Refuse what belongs to another user, who could replace it; root may read everybody's."""
    me = os.geteuid()
    if found.st_uid not in (0, me) and me != 0:
        raise SecretError(f"{path} belongs to another user", hint=f"make it yours: chown {me} {path}")


def _read(path: Path) -> str | None:
    """Return the text of a file that only its owner can read, or None if there is no such file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SecretError(f"cannot read {path}: {error.strerror}") from error
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise SecretError(f"{path} is no file")
        if found.st_mode & _READABLE_BY_OTHERS:
            raise SecretError(f"others may read or write {path}", hint=f"chmod 600 {path}")
        _refuse_stranger(path, found)
        content = file.read(_LONGEST + 1)
    text = _text(content)
    if text is None:
        raise SecretError(f"{path} is no text of at most 1 MiB in UTF-8")
    return text


def _text(content: bytes) -> str | None:
    """Return the text without the newline at its end, or None; a decoding error would carry the secret along."""
    if len(content) > _LONGEST:
        return None
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None
    return text.removesuffix("\n").removesuffix("\r") if text.endswith("\n") else text
