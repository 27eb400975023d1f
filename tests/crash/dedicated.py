"""Servers of a module's own, to be killed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from servers import Server, embedded_server, system_server


@contextmanager
def dedicated(like: Server) -> Iterator[Server]:
    """Start a server of the same version as another one."""
    with embedded_server() if like.version >= 18 else system_server() as running:
        yield running


def crash(server: Server) -> None:
    """Kill a server's main process and all that is left of it, as a power cut would."""
    assert callable(server.kill)
    server.kill()


def restart(server: Server) -> None:
    """Start a killed server again; the processes of its former life may need a moment to end."""
    assert callable(server.start)
    deadline = time.monotonic() + 60
    while True:
        try:
            server.start()
            with psycopg.connect(server.url):
                return
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.3)
