"""What `postmaster.pid` says, and whether it is true: its process may be gone, or its number be another's by now."""

from __future__ import annotations

import itertools
import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from datasurface.errors import MissingExtraError

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["Postmaster", "alive", "disown", "find", "kill_orphans", "moved_away"]

_LINES = 8  # pid, data folder, start time, port, socket folder, address, shared memory, state


@dataclass(frozen=True, slots=True, kw_only=True)
class Postmaster:
    """A running server: its main process, and where it listens once it is ready."""

    pid: int
    port: int
    socket_folder: Path
    state: str

    @property
    def ready(self) -> bool:
        """Tell whether it accepts connections."""
        return self.state == "ready"


def find(data: Path) -> Postmaster | None:
    """Return the server that runs on the folder `data`, starting or stopping ones included; None when there is none."""
    try:
        lines = (data / "postmaster.pid").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not lines or not lines[0].strip().isdigit() or not _serves(int(lines[0]), data):
        return None
    lines += [""] * (_LINES - len(lines))
    port, socket_folder, state = lines[3].strip(), lines[4], lines[7].strip()
    complete = port.isdigit() and state
    return Postmaster(
        pid=int(lines[0]),
        port=int(port) if port.isdigit() else 0,
        socket_folder=Path(socket_folder),
        state=state if complete else "starting",
    )


def alive(pid: int) -> bool:
    """Tell whether a process runs; one that only waits for its parent to notice its end does not."""
    psutil = _psutil()
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def disown(data: Path) -> None:
    """Make PostgreSQL take over a pid file whose process is gone, also where its number is another process's by now.

    PostgreSQL holds a pid that is its own grandparent's for stale. So we put ours there, and PostgreSQL still looks
    whether processes of the dead server hold its shared memory, which it would not if the file were removed. An empty
    file, from a crash in the middle of its writing, says nothing and is removed.
    """
    path = data / "postmaster.pid"
    with suppress(FileNotFoundError):
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
        with os.fdopen(descriptor, "r+b") as file:
            rest = file.read().splitlines(keepends=True)[1:]
            if not rest:
                path.unlink()
                return
            file.seek(0)
            file.write(b"".join([f"{os.getpid()}\n".encode(), *rest]))
            file.truncate()


def kill_orphans(cluster_name: str) -> None:
    """Kill what a killed server left behind: busy in a long statement, it misses the end and blocks the next server."""
    psutil = _psutil()
    title = f"postgres: {cluster_name}: "
    for process in psutil.process_iter(["cmdline"]):
        if " ".join(process.info["cmdline"] or []).startswith(title):
            with suppress(ProcessLookupError, PermissionError):
                os.kill(process.pid, signal.SIGKILL)


def moved_away(data: Path) -> int | None:
    """Return the process of the pid file if it is some PostgreSQL whose own folder is no more; None otherwise.

    It may serve `data` since before they were moved here, and nobody may look at its current folder to be sure.
    """
    with suppress(OSError, ValueError, IndexError):
        pid = int((data / "postmaster.pid").read_text(encoding="ascii", errors="replace").splitlines()[0])
        given = _given_folder(pid)
        return pid if given is not None and not given.exists() else None
    return None


def _serves(pid: int, data: Path) -> bool:
    """Tell whether a process is the PostgreSQL of `data`, also where they were moved while it runs."""
    given = _given_folder(pid)
    if given is None:
        return False
    psutil = _psutil()
    try:
        return Path(psutil.Process(pid).cwd()).samefile(data)
    except (psutil.Error, OSError):  # root in a container may not look into other users' current folders
        return given == data


def _given_folder(pid: int) -> Path | None:
    """Return the data folder that a PostgreSQL was started with; None when the process is none."""
    psutil = _psutil()
    try:
        arguments = psutil.Process(pid).cmdline()
    except (psutil.Error, ValueError, OverflowError):
        return None
    if not arguments or Path(arguments[0]).name != "postgres":
        return None
    return next((Path(value) for name, value in itertools.pairwise(arguments) if name == "-D"), None)


def _psutil() -> ModuleType:
    try:
        import psutil  # noqa: PLC0415 - comes with the extra
    except ImportError:
        raise MissingExtraError("the embedded database", "local") from None
    return psutil
