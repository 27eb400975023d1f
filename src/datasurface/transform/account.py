"""The system user that a transformer's code runs as, and whether that user can reach what the code needs.

A user with subordinate ids in `/etc/subuid` lends another one to each run, so that runs at the same time cannot see
each other either.
"""

from __future__ import annotations

import os
import pwd
import secrets
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from datasurface.errors import ConfigurationError

__all__ = ["Account", "account_for", "has_ids_to_lend", "require_reachable", "subordinate_ids"]

_SUBORDINATE = Path("/etc/subuid")
_PROBE = 'for p; do if [ -d "$p" ]; then [ -x "$p" ]; else [ -r "$p" ]; fi || { printf %s "$p"; exit 1; }; done'


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Whom code runs as.

    Attributes:
        name: The user's name.
        uid: The user's id, or one of its subordinate ids.
        gid: The user's group.
    """

    name: str
    uid: int
    gid: int


def account_for(user: str | None) -> Account | None:
    """Return whom a run is to run as; None for the platform's own user.

    Raises:
        ConfigurationError: there is no such user, or only root may run as another.
    """
    if user is None:
        return None
    try:
        found = pwd.getpwnam(user)
    except KeyError:
        raise ConfigurationError(
            f"code is to run as the system user {user!r}, who does not exist",
            hint=f"useradd --system --no-create-home --shell /usr/sbin/nologin {user}",
        ) from None
    if found.pw_uid == os.geteuid():
        return None
    if os.geteuid() != 0:
        raise ConfigurationError(
            f"code is to run as the system user {user!r}, which only root can do",
            hint="run the platform as root, or leave code_user= away: then local code is trusted",
        )
    if found.pw_uid == 0:
        raise ConfigurationError(f"code is to run as {user!r}, who may do everything", hint="name another code_user=")
    ids = subordinate_ids(user, _SUBORDINATE)
    return Account(name=user, uid=secrets.choice(ids) if ids else found.pw_uid, gid=found.pw_gid)


def has_ids_to_lend(user: str) -> bool:
    """Tell whether each run of a user's gets an id of its own."""
    return bool(subordinate_ids(user, _SUBORDINATE))


def subordinate_ids(user: str, file: Path) -> range:
    """Return the first range of ids that a file such as `/etc/subuid` gives to a user; empty if there is none."""
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return range(0)
    for line in lines:
        name, _, numbers = line.partition(":")
        first, _, count = numbers.partition(":")
        if name == user and first.isdigit() and count.isdigit():
            return range(int(first), int(first) + int(count))
    return range(0)


def require_reachable(account: Account, paths: Sequence[Path]) -> None:
    """Make sure that an account can read these files and enter these folders.

    Raises:
        ConfigurationError: it cannot; the message names the folder that is closed.
    """
    asked = list(dict.fromkeys(str(step) for path in paths for step in _steps(path)))
    probe = subprocess.run(  # noqa: S603 - the program is constant, the paths are arguments
        ["/bin/sh", "-c", _PROBE, "sh", *asked],
        user=account.uid,
        group=account.gid,
        extra_groups=[],
        env={},
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=False,
    )
    if probe.returncode != 0:
        closed = Path(probe.stdout)
        wanted = next((p for p in paths if closed in {p, *p.parents, p.resolve(), *p.resolve().parents}), closed)
        raise ConfigurationError(
            f"code runs as the system user {account.name!r}, who cannot read {wanted}: {closed} is closed to it",
            hint=f"have it where every user can read it, such as /srv or /opt, or open {closed} to that user",
        )


def _steps(path: Path) -> Iterator[Path]:
    """Yield what has to be entered on the way to a path, from the root down, and what a link leads to."""
    absolute = path.absolute()
    yield from (*reversed(absolute.parents), absolute)
    if (real := path.resolve()) != absolute:
        yield from (*reversed(real.parents), real)
