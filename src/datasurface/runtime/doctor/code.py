"""Whom transformers' code runs as, and whether that user can reach what it needs."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import datasurface
from datasurface.errors import DataSurfaceError
from datasurface.model.transformer import DbtProject, PythonRepository, SystemCode
from datasurface.release.job import PlatformSpec
from datasurface.runtime.doctor.check import Check, failed, passed, warned
from datasurface.transform.account import account_for, has_ids_to_lend, require_reachable

__all__ = ["code"]


def code(spec: PlatformSpec, folder: Path) -> Iterator[Check]:
    """Yield whom the code of a platform's transformers runs as; nothing if all of it is DataSurface's own."""
    subject = f"platform {spec.name}: code"
    found = [job.transformer for job in spec.jobs if job.transformer is not None]
    for user in sorted({t.user for t in found if not isinstance(t.code, SystemCode)}, key=str):
        yield _trusted(subject) if user is None else _as_user(subject, user, folder)
    if any(isinstance(t.code, PythonRepository | DbtProject) and t.code.release is not None for t in found):
        yield _git(subject)


def _git(subject: str) -> Check:
    if shutil.which("git") is None:
        return failed(subject, "some is in git repositories, and git is not installed", "install git")
    return passed(subject, "git is there to fetch it")


def _trusted(subject: str) -> Check:
    return warned(
        subject,
        "runs as the platform's own user: it is trusted not to read this user's files and processes",
        "run the platform as root with YellowPlatform(code_user=…), or the code in containers",
    )


def _as_user(subject: str, user: str, folder: Path) -> Check:
    try:
        account = account_for(user)
        if account is None:
            return _trusted(subject)
        require_reachable(account, [Path(sys.executable), Path(datasurface.__file__).parent, folder])
    except DataSurfaceError as error:
        return failed(subject, error)
    if has_ids_to_lend(user):
        return passed(subject, f"runs as {user!r}, each run under an id of its own")
    return warned(
        subject,
        f"runs as {user!r}: runs at the same time could end each other and find each other's files",
        f"give it subordinate ids, of which each run gets another: usermod --add-subuids 200000-265535 {user}",
    )
