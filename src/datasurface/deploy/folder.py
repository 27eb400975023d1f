"""The folder that a target's files are written to: only what differs is touched, and nothing that is not its own.

Which files are its own stands in `.datasurface-files`, with the digests that each may have: one, or while it is being
written its former one too. So a file that somebody has changed by hand, or that was there before, is never overwritten.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from datasurface.deploy.base import GeneratedFile
from datasurface.errors import ConfigurationError

__all__ = ["Difference", "compare", "write"]

_RECORD = ".datasurface-files"
_LISTED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What writing does to a folder: paths, sorted.

    Attributes:
        made: Files that are not there.
        changed: Files whose content differs.
        removed: Files written before that are no longer generated.
        foreign: Files that are in the way, because somebody else made or changed them.
    """

    made: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether the folder is as generated."""
        return not (self.made or self.changed or self.removed or self.foreign)

    def to_json(self) -> dict[str, object]:
        """Return what `--json` prints."""
        return {
            "made": list(self.made),
            "changed": list(self.changed),
            "removed": list(self.removed),
            "foreign": list(self.foreign),
        }


def compare(folder: Path, files: Iterable[GeneratedFile]) -> Difference:
    """Tell what writing `files` would do to the folder; changes nothing.

    Raises:
        ConfigurationError: the folder's record of its files cannot be read.
    """
    wanted = {_safe(file.path): _bytes(file) for file in files}
    record = _read_record(folder)
    made: list[str] = []
    changed: list[str] = []
    foreign: list[str] = []
    for path, content in sorted(wanted.items()):
        actual = _content(folder / path)
        if actual is None:
            made.append(path)
        elif actual != content:
            (changed if _digest(actual) in record.get(path, ()) else foreign).append(path)
    gone = {path: actual for path in record.keys() - wanted.keys() if (actual := _content(folder / path)) is not None}
    own = {path for path, actual in gone.items() if _digest(actual) in record[path]}
    return Difference(
        made=tuple(made),
        changed=tuple(changed),
        removed=tuple(sorted(own)),
        foreign=tuple(sorted([*foreign, *(gone.keys() - own)])),
    )


def write(folder: Path, files: Iterable[GeneratedFile], *, force: bool = False) -> Difference:
    """Make the folder as generated, each file at once; return what was done.

    Args:
        folder: Made if it is not there.
        files: What it is to hold.
        force: Whether files that somebody else made or changed are overwritten too.

    Raises:
        ConfigurationError: such files are in the way, and nothing was written; or a file cannot be written.
    """
    files = tuple(files)
    found = compare(folder, files)
    if found.foreign and not force:
        more = f" and {len(found.foreign) - _LISTED} more" if len(found.foreign) > _LISTED else ""
        raise ConfigurationError(
            f"{folder} holds files that were not made here, or were changed since: "
            f"{', '.join(found.foreign[:_LISTED])}{more}; nothing was written",
            hint="choose another folder, or say --force to overwrite them",
        )
    wanted = {_safe(file.path): _bytes(file) for file in files}
    known = _read_record(folder)
    digests = {path: [_digest(content)] for path, content in wanted.items()}
    both = {path: [*known.get(path, ()), *digests.get(path, ())] for path in known.keys() | digests.keys()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Recorded before they are written: a run that is killed in between knows its own files the next time.
        _replace(folder / _RECORD, _record(both))
        for path in (*found.made, *found.changed, *(path for path in found.foreign if path in wanted)):
            _replace(folder / path, wanted[path])
        for path in (*found.removed, *(path for path in found.foreign if path not in wanted)):
            _remove(folder, path)
        _replace(folder / _RECORD, _record(digests))
    except OSError as error:
        raise ConfigurationError(f"{folder} cannot be written: {error.strerror or error}") from error
    return found


def _safe(path: str) -> str:
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts or str(parts) in {".", _RECORD}:
        raise ConfigurationError(f"a target may not write {path!r}")
    return str(parts)


def _bytes(file: GeneratedFile) -> bytes:
    return file.content.encode()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror or error}") from error


def _read_record(folder: Path) -> dict[str, list[str]]:
    content = _content(folder / _RECORD)
    if content is None:
        return {}
    try:
        record: dict[str, list[str]] = json.loads(content)
        return {_safe(path): [str(digest) for digest in digests] for path, digests in record.items()}
    except (ValueError, AttributeError, TypeError) as error:
        raise ConfigurationError(
            f"{folder / _RECORD} is damaged", hint="delete it, and the files beside it that were generated"
        ) from error


def _record(digests: Mapping[str, Sequence[str]]) -> bytes:
    return (json.dumps(digests, indent=1, sort_keys=True) + "\n").encode()


def _replace(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    except OSError:
        with suppress(OSError):
            part.unlink()
        raise


def _remove(folder: Path, path: str) -> None:
    (folder / path).unlink(missing_ok=True)
    for parent in PurePosixPath(path).parents:
        if str(parent) == ".":
            return
        with suppress(OSError):
            (folder / parent).rmdir()
