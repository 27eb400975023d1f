"""PostgreSQL servers that tests start, kill and throw away."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg

from datasurface.runtime import local

SYSTEM_PROGRAMS = Path("/usr/lib/postgresql/15/bin")


@dataclass
class Server:
    """A running server. `url` leads to its database `postgres` as a superuser."""

    url: str
    version: int
    kill: object = None
    start: object = None
    _made: list[str] = field(default_factory=list)

    def with_database(self, name: str) -> str:
        parts = urlsplit(self.url)
        return urlunsplit(parts._replace(path=f"/{name}"))

    @contextmanager
    def database(self) -> Iterator[str]:
        name = f"test_{secrets.token_hex(6)}"
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        try:
            yield self.with_database(name)
        finally:
            with psycopg.connect(self.url, autocommit=True) as connection:
                connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())


@contextmanager
def embedded_server() -> Iterator[Server]:
    """Start the embedded PostgreSQL 18 in a folder of its own; `kill` ends it with SIGKILL, `start` brings it back."""
    base = Path(tempfile.mkdtemp(prefix="ds18-"))
    base.chmod(0o755)
    place = base / "embedded"
    running = local.start(place)

    def kill() -> None:
        found = local.status(place)
        if found is not None:
            os.kill(found.pid, signal.SIGKILL)
            _until(lambda: local.status(place) is None)

    def start() -> None:
        local.start(place)

    try:
        yield Server(running.uri("postgres"), 18, kill, start)
    finally:
        local.stop(place)
        shutil.rmtree(base, ignore_errors=True)


@contextmanager
def system_server() -> Iterator[Server]:
    """Start the system's PostgreSQL 15 in a folder of its own."""
    base = Path("/tmp") / f"ds15-{secrets.token_hex(4)}"
    data, port, password = base / "data", _free_port(), secrets.token_hex(8)
    base.mkdir(mode=0o755)
    secret = base / "password"
    secret.write_text(password)
    as_user: list[str] = []
    if os.geteuid() == 0:
        shutil.chown(base, "postgres")
        shutil.chown(secret, "postgres")
        as_user = ["runuser", "-u", "postgres", "--"]
    initdb = [str(SYSTEM_PROGRAMS / "initdb"), "-D", str(data), "-U", "tester", "--auth=scram-sha-256"]
    subprocess.run(
        [*as_user, *initdb, f"--pwfile={secret}", "-E", "UTF8", "--locale=C.UTF-8"],
        check=True,
        cwd=base,
        capture_output=True,
    )

    def start() -> None:
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={base} -c max_connections=100"
        command = [
            str(SYSTEM_PROGRAMS / "pg_ctl"),
            "-D",
            str(data),
            "-l",
            str(base / "log"),
            "-o",
            options,
            "-w",
            "start",
        ]
        subprocess.run([*as_user, *command], check=True, cwd=base, stdout=subprocess.DEVNULL)

    def kill() -> None:
        pid = int((data / "postmaster.pid").read_text().splitlines()[0])
        os.kill(pid, signal.SIGKILL)
        _until(lambda: not Path(f"/proc/{pid}").exists())
        time.sleep(0.5)

    start()
    try:
        yield Server(f"postgresql://tester:{password}@127.0.0.1:{port}/postgres", 15, kill, start)
    finally:
        stop = [str(SYSTEM_PROGRAMS / "pg_ctl"), "-D", str(data), "-m", "immediate", "-w", "stop"]
        subprocess.run([*as_user, *stop], check=False, cwd=base, capture_output=True)
        shutil.rmtree(base, ignore_errors=True)


@contextmanager
def external_server() -> Iterator[Server]:
    """Use the server of DATASURFACE_TEST_POSTGRES_URL; it is never killed."""
    url = os.environ["DATASURFACE_TEST_POSTGRES_URL"]
    with psycopg.connect(url) as connection:
        version = connection.info.server_version // 10000
    yield Server(url, version)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _until(condition: object, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.05)
