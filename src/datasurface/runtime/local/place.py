"""Where a server lives on disk, and which of its files belong to whom.

The folder and its password belong to whoever made the folder; data and logs belong to the account the server runs as.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import pwd
import re
import secrets
import stat
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from datasurface.errors import SecretError, StoreError, TransientError
from datasurface.runtime.local.account import reachable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from datasurface.runtime.local.account import Account

__all__ = [
    "SYSTEM_FOLDER",
    "Place",
    "folder_for",
    "give_to_owner",
    "open_private",
    "told_as_store_error",
    "write_whole",
]

SYSTEM_FOLDER = Path("/var/lib/datasurface")
_MODEL_SUBFOLDER = ".datasurface"
_PRIVATE = 0o700
_PASSABLE = 0o711


def folder_for(model_folder: Path, container: str, environ: Mapping[str, str]) -> Path:
    """Return the folder of a container's server; makes nothing.

    `$DATASURFACE_HOME/<container>`, else `.datasurface/<container>` in the model folder. For root, if the server's own
    account cannot get there or the folder cannot be written, a folder under `/var/lib/datasurface` named after the
    model folder. Where data exist already, they stay.
    """
    if home := environ.get("DATASURFACE_HOME"):
        return Path(home).absolute() / container
    model = model_folder.resolve()
    beside = model / _MODEL_SUBFOLDER / container
    if os.geteuid() != 0 or (beside / "data").exists():
        return beside
    apart = SYSTEM_FOLDER / f"{re.sub(r'[^A-Za-z0-9._-]', '_', model.name)}-{_digest(model)}" / container
    if (apart / "data").exists() or not (reachable(model) and os.access(model, os.W_OK)):
        return apart
    return beside


def _digest(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Place:
    """A server's folder and the names in it."""

    folder: Path

    @classmethod
    def at(cls, folder: Path) -> Place:
        """Return the place of `folder`, by its real path: the same server by whatever path it is called."""
        return cls(folder.resolve())

    @property
    def data(self) -> Path:
        """PostgreSQL's data; exists only when complete."""
        return self.folder / "data"

    @property
    def logs(self) -> Path:
        """The server's logs, one for each day of the week."""
        return self.folder / "log"

    @property
    def start_log(self) -> Path:
        """What the server says before its own log is open."""
        return self.folder / "start.log"

    @property
    def settings(self) -> Path:
        """The settings of the last start."""
        return self.folder / "datasurface.conf"

    @property
    def facts(self) -> Path:
        """Version and port of the last start, as JSON."""
        return self.folder / "server.json"

    @property
    def cluster_name(self) -> str:
        """The name in the titles of the server's processes, unique on this machine."""
        return f"datasurface {_digest(self.folder)}"

    @property
    def first_port(self) -> int:
        """The port to try first: the same at each start, below the ports that clients are given."""
        return 15432 + int(_digest(self.folder), 16) % 10000

    def prepare(self, account: Account) -> None:
        """Make the folder and what git must know of it.

        Raises:
            StoreError: The server's account cannot enter the folder.
        """
        for folder in reversed([self.folder, *self.folder.parents]):
            if not folder.exists():
                folder.mkdir(exist_ok=True)
                folder.chmod(_PASSABLE if account.borrowed else _PRIVATE)
        if account.borrowed and not reachable(self.folder, account):
            raise StoreError(
                f"the embedded database cannot live in {self.folder}: the server does not run as root, and its account"
                " cannot enter that folder",
                hint="set DATASURFACE_HOME to a folder that every user can enter, or run as a normal user",
            )
        ignored = self.folder.parent / ".gitignore"
        if self.folder.parent.name == _MODEL_SUBFOLDER and not ignored.exists():
            write_whole(ignored, "*\n", mode=0o644)
        if not self.logs.exists():
            self.logs.mkdir(mode=_PRIVATE, exist_ok=True)
            account.give(self.logs)

    @contextmanager
    def locked(self, deadline: float) -> Iterator[None]:
        """Hold this folder against other processes that start or stop its server; given up at `deadline`."""
        with _opened(self.folder / "lock") as descriptor:
            while not _try_lock(descriptor):
                if time.monotonic() > deadline:
                    raise TransientError(f"another process is starting or stopping the server in {self.folder}")
                time.sleep(0.02)
            yield

    @contextmanager
    def claimed(self) -> Iterator[int | None]:
        """Yield a locked file for the server to inherit, or None while any process of an earlier one holds it.

        Unlike process numbers and shared memory this also holds between containers that share the folder.
        """
        with _opened(self.folder / "in-use") as descriptor:
            yield descriptor if _try_lock(descriptor) else None

    def password(self) -> str:
        """Return the superuser's password.

        Raises:
            SecretError: There is none, or others can read it.
        """
        path = self.folder / "password"
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        except FileNotFoundError:
            raise SecretError(f"{path} is missing, so nobody can connect", hint="restore it from a backup") from None
        with os.fdopen(descriptor, encoding="utf-8") as file:
            facts = os.fstat(descriptor)
            if stat.S_IMODE(facts.st_mode) & 0o077:
                raise SecretError(f"{path} can be read by others", hint=f"chmod 600 {path}")
            if os.geteuid() not in {0, facts.st_uid}:
                raise SecretError(f"{path} belongs to another user")
            return file.read().strip()

    def new_password(self) -> str:
        """Return the password for new data: that of an unfinished attempt, else a random one, kept first."""
        path = self.folder / "password"
        if not path.exists():
            write_whole(path, secrets.token_urlsafe(32) + "\n", mode=0o600)
        return self.password()

    def socket_folder(self, account: Account) -> Path:
        """Return a private folder with a path short enough for a socket (107 bytes), empty of dead servers' sockets."""
        folder = Path("/tmp") / f"datasurface-{account.uid}-{_digest(self.folder)}"  # noqa: S108 - checked below
        try:
            folder.mkdir(mode=_PRIVATE)
            account.give(folder)
        except FileExistsError:
            facts = folder.lstat()
            if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != account.uid or facts.st_mode & 0o077:
                folder = Path(tempfile.mkdtemp(prefix="datasurface-", dir="/tmp"))
                account.give(folder)
        for left_over in folder.glob(".s.PGSQL.*"):
            left_over.unlink(missing_ok=True)
        return folder


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = open_private(path, os.O_RDWR)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def open_private(path: Path, flags: int) -> int:
    """Open a file, made where missing for the owner of its folder alone; root must not lock that one out."""
    while True:
        with suppress(FileNotFoundError):
            return os.open(path, flags | os.O_NOFOLLOW)
        with suppress(FileExistsError):  # another process was first
            descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)
            give_to_owner(descriptor, path.parent)
            return descriptor


def give_to_owner(made: int | Path, folder: Path) -> None:
    """Make the owner of `folder` that of what the caller has just made in it: a path, or an open file's descriptor."""
    owner = folder.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        os.chown(made, owner.st_uid, owner.st_gid)


def write_whole(path: Path, text: str, *, mode: int) -> None:
    """Write a file so that a crash leaves the old or the new one, never half of it."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(descriptor, mode)
        give_to_owner(descriptor, path.parent)
        file.write(text)
        file.flush()
        os.fsync(descriptor)
    temporary.replace(path)


@contextmanager
def told_as_store_error(folder: Path) -> Iterator[None]:
    """Turn what the operating system refuses into an error that names the folder, its owner and what to do."""
    try:
        yield
    except PermissionError as error:
        raise _refused(folder, error) from error
    except OSError as error:
        hint = "DATASURFACE_HOME names another folder"
        raise StoreError(f"the embedded database in {folder}: {error}", hint=hint) from error


def _refused(folder: Path, error: PermissionError) -> StoreError:
    place, owner = next((path, uid) for path in (folder, *folder.parents) if (uid := _owner(path)) is not None)
    elsewhere = "set DATASURFACE_HOME to a folder of your own"
    if owner == os.geteuid():
        return StoreError(f"the embedded database in {folder}: {error}", hint=elsewhere)
    try:
        name = pwd.getpwuid(owner).pw_name
    except KeyError:
        name = f"uid {owner}"
    return StoreError(
        f"the embedded database in {folder} is closed to you: {place} belongs to another user, {name}",
        hint=f"run as {name}, or {elsewhere}",
    )


def _owner(path: Path) -> int | None:
    try:
        return path.stat().st_uid
    except OSError:
        return None
