"""The folder of the demonstration: made once, taken over by each further run, never anybody else's."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from datasurface.errors import ConfigurationError

__all__ = ["DEFAULT_FOLDER", "demo_folder"]

DEFAULT_FOLDER = Path("datasurface-demo")
_MODEL = Path(__file__).parent / "model"
_MARK = ".demo"
"""Says that a demonstration made the folder; locked while one runs."""


@contextmanager
def demo_folder(folder: Path) -> Iterator[list[Path]]:
    """Put the model into `folder`, hold the folder, and yield the files under which a user's changes were kept.

    Raises:
        ConfigurationError: something else lives in the folder, or another demonstration runs there.
    """
    try:
        _make(folder)
        with (folder / _MARK).open("w") as mark:
            _lock(mark.fileno(), folder)
            yield _copy_model(folder)
    except (FileExistsError, NotADirectoryError, PermissionError) as error:
        raise ConfigurationError(f"the demo cannot use {folder}: {error.strerror}", hint=_ELSEWHERE) from error


_ELSEWHERE = "--dir names another folder"


def _make(folder: Path) -> None:
    if folder.is_dir() and not (folder / _MARK).exists() and any(folder.iterdir()):
        raise ConfigurationError(f"{folder} is not empty, and no earlier demo made it", hint=_ELSEWHERE)
    folder.mkdir(parents=True, exist_ok=True)


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ConfigurationError(f"another demo is running in {folder}", hint=_ELSEWHERE) from None


def _copy_model(folder: Path) -> list[Path]:
    kept = []
    for original in sorted(_MODEL.glob("*.py")):
        text = original.read_bytes()
        copy = folder / original.name
        if copy.exists() and copy.read_bytes() == text:
            continue
        if copy.exists():
            kept.append(_free_name(copy))
            copy.rename(kept[-1])
        unfinished = copy.with_name(f".{copy.name}.new")
        unfinished.write_bytes(text)
        unfinished.replace(copy)
    return kept


def _free_name(path: Path) -> Path:
    number = 1
    while (candidate := path.with_name(f"{path.name}.{number}")).exists():
        number += 1
    return candidate
