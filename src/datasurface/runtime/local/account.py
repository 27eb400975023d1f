"""The operating system's user that a server runs as: the caller, or for root an unprivileged account of its own.

PostgreSQL refuses to run as root. Data that exist keep their owner; new data of root belong to the account
`datasurface`.
"""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
import time
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from datasurface.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["ACCOUNT_NAME", "Account", "account_of", "reachable"]

ACCOUNT_NAME = "datasurface"
_NOBODY_KNOWN = -1
_ATTEMPTS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Whom the server's processes run as; `borrowed` when that is not the caller."""

    uid: int
    gid: int
    borrowed: bool

    def run(
        self,
        command: Sequence[str | Path],
        *,
        environment: Mapping[str, str] | None = None,
        stderr: int | IO[bytes] = subprocess.STDOUT,
        timeout: float | None = None,
        detached: bool = False,
        descriptors: Sequence[int] = (),
    ) -> subprocess.CompletedProcess[str]:
        """Run `command` as this account in `/`, with nothing of the caller's environment that PostgreSQL would heed."""
        # `LC_ALL=C` keeps messages in English and `%a` in log names stable; PG* variables would redirect the tools.
        inherited = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
        return subprocess.run(  # noqa: S603 - the commands are the wheel's own programs
            [os.fspath(part) for part in command],
            user=self.uid if self.borrowed else None,
            group=self.gid if self.borrowed else None,
            extra_groups=[] if self.borrowed else None,
            env={**inherited, "LC_ALL": "C", **(environment or {})},
            cwd="/",
            umask=0o077,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
            start_new_session=detached,
            pass_fds=descriptors,
        )

    def give(self, path: Path) -> None:
        """Make this account the owner of `path`, which the caller has just made."""
        if self.borrowed:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)


def account_of(data: Path) -> Account:
    """Return whom the server of the folder `data` runs as, making the account `datasurface` if root needs it."""
    if os.geteuid() != 0:
        return Account(uid=os.geteuid(), gid=os.getegid(), borrowed=False)
    if data.is_dir() and (owner := data.stat()).st_uid != 0:
        return Account(uid=owner.st_uid, gid=owner.st_gid, borrowed=True)
    entry = _look_up() or _create()
    return Account(uid=entry.pw_uid, gid=entry.pw_gid, borrowed=True)


def reachable(path: Path, account: Account | None = None) -> bool:
    """Tell whether `account` (by default the one for root's servers) may enter every existing folder down to `path`."""
    if account is None:
        entry = _look_up()
        account = Account(
            uid=entry.pw_uid if entry else _NOBODY_KNOWN, gid=entry.pw_gid if entry else _NOBODY_KNOWN, borrowed=True
        )
    return all(_may_enter(folder.stat(), account) for folder in (path, *path.parents) if folder.is_dir())


def _may_enter(facts: os.stat_result, account: Account) -> bool:
    if facts.st_uid == account.uid:
        return bool(facts.st_mode & stat.S_IXUSR)
    if facts.st_gid == account.gid:
        return bool(facts.st_mode & stat.S_IXGRP)
    return bool(facts.st_mode & stat.S_IXOTH)


def _look_up() -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(ACCOUNT_NAME)
    except KeyError:
        return None


def _create() -> pwd.struct_passwd:
    """Make a system account that nobody can log in to. Another process may do the same at this moment."""
    program = shutil.which("useradd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    problem = "there is no useradd here"
    for _ in range(_ATTEMPTS if program else 0):
        problem = _useradd(str(program))
        if entry := _look_up():
            return entry
        time.sleep(0.2)
    raise StoreError(
        f"PostgreSQL does not run as root, and the account {ACCOUNT_NAME!r} cannot be made: {problem}",
        hint=f"create a system user {ACCOUNT_NAME!r}, or run as a normal user",
    )


def _useradd(program: str) -> str:
    options = ["--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
    shell = "/usr/sbin/nologin"
    done = subprocess.run(  # noqa: S603 - arguments are constants
        [program, *options, "--shell", shell, ACCOUNT_NAME], capture_output=True, text=True, check=False
    )
    return done.stderr.strip()
