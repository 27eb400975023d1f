"""The secret store `files`: `$DATASURFACE_SECRETS/<name>/{user,password,…}`.

For a model that an environment binds, `<environment>/<name>` in that folder goes before, and new secrets go there, so
that environments on one machine do not take each other's logins. What anybody else could read or replace is refused. A
secret is read from one folder that is opened once, so that its pieces belong together while a new version comes.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

from datasurface.errors import SecretError
from datasurface.model.infrastructure import Credential
from datasurface.model.secret_stores import FileSecrets, StoreChoice
from datasurface.secrets.base import Secret, Surroundings, assemble, pieces_of, required_pieces
from datasurface.secrets.file_versions import KEPT, Versions, promote_all, stage_all

__all__ = ["FOLDER_VARIABLE", "FileStore"]

FOLDER_VARIABLE = "DATASURFACE_SECRETS"
_READABLE_BY_OTHERS = 0o066
_WRITABLE_BY_OTHERS = 0o022
_BY_STRANGERS = 0o026
_LONGEST = 1024 * 1024
_TRIES = 100
_MOUNTED = "..data"
"""In a volume that Kubernetes mounts: the link to the folder with the files of one version."""


class FileStore:
    """Finds secrets in files, one a piece, and writes them. One newline at a file's end is not part of the secret."""

    keeps: float = 0

    def __init__(self, environ: Mapping[str, str], *, read_only: bool = False, environment: str | None = None) -> None:
        folder = environ.get(FOLDER_VARIABLE)
        self._root = Path(folder) if folder else None
        self._read_only = read_only
        self._shared: FileStore | None = None
        if self._root is not None and environment is not None:
            self._shared = FileStore(environ, read_only=True)
            self._root = self._root / environment

    @classmethod
    def opened(cls, choice: StoreChoice, surroundings: Surroundings) -> Self:
        """Return the store in the folder that the model names, or the variable."""
        if not isinstance(choice, FileSecrets):
            return cls(surroundings.environ, environment=surroundings.environment)
        folder = surroundings.folder / Path(choice.path).expanduser()
        environ = {FOLDER_VARIABLE: str(folder)}
        return cls(environ, read_only=choice.read_only, environment=surroundings.environment)

    @classmethod
    def at(cls, root: Path) -> Self:
        """Return the store in a given folder; writing makes the folder."""
        return cls({FOLDER_VARIABLE: str(root)})

    @property
    def accepts_new(self) -> bool:
        """Whether there is a folder that may be written into."""
        return self._root is not None and not self._read_only

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
        versions = _versions(self._root, credential)
        _refuse_unreachable(self._root / credential.name)
        found = self._read(credential, versions.current)
        return self._shared.lookup(credential) if found is None and self._shared is not None else found

    def places(self, credential: Credential) -> tuple[str, ...]:
        """Return the files that a secret of this kind needs."""
        root = self._root or Path(f"${FOLDER_VARIABLE}")
        own = tuple([str(root / credential.name / piece) for piece in required_pieces(credential.kind)])
        return own if self._shared is None else (*own, *self._shared.places(credential))

    def stage(self, credential: Credential, secret: Secret) -> None:
        """Keep a secret as the one to come, readable by this user alone.

        Raises:
            SecretError: the secret is incomplete or no text, no folder is set, or it cannot be written to.
        """
        self._writable(credential).stage(_pieces(credential, secret))

    def stage_all(self, secrets: Mapping[Credential, Secret]) -> None:
        """Keep many secrets as those to come.

        Raises:
            SecretError: as `stage`.
        """
        first: dict[str, Mapping[str, str]] = {}
        for credential, secret in secrets.items():
            if self._writable(credential).unknown():
                first[credential.name] = _pieces(credential, secret)
            else:
                self.stage(credential, secret)
        if self._root is not None:
            stage_all(self._root, first)

    def pending(self, credential: Credential) -> Secret | None:
        """Return the secret to come, or None.

        Raises:
            SecretError: as `lookup`.
        """
        if self._root is None:
            return None
        return self._read(credential, _versions(self._root, credential).pending)

    def promote(self, credential: Credential) -> None:
        """Make the secret to come the current one.

        Raises:
            SecretError: there is neither one to come nor a current one, or the folder cannot be written to.
        """
        versions = self._writable(credential)
        if not versions.promote() and versions.current() is None:
            raise SecretError(f"credential {credential.name!r} has no secret to come in {self._root}")

    def promote_all(self, credentials: Sequence[Credential]) -> None:
        """Make many secrets to come the current ones.

        Raises:
            SecretError: as `promote`.
        """
        first: list[str] = []
        for credential in credentials:
            if self._writable(credential).only_first():
                first.append(credential.name)
            else:
                self.promote(credential)
        if self._root is not None:
            promote_all(self._root, first)

    def remove(self, credential: Credential) -> None:
        """Remove the secret with all its versions.

        Raises:
            SecretError: the folder cannot be written to.
        """
        self._writable(credential).remove()

    def _read(self, credential: Credential, find: Callable[[], Path | None]) -> Secret | None:
        """Return what is in the folder found; what failed while another one took its place is read again."""
        for _ in range(_TRIES):
            folder = find()
            if folder is None:
                return None
            try:
                descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise SecretError(f"cannot look into {folder}: {error.strerror}") from error
            try:
                secret = self._secret(credential, folder, descriptor)
                if secret is not None or _is(find(), descriptor):
                    return secret
            except SecretError:
                if _is(find(), descriptor):
                    raise
            finally:
                os.close(descriptor)
        raise SecretError(f"the secret of credential {credential.name!r} in {self._root} is replaced all the time")

    def _secret(self, credential: Credential, folder: Path, descriptor: int) -> Secret | None:
        for root in self._roots():
            _refuse_shared_folder(root)
        _refuse_shared_folder(folder, descriptor)
        inside = f"{_MOUNTED}/" if (folder / _MOUNTED).is_dir() else ""
        return assemble(
            credential,
            lambda piece: _read(f"{inside}{piece}", folder / piece, descriptor),
            lambda piece: str(folder / piece),
        )

    def _writable(self, credential: Credential) -> Versions:
        if self._read_only:
            raise SecretError(f"the secret store in {self._root} is read only", hint="FileSecrets(read_only=False)")
        if self._root is None:
            raise SecretError(
                "the secret store files has no folder to write into", hint=f"set {FOLDER_VARIABLE} to one of your own"
            )
        for root in self._roots():
            if root.is_dir():
                _refuse_shared_folder(root)
        return _versions(self._root, credential)

    def _roots(self) -> list[Path]:
        """Return the folder of this store, and that around it which others could replace it in."""
        around = self._shared._root if self._shared is not None else None  # noqa: SLF001 - of this very class
        return [root for root in (around, self._root) if root is not None]


def _pieces(credential: Credential, secret: Secret) -> Mapping[str, str]:
    pieces = pieces_of(credential, secret)
    if any(not _is_text(value) for value in pieces.values()):
        raise SecretError(f"the new secret of credential {credential.name!r} is no text")
    return pieces


def _versions(root: Path, credential: Credential) -> Versions:
    name = credential.name
    if name in ("", ".", "..", KEPT) or "/" in name or "\\" in name or "\0" in name:
        raise SecretError(
            f"credential {name!r} cannot have a folder of its own in {root}",
            hint="choose a name without slashes, or keep its secret in another store",
        )
    return Versions(root, name)


def _is(folder: Path | None, descriptor: int) -> bool:
    """Tell whether a folder is still the one that was opened."""
    try:
        return folder is not None and os.path.samestat(folder.stat(), os.fstat(descriptor))
    except OSError:
        return False


def _is_text(value: str) -> bool:
    return value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)


def _refuse_unreachable(folder: Path) -> None:
    try:
        folder.stat()
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise SecretError(f"cannot look into {folder}: {error.strerror}") from error


def _refuse_shared_folder(folder: Path, opened: int | None = None) -> None:
    place = folder if opened is None else opened
    found = os.stat(place)  # noqa: PTH116 - of an open folder too
    if found.st_mode & _WRITABLE_BY_OTHERS and not _read_only(place):
        raise SecretError(f"others may write to the folder of secrets {folder}", hint=f"chmod 700 {folder}")
    _refuse_stranger(folder, found)


def _read_only(path: Path | int) -> bool:
    """Tell whether nobody can write there: Kubernetes mounts volumes of secrets so, with a mode that says otherwise."""
    return bool(os.statvfs(path).f_flag & os.ST_RDONLY)


def _refuse_stranger(path: Path, found: os.stat_result) -> None:
    """Refuse what belongs to another user, who could replace it; root may read everybody's."""
    me = os.geteuid()
    if found.st_uid not in (0, me) and me != 0:
        raise SecretError(f"{path} belongs to another user", hint=f"make it yours: chown {me} {path}")


def _read(name: str, path: Path, folder: int) -> str | None:
    """Return the text of a file that only its owner can read, or None if there is no such file.

    Args:
        name: The file's path in the folder.
        path: What messages call it.
        folder: The open folder.
    """
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SecretError(f"cannot read {path}: {error.strerror}") from error
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise SecretError(f"{path} is no file")
        if found.st_mode & _forbidden(found, path):
            raise SecretError(f"others may read or write {path}", hint=f"chmod 600 {path}")
        _refuse_stranger(path, found)
        text = _text(file.read(_LONGEST + 1))
    if text is None:
        raise SecretError(f"{path} is no text of at most 1 MiB in UTF-8")
    return text


def _forbidden(found: os.stat_result, path: Path) -> int:
    """Return the rights that nobody else may have: in a mounted volume root gives the pod's own group the file."""
    own = found.st_uid == 0 and found.st_gid in (os.getegid(), *os.getgroups())
    return _BY_STRANGERS if own and path.parent.joinpath(_MOUNTED).is_dir() else _READABLE_BY_OTHERS


def _text(content: bytes) -> str | None:
    """Return the text without the newline at its end, or None; a decoding error would carry the secret along."""
    if len(content) > _LONGEST:
        return None
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None
    return text.removesuffix("\n").removesuffix("\r") if text.endswith("\n") else text
