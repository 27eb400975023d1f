"""The PostgreSQL server that all contestants share: one of our own for the time of a run, or one that is given.

Its own server is durable and has the settings of the embedded database, whichever binaries it is started from.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg import conninfo, sql

from datasurface.runtime.local.account import Account, account_of
from datasurface.runtime.local.binaries import programs_for
from datasurface.runtime.local.settings import render, this_machine

__all__ = ["Server", "given_server", "own_server"]

_SUPERUSER = "bench"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running server, and how to reach it as a superuser."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    version: int
    """As `server_version_num` has it, such as 180006."""
    version_text: str
    pid: int | None = None
    """Its main process, if it runs on this machine and was started here."""

    @property
    def environment(self) -> dict[str, str]:
        """The variables from which the credential `bench` is read."""
        return {"DATASURFACE_BENCH_USER": self.user, "DATASURFACE_BENCH_PASSWORD": self.password}

    def url(self, database: str) -> str:
        """Return the URL of a database, password included."""
        user, password = quote(self.user, safe=""), quote(self.password, safe="")
        return f"postgresql://{user}:{password}@{self.host}:{self.port}/{database}"

    def connect(self, database: str = "postgres") -> psycopg.Connection[Any]:
        """Open a connection that commits every statement."""
        return psycopg.connect(self.url(database), autocommit=True)

    def fresh_database(self, name: str) -> None:
        """Create an empty database, in place of one of that name."""
        with self.connect() as connection:
            identifier = sql.Identifier(name)
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(identifier))
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'").format(identifier))

    def drop_database(self, name: str) -> None:
        """Drop a database if it is there."""
        with self.connect() as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def settle(self) -> None:
        """Write out what earlier work left in memory, so that nobody is measured paying for somebody else."""
        with self.connect() as connection:
            connection.execute("CHECKPOINT")


@contextmanager
def own_server(programs: Path | None = None) -> Iterator[Server]:
    """Run a server in a temporary folder; `programs` is the folder of `initdb`, by default the embedded one's."""
    folder = Path(tempfile.mkdtemp(prefix="datasurface-bench-"))
    folder.chmod(0o711)
    account = account_of(folder / "data")
    programs = programs or programs_for(account)
    home = folder / "home"
    home.mkdir(mode=0o700)
    account.give(home)
    password = secrets.token_hex(16)
    port = _free_port()
    try:
        _make(home, account, programs, password, port)
        yield _described("127.0.0.1", port, _SUPERUSER, password, pid=_pid(home))
    finally:
        _control(account, programs, home, "stop", "-m", "fast")
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def given_server(url: str) -> Iterator[Server]:
    """Use the server of a superuser's URL; its settings are its own."""
    parts = {name: str(value) for name, value in conninfo.conninfo_to_dict(url).items()}
    yield _described(
        parts.get("host", "127.0.0.1"),
        int(parts.get("port", "5432")),
        parts.get("user", "postgres"),
        parts.get("password", os.environ.get("PGPASSWORD", "")),
        pid=None,
    )


def _described(host: str, port: int, user: str, password: str, *, pid: int | None) -> Server:
    with psycopg.connect(host=host, port=port, user=user, password=password, dbname="postgres") as connection:
        text = connection.info.parameter_status("server_version") or ""
        version = connection.info.server_version
    return Server(host=host, port=port, user=user, password=password, version=version, version_text=text, pid=pid)


def _make(home: Path, account: Account, programs: Path, password: str, port: int) -> None:
    data, settings, secret = home / "data", home / "settings.conf", home / "password"
    secret.write_text(password + "\n", encoding="ascii")
    secret.chmod(0o600)
    account.give(secret)
    options = [f"--username={_SUPERUSER}", f"--pwfile={secret}", "--auth=scram-sha-256", "--encoding=UTF8"]
    done = account.run([programs / "initdb", "-D", data, "--locale=C", "--no-instructions", *options])
    if done.returncode != 0:
        raise SystemExit(f"initdb failed:\n{done.stdout}")
    defaults = data / "postgresql.conf"
    text = render(
        this_machine(), defaults=defaults, logs=home / "log", sockets=home, port=port, cluster_name="datasurface-bench"
    )
    settings.write_text(text, encoding="utf-8")
    settings.chmod(0o644)
    options = ["-l", str(home / "start.log"), "-o", f"-c config_file={settings}"]
    if _control(account, programs, home, "start", *options) != 0:
        raise SystemExit(f"the server does not start:\n{(home / 'start.log').read_text(encoding='utf-8')}")


def _control(account: Account, programs: Path, home: Path, verb: str, *options: str) -> int:
    done = account.run([programs / "pg_ctl", verb, "-D", home / "data", "-w", *options], stderr=subprocess.DEVNULL)
    return done.returncode


def _pid(home: Path) -> int:
    return int((home / "data" / "postmaster.pid").read_text(encoding="ascii").split()[0])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
