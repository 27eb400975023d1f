"""Looks for secrets while commands run: in what the system and the database show of everybody at any moment."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg

__all__ = ["Sampler", "found_in"]

_HANDED = b"DATASURFACE_HANDED_OVER"
_OFTEN = 0.3


def found_in(content: bytes, canaries: Sequence[str]) -> list[str]:
    """Return the canaries in a content."""
    return [canary for canary in canaries if canary.encode() in content]


class Sampler:
    """A thread that looks at command lines and environments of all processes, and at statements of all sessions.

    Attributes:
        leaks: What was seen, and where.
        given: Processes of `run` as this test started them, with secrets in their environment.
        handed: Processes that had started again without.
        processes: How many processes were looked at.
        statements: How many statements were.
    """

    def __init__(self, canaries: Callable[[], Sequence[str]], uri: str) -> None:
        self._canaries = canaries
        self._uri = uri
        self._wanted, self._asked = canaries(), time.monotonic()
        self._over = threading.Event()
        self._threads = [threading.Thread(target=work) for work in (self._watch_processes, self._watch_sessions)]
        self._known: set[tuple[int, bytes]] = set()
        self.leaks: set[str] = set()
        self.given: set[int] = set()
        self.handed: set[int] = set()
        self.processes = 0
        self.statements = 0

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _watch_processes(self) -> None:
        own = os.getpid()
        while not self._over.wait(0.02):
            self._refresh()
            for entry in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208 - it looks often
                if int(entry) != own:
                    self._look(int(entry))

    def _refresh(self) -> None:
        """Learn of new canaries now and then."""
        if time.monotonic() - self._asked > _OFTEN:
            self._wanted, self._asked = self._canaries(), time.monotonic()

    def _look(self, pid: int) -> None:
        command, environment = (_read(f"/proc/{pid}/{name}") for name in ("cmdline", "environ"))
        if not command or (pid, command + environment) in self._known:
            return
        self._known.add((pid, command + environment))
        self.processes += 1
        if found_in(command, self._wanted):
            self.leaks.add(f"command line {command!r}")
        if _HANDED in environment:
            self.handed.add(pid)
        if found := found_in(environment, self._wanted):
            parent = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
            if parent and int(parent[1]) == os.getpid() and pid not in self.handed:
                self.given |= {pid} if b"\0run\0" in command else set()  # as the test started it, secrets and all
            else:
                self.leaks.add(f"environment of {command!r}: {found}")

    def _watch_sessions(self) -> None:
        with psycopg.connect(self._uri, autocommit=True) as connection:
            while not self._over.wait(0.02):
                rows = connection.execute("SELECT query FROM pg_stat_activity WHERE pid <> pg_backend_pid()").fetchall()
                self.statements += len(rows)
                for (query,) in rows:
                    if found_in((query or "").encode(), self._wanted):
                        self.leaks.add(f"statement {query!r}")


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""
