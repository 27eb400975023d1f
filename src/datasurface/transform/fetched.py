"""Folders that are made once and kept: fetched code, and environments with what it needs.

A folder is whole or not there: it counts from the moment its mark exists, which is written last. Processes that want
the same one wait for each other, and what a killed process left is removed by the next. The number of folders is
bounded: those that were used longest ago go.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["KEPT", "fetched"]

KEPT = 20
"""How many folders of one kind are kept."""

_MARK = ".complete"
_IN_USE = 86_400.0
"""Seconds since its last use for which a folder stays in any case: a run may still be in it."""


def fetched(cache: Path, kind: str, key: str, make: Callable[[Path], None]) -> Path:
    """Return the folder of `key`, made by `make` if it is not there.

    Args:
        cache: The private folder that lasts.
        kind: What it holds, such as `environments`.
        key: A digest of everything that it depends on.
        make: Fills an empty folder; the path is final, so that it may be written into files.
    """
    home = cache / kind
    home.mkdir(parents=True, exist_ok=True)
    folder = home / key
    with _locked(home / f"{key}.lock"):
        if not (folder / _MARK).exists():
            _make(folder, make)
        os.utime(folder / _MARK)
    _forget_old(home)
    return folder


def _make(folder: Path, make: Callable[[Path], None]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        make(folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    (folder / _MARK).touch()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock that ends with this process, however it ends."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _forget_old(home: Path) -> None:
    """Remove the folders that were used longest ago, if there are too many."""
    marks = sorted(home.glob(f"*/{_MARK}"), key=_last_used, reverse=True)
    before = time.time() - _IN_USE
    for mark in marks[KEPT:]:
        if _last_used(mark) < before:
            with suppress(OSError), _locked(home / f"{mark.parent.name}.lock"):
                if _last_used(mark) < before:
                    mark.unlink()
                    shutil.rmtree(mark.parent, ignore_errors=True)


def _last_used(mark: Path) -> float:
    try:
        return mark.stat().st_mtime
    except OSError:
        return 0.0
