"""Syncs and rotates access in a process that ends by SIGKILL at its n-th step, so that nothing is tidied.

It reads one JSON document a line: url, folder, spec, action (sync or rotate), step; and says how each attempt ended.
Each attempt is a child that is forked from here, so that Python's start is paid once.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from datasurface.databases.postgres.roles import PostgresSecurity
from datasurface.release.job import PlatformSpec
from datasurface.security import rotate as rotation
from datasurface.security import sync as syncing
from datasurface.security.vault import Vault
from security_bench import SecurityBench, login_of

_STEPS = (
    (PostgresSecurity, ("run", "proves", "end_sessions")),
    (Vault, ("stage", "promote", "remove")),
)


def main() -> None:
    """Make attempts until the input ends."""
    for line in sys.stdin:
        task = json.loads(line)
        child = os.fork()
        if child == 0:
            _attempt(task)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        sys.stdout.write(("killed" if killed else f"ended {status}") + "\n")
        sys.stdout.flush()


def _attempt(task: dict[str, Any]) -> None:
    steps = [0]
    for owner, names in _STEPS:
        for name in names:
            setattr(owner, name, _counted(getattr(owner, name), steps, task["step"]))
    bench = SecurityBench(
        task["url"], PlatformSpec.from_json(task["spec"]), Path(task["folder"]), login_of(task["url"])
    )
    with bench.access() as access:
        if task["action"] == "sync":
            if not syncing.sync(access, unsafe=True).complete:
                os._exit(3)
        else:
            rotation.rotate(access, credentials=task["credentials"], now=task["action"] == "rotate now")


def _counted(method: Callable[..., Any], steps: list[int], fatal: int) -> Callable[..., Any]:
    """Kill this process before a step, or right after the last step before it was made."""

    def counted(*arguments: Any, **options: Any) -> Any:
        _step(steps, fatal)
        found = method(*arguments, **options)
        _step(steps, fatal)
        return found

    return counted


def _step(steps: list[int], fatal: int) -> None:
    steps[0] += 1
    if steps[0] == fatal:
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
