"""Keeps secrets out of the environment that the system shows of a process for as long as it lives.

What `/proc/<pid>/environ` shows is what a process was started with, whatever it deletes later. So a command that runs
code starts itself again under the same process id, and hands its secret variables over in memory.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["hide_secrets", "secret_variables"]

_HANDED = "DATASURFACE_HANDED_OVER"
_MEMORY = "datasurface-handover"
_RUN_CODE = frozenset({"demo", "job", "metrics", "release", "resnapshot", "run"})
_NAME = re.compile(
    r"PASSW|PASSPHRASE|SECRET|TOKEN|CREDENTIAL|PRIVATE|CERTIFICATE|API_?KEY|ACCESS_?KEY|OTLP.*HEADERS", re.IGNORECASE
)
_PASSWORD_IN_URL = re.compile(r"://[^/\s:@]*:[^/\s@]+@")
_PR_SET_DUMPABLE = 4


def hide_secrets(arguments: Sequence[str]) -> None:
    """Make this process one without secrets in its initial environment, if `arguments` ask for a verb that runs code.

    Returns in the same process or, started again, in its successor; `os.environ` is the same in both. Other processes
    of the same user cannot look into it either. Does nothing where the system is not Linux.
    """
    if sys.platform != "linux" or _RUN_CODE.isdisjoint(arguments):
        return
    found = {} if _took_over() else secret_variables(os.environ)
    if found and sys.executable:
        _start_again(found)
    _close_to_others()


def secret_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that seem to hold secrets, by their names or because they are URLs with a password."""
    return {
        name: value
        for name, value in environ.items()
        if value and not name.startswith("PYTHON") and (_NAME.search(name) or _PASSWORD_IN_URL.search(value))
    }


def _close_to_others() -> None:
    """Have the kernel close this process to others of the same user, debuggers included; root sees it all the same."""
    import ctypes  # noqa: PLC0415 - few verbs need it

    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0)


def _start_again(secrets: Mapping[str, str]) -> None:
    """Replace this process by one without these variables, which finds them in a file that is in memory only."""
    descriptor = os.memfd_create(_MEMORY, 0)
    with os.fdopen(descriptor, "w", closefd=False) as file:
        json.dump(secrets, file)
    os.lseek(descriptor, 0, os.SEEK_SET)
    environment = {name: value for name, value in os.environ.items() if name not in secrets}
    environment[_HANDED] = str(descriptor)
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)  # noqa: S606 - this very program


def _took_over() -> bool:
    """Take what was handed over, if something was."""
    text = os.environ.pop(_HANDED, "")
    if not text.isdigit() or _MEMORY not in _target(int(text)):
        return False
    with os.fdopen(int(text)) as file:
        os.environ.update(json.load(file))
    return True


def _target(descriptor: int) -> str:
    try:
        return str(Path(f"/proc/self/fd/{descriptor}").readlink())
    except OSError:
        return ""
