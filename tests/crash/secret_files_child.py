"""Kills itself with signal 9 at every system call of every step of the files store, and checks what each leaves.

Usage: secret_files_child.py FOLDER. Prints how many times it was killed.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from datasurface import Credential
from datasurface.secrets.base import Secret
from datasurface.secrets.files import FileStore

CREDENTIAL = Credential("yellow.run")
OLD, STAGED, NEW = [Secret(user="ada", password=password) for password in ("old", "staged", "new")]
_COUNTED = ("os.", "open", "shutil.", "fcntl.")


def prepared(folder: Path) -> FileStore:
    """Return a store with a current, a previous and a staged secret."""
    store = FileStore.at(folder)
    for secret in (NEW, OLD):
        store.stage(CREDENTIAL, secret)
        store.promote(CREDENTIAL)
    store.stage(CREDENTIAL, STAGED)
    return store


def killed(step: Callable[[], None], number: int) -> bool:
    """Do a step in a child that dies at its call of that number; tell whether it died."""
    child = os.fork()
    if child == 0:
        left = [number]

        def count(event: str, _: object) -> None:
            if event.startswith(_COUNTED):
                left[0] -= 1
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count)
        step()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def sweep(folder: Path, name: str, allowed: set[tuple[Secret | None, Secret | None]]) -> int:
    """Kill one step at every call; the step done again must end as if it had never been killed."""
    for number in range(1, 1000):
        store = prepared(folder / f"{name}-{number}")
        steps: dict[str, Callable[[], None]] = {
            "stage": lambda store=store: store.stage(CREDENTIAL, NEW),
            "promote": lambda store=store: store.promote(CREDENTIAL),
            "remove": lambda store=store: store.remove(CREDENTIAL),
        }
        died = killed(steps[name], number)
        left = (store.lookup(CREDENTIAL), store.pending(CREDENTIAL))
        if left not in allowed:
            raise AssertionError(f"{name} killed at call {number} left {left}: {[s and s.password for s in left]}")
        steps[name]()
        ended = {"stage": (OLD, NEW), "promote": (STAGED, None), "remove": (None, None)}[name]
        if (store.lookup(CREDENTIAL), store.pending(CREDENTIAL)) != ended:
            raise AssertionError(f"{name} killed at call {number} and done again did not end as it should")
        if not died:
            return number - 1
    raise AssertionError(f"{name} never ended")


if __name__ == "__main__":
    root = Path(sys.argv[1])
    deaths = sweep(root, "stage", {(OLD, STAGED), (OLD, NEW)})
    deaths += sweep(root, "promote", {(OLD, STAGED), (STAGED, None)})
    deaths += sweep(root, "remove", {(OLD, STAGED), (OLD, None), (None, None)})
    print(deaths)  # noqa: T201 - what the test reads
