"""Throw-away PostgreSQL servers for tests that read catalogs: 15 as the system has it, 18 from the wheel."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from datasurface.runtime.local import ensure_database, start, stop

__all__ = ["BINARIES_15", "server_15", "server_18"]

BINARIES_15 = Path("/usr/lib/postgresql/15/bin")


@contextmanager
def server_18() -> Iterator[str]:
    """Start the embedded server in a folder of its own; yield the URL of a database."""
    folder = Path(tempfile.mkdtemp(prefix="ds18-"))
    folder.chmod(0o755)
    try:
        server = start(folder / "pg")
        ensure_database(server, "given")
        yield server.uri("given")
    finally:
        stop(folder / "pg")
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def server_15() -> Iterator[str]:
    """Start the system's server in a folder of its own; yield the URL of a database."""
    folder = Path(tempfile.mkdtemp(prefix="ds15-", dir="/tmp"))
    password = folder / "password"
    password.write_text("once upon")
    folder.chmod(0o755)
    prefix: list[str] = []
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
        shutil.chown(password, "postgres")
        prefix = ["runuser", "-u", "postgres", "--"]
    data = folder / "data"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["-D", str(data), "-U", "postgres", f"--pwfile={password}", "-A", "scram-sha-256", "-E", "UTF8", "-N"]
    control = [*prefix, str(BINARIES_15 / "pg_ctl"), "-D", str(data), "-w"]
    try:
        subprocess.run([*prefix, str(BINARIES_15 / "initdb"), *options], check=True, capture_output=True)
        settings = f"-p {port} -h 127.0.0.1 -k {folder} -F"
        log = str(folder / "log")
        subprocess.run([*control, "-l", log, "-o", settings, "start"], check=True, stdout=subprocess.DEVNULL)
        yield f"postgresql://postgres:once%20upon@127.0.0.1:{port}/postgres"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], check=False, capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)
