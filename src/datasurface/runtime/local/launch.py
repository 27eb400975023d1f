"""Bring a server up: data made where missing, settings written, a port found, a process that nothing of ours holds."""

from __future__ import annotations

import json
import os
import socket
import time
from typing import TYPE_CHECKING

from datasurface.errors import StoreError, TransientError
from datasurface.runtime.local import settings
from datasurface.runtime.local.binaries import programs_for, version_of
from datasurface.runtime.local.cluster import check_version, make_data, tail
from datasurface.runtime.local.place import open_private, write_whole
from datasurface.runtime.local.postmaster import Postmaster, alive, disown, find, kill_orphans, moved_away

if TYPE_CHECKING:
    from pathlib import Path

    from datasurface.runtime.local.account import Account
    from datasurface.runtime.local.place import Place

__all__ = ["HOST", "facts_of", "launch", "settled"]

HOST = "127.0.0.1"
_PAUSE = 0.02
_PORTS = 200
# "$@" rather than text in the script: no character of a path means anything to the shell.
_DETACH = '"$@" </dev/null >&2 & echo $!'


def settled(place: Place, deadline: float) -> Postmaster | None:
    """Wait until a server that another process has begun to start or stop is ready or gone."""
    while running := find(place.data):
        if running.ready:
            return running
        if time.monotonic() > deadline:
            raise TransientError(f"the server in {place.folder} is still {running.state}", hint="try again later")
        time.sleep(_PAUSE)
    return None


def launch(place: Place, account: Account, deadline: float) -> Postmaster:
    """Start the server of `place`, which the caller holds, and wait until it accepts connections."""
    programs = programs_for(account)
    version = version_of(programs, account)
    if not place.data.exists():
        make_data(place, account, programs, deadline=deadline)
    check_version(place.data, version)
    place.password()
    if (place.data / "postmaster.pid").exists():
        kill_orphans(place.cluster_name)
    remembered = facts_of(place).get("port")
    preferred = remembered if isinstance(remembered, int) else place.first_port
    for port in filter(_free, (preferred, *range(place.first_port, place.first_port + _PORTS))):
        write_whole(place.facts, json.dumps({"version": version, "port": port}), mode=0o600)
        if running := _attempt(place, account, programs, port, deadline):
            return running
    raise StoreError(f"no free port from {place.first_port} on for the server in {place.folder}")


def facts_of(place: Place) -> dict[str, object]:
    """Return version and port of the last start, as far as they are known."""
    try:
        facts = json.loads(place.facts.read_text(encoding="utf-8"))
    except (FileNotFoundError, PermissionError, ValueError):  # the next start writes it anew
        return {}
    return facts if isinstance(facts, dict) else {}


def _free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as PostgreSQL does
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _attempt(place: Place, account: Account, programs: Path, port: int, deadline: float) -> Postmaster | None:
    """Start the server on `port`; None when somebody took it first."""
    while (pid := _spawn(place, account, programs, port)) is None:
        if running := settled(place, deadline):
            return running
        if time.monotonic() > deadline:
            raise _in_use(place)
        time.sleep(_PAUSE)
    while alive(pid):
        running = find(place.data)
        if running and running.pid == pid and running.ready:
            return running
        if time.monotonic() > deadline:
            raise TransientError(f"the server in {place.folder} is still starting:\n{_log(place)}", hint="try again")
        time.sleep(_PAUSE)
    if not _free(port):
        return None
    raise StoreError(f"the embedded database in {place.folder} does not start:\n{_log(place)}")


def _in_use(place: Place) -> StoreError:
    problem = f"the data in {place.folder} are in use by a server that is not seen from here"
    if pid := moved_away(place.data):
        return StoreError(
            f"{problem}, process {pid}: the folder was moved while it ran",
            hint=f"stop it with `kill {pid}`, then try again",
        )
    return StoreError(problem, hint="run `datasurface local stop` in the container or on the machine that started it")


def _spawn(place: Place, account: Account, programs: Path, port: int) -> int | None:
    """Start the server with neither terminal nor parent, and return its process; None while the data are in use."""
    with place.claimed() as claim:
        if claim is None:
            return None
        _configure(place, account, port)
        disown(place.data)
        server: list[str | Path] = [programs / "postgres", "-D", place.data, "-c", f"config_file={place.settings}"]
        with os.fdopen(open_private(place.start_log, os.O_WRONLY | os.O_TRUNC), "wb") as log:
            done = account.run(
                ["/bin/sh", "-c", _DETACH, "sh", *server],
                environment={"PG_GRANDPARENT_PID": str(os.getpid())},  # see `disown`
                stderr=log,
                detached=True,
                descriptors=[claim],
            )
    return int(done.stdout)


def _configure(place: Place, account: Account, port: int) -> None:
    text = settings.render(
        settings.this_machine(),
        defaults=place.data / "postgresql.conf",
        logs=place.logs,
        sockets=place.socket_folder(account),
        port=port,
        cluster_name=place.cluster_name,
    )
    write_whole(place.settings, text, mode=0o644)


def _log(place: Place) -> str:
    """Return the end of what the server said last."""
    files = [path for path in (place.start_log, *place.logs.glob("server-*.log")) if path.exists()]
    newest = sorted(files, key=lambda path: path.stat().st_mtime)[-2:]
    return tail("\n".join(path.read_text(encoding="utf-8", errors="replace") for path in newest))
