"""The process between the platform and a transformer's code: starts it bounded, ends it with all that it started.

It runs alone, from the standard library only, as `python -I -S warden.py ORDER`, so that it starts in a moment. The
platform holds the other end of a pipe: when that closes, even because the platform was killed, everything ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

_LINUX = sys.platform == "linux"
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_GLANCE = 0.2
_ENDING = 5.0
_PROCESSES = 1024


def main() -> int:
    """Carry out the order in the first argument, and report how it ended on its descriptor `verdict`."""
    order: dict[str, Any] = json.loads(sys.argv[1])
    awake = _wake_at_children()
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    refused_end, refused = os.pipe()
    own = os.getpid()
    pid = os.fork()
    if pid == 0:
        _become(order, own, refused)
    os.close(refused)
    os.close(order["result"])
    for stream in (0, 1, 2):
        os.dup2(os.open(os.devnull, os.O_RDWR), stream)
    problem = _read_all(refused_end)
    verdict = _Watch(pid, order, awake).until_it_ends()
    if problem:
        verdict["refused"] = problem
    if select.select([order["control"]], [], [], 0)[0]:
        _remove(order["folder"])
    with contextlib.suppress(OSError):
        os.write(order["verdict"], json.dumps(verdict).encode())
    return 0


def _become(order: Mapping[str, Any], parent: int, refused: int) -> None:
    """Turn this new process into the code's; a failure is told on `refused`."""
    try:
        os.setsid()
        _limit(order)
        if order["uid"] is not None:
            os.setgroups([])
            os.setgid(order["gid"])
            os.setuid(order["uid"])
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
        os.umask(0o077)
        os.chdir(order["folder"])
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        _keep_only({0, 1, 2, order["result"], refused})
        os.execve(order["command"][0], order["command"], order["environment"])  # noqa: S606 - no shell on purpose
    except BaseException as error:  # noqa: BLE001 - a new process must not go on as its parent
        os.write(refused, str(error).encode())
    os._exit(1)


def _limit(order: Mapping[str, Any]) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if order["memory"] is not None:
        resource.setrlimit(resource.RLIMIT_DATA, (order["memory"], order["memory"]))
    if order["uid"] is not None:
        resource.setrlimit(resource.RLIMIT_NPROC, (_PROCESSES, _PROCESSES))


def _keep_only(kept: set[int]) -> None:
    """Close every descriptor but these."""
    lowest = 0
    for descriptor in sorted(kept):
        if lowest < descriptor:  # an empty range would be taken for all
            os.closerange(lowest, descriptor)
        lowest = descriptor + 1
    os.closerange(lowest, 65536)


class _Watch:
    """A process that is watched to its end."""

    def __init__(self, pid: int, order: Mapping[str, Any], awake: int) -> None:
        self._pid = pid
        self._control: int = order["control"]
        self._memory: int | None = order["memory"]
        self._awake = awake
        self._status: int | None = None
        self._over = False

    def until_it_ends(self) -> dict[str, Any]:
        """Wait for it, or for the platform to end it; then end what it left, and return how it was."""
        while self._status is None:
            ready, _, _ = select.select([self._control, self._awake], [], [], _GLANCE)
            if self._awake in ready:
                os.read(self._awake, 4096)
            self._reap()
            self._over = self._over or self._uses_too_much()
            if self._control in ready or self._over:
                break
        left = self._end_all()
        code = os.waitstatus_to_exitcode(self._status) if self._status is not None else -signal.SIGKILL
        return {"code": code, "memory": self._over, "left": left}

    def _reap(self) -> bool:
        """Take note of processes that have ended; tell whether there are any at all."""
        try:
            while (ended := os.waitpid(-1, os.WNOHANG)) != (0, 0):
                if ended[0] == self._pid:
                    self._status = ended[1]
        except ChildProcessError:
            return False
        return True

    def _end_all(self) -> int:
        """Kill it and everything that it started, whatever session that is in; return how many would not go."""
        deadline = time.monotonic() + _ENDING
        if self._status is None or not _LINUX:
            with contextlib.suppress(OSError):
                os.killpg(self._pid, signal.SIGKILL)
        while self._reap() and time.monotonic() < deadline:
            for pid in _descendants():
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.002)
        return len(list(_descendants()))

    def _uses_too_much(self) -> bool:
        return self._memory is not None and sum(_memory_of(pid) for pid in _descendants()) > self._memory


def _descendants() -> Iterator[int]:
    """Yield the processes that descend from this one: orphans come to it, because it is their reaper."""
    parents: dict[int, list[int]] = {}
    for entry in os.listdir("/proc") if _LINUX else ():  # noqa: PTH208 - pathlib costs a third of the start
        if entry.isdigit() and (stat := _proc(entry, "stat")):
            parents.setdefault(int(stat.rpartition(b")")[2].split()[1]), []).append(int(entry))
    below = parents.get(os.getpid(), [])
    while below:
        yield from below
        below = [pid for parent in below for pid in parents.get(parent, ())]


def _memory_of(pid: int) -> int:
    """Return the memory that a process has for itself, with its share of what it has together with others."""
    shares, names = _fields(_proc(pid, "smaps_rollup")), (b"Pss_Anon", b"Pss_Shmem")
    if not shares:
        shares, names = _fields(_proc(pid, "status")), (b"RssAnon", b"RssShmem")
    return sum(int(shares[name].split()[0]) * 1024 for name in names if name in shares)


def _fields(text: bytes) -> dict[bytes, bytes]:
    return dict(line.split(b":", 1) for line in text.splitlines() if line.count(b":") == 1)


def _remove(folder: str) -> None:
    """Remove the run's folder, because the platform, which has let go, perhaps no longer can."""
    import shutil  # noqa: PLC0415 - costs start-up time, and is needed only now

    shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):
        os.rmdir(os.path.dirname(folder))  # noqa: PTH106, PTH120 - as above


def _proc(pid: int | str, name: str) -> bytes:
    try:
        with open(f"/proc/{pid}/{name}", "rb") as file:  # noqa: PTH123 - as above
            return file.read()
    except OSError:
        return b""


def _wake_at_children() -> int:
    """Return a descriptor that can be read when a child has ended."""
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    return read_end


def _read_all(descriptor: int) -> str:
    with os.fdopen(descriptor, "rb") as pipe:
        return pipe.read(4096).decode(errors="replace")


def _prctl(option: int, value: int) -> None:
    if _LINUX:
        ctypes.CDLL(None).prctl(option, value)


if __name__ == "__main__":
    sys.exit(main())
