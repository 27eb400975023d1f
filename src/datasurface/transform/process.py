"""The process in which a transformer's code runs: what it gets, what it may use, what it says, and how it ends.

It knows nothing of databases or kinds of code. The process gets a clean environment and its instruction on standard
input, and dies with the process that started it.
"""

from __future__ import annotations

import json
import logging
import os
import pwd
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from datasurface.errors import ConfigurationError, SourceError

__all__ = ["Ended", "Limits", "run_process"]

_LOGGER = logging.getLogger("datasurface.transform")
_PASSED_ON = (
    "LANG",
    "LC_ALL",
    "LD_LIBRARY_PATH",
    "PATH",
    "PYTHONPATH",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "TZ",
)
"""Variables of the platform's process that its code gets too; none of them holds a secret."""
_TAIL = 20
_GRACE = 5.0
_LONGEST_LINE = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a run may use.

    Attributes:
        seconds: How long it may take; None for no limit.
        user: The system user it runs as; None for the platform's own. Only root can choose another.
    """

    seconds: float | None = None
    user: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a process ended.

    Attributes:
        code: Its exit code; negative for the signal that ended it.
        result: What it reported; None if it could not.
        tail: The last lines that it printed.
        timed_out: Whether it was ended because its time was over.
    """

    code: int
    result: Mapping[str, object] | None
    tail: tuple[str, ...]
    timed_out: bool


def run_process(
    command: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    instruction: str,
    limits: Limits,
    hide: Callable[[str], str],
    label: str,
) -> Ended:
    """Run a command to its end and return how that was; its output goes to the log, line by line.

    Args:
        command: The program and its arguments.
        folder: Its working directory, home and place for temporary files.
        environment: Variables it gets besides those that every run gets.
        instruction: What it reads from standard input.
        limits: What it may use.
        hide: Takes secrets out of a line.
        label: Who it is, for the log.

    Raises:
        SourceError: the program cannot be started.
        ConfigurationError: there is no such user, or only root may run as another.
    """
    read_end, write_end = os.pipe()
    try:
        process = _start(command, folder, environment, limits, write_end)
    except OSError as error:
        os.close(read_end)
        raise SourceError(f"cannot start the code of {label}: {error.strerror or error}") from None
    finally:
        os.close(write_end)
    said = _Said(hide, label)
    readers = [
        threading.Thread(target=said.listen, args=(process.stdout,), daemon=True),
        threading.Thread(target=said.take_result, args=(read_end,), daemon=True),
        threading.Thread(target=_tell, args=(process.stdin, instruction), daemon=True),
    ]
    for reader in readers:
        reader.start()
    timed_out = _wait(process, limits.seconds)
    for reader in readers:
        reader.join(_GRACE)
    return Ended(code=process.returncode, result=said.result, tail=tuple(said.tail), timed_out=timed_out)


def _start(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], limits: Limits, result: int
) -> subprocess.Popen[bytes]:
    account = _account(limits.user)
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    own = {"HOME": str(folder), "TMPDIR": str(folder), "PYTHONUNBUFFERED": "1", "DATASURFACE_RESULT": str(result)}
    if account is not None:
        os.chown(folder, account.pw_uid, account.pw_gid)
    return subprocess.Popen(  # noqa: S603 - the command is the interpreter and a module of ours
        command,
        cwd=folder,
        env={**passed_on, **own, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=(result,),
        start_new_session=True,
        user=account.pw_uid if account else None,
        group=account.pw_gid if account else None,
        extra_groups=[] if account else None,
    )


def _account(user: str | None) -> pwd.struct_passwd | None:
    """Return the account to run as.

    Raises:
        ConfigurationError: there is none of that name, or only root may run as another.
    """
    if user is None:
        return None
    try:
        account = pwd.getpwnam(user)
    except KeyError:
        raise ConfigurationError(
            f"code is to run as the system user {user!r}, who does not exist", hint=f"useradd --system {user}"
        ) from None
    if account.pw_uid == os.geteuid():
        return None
    if os.geteuid() != 0:
        raise ConfigurationError(
            f"code is to run as the system user {user!r}, which only root can do",
            hint="run the platform as root, or leave code_user away: then local code is trusted",
        )
    return account


def _wait(process: subprocess.Popen[bytes], seconds: float | None) -> bool:
    """Wait for the process and end what it started; tell whether its time was over."""
    timed_out = False
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        timed_out = True
    finally:
        _end_group(process)
        process.wait()
    return timed_out


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """Kill the process and everything that it started and left running."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _tell(pipe: IO[bytes] | None, instruction: str) -> None:
    if pipe is None:
        return
    try:
        pipe.write(instruction.encode())
        pipe.close()
    except OSError:
        return


class _Said:
    """What a process says: its output, line by line, and its result."""

    def __init__(self, hide: Callable[[str], str], label: str) -> None:
        self._hide = hide
        self._label = label
        self.tail: deque[str] = deque(maxlen=_TAIL)
        self.result: Mapping[str, object] | None = None

    def listen(self, pipe: IO[bytes] | None) -> None:
        """Log every line; one that does not end is cut."""
        if pipe is None:
            return
        with pipe:
            while line := pipe.readline(_LONGEST_LINE):
                text = self._hide(line.decode(errors="replace").rstrip())
                self.tail.append(text)
                _LOGGER.info("%s: %s", self._label, text)

    def take_result(self, descriptor: int) -> None:
        """Read the one JSON document that the process reports."""
        with os.fdopen(descriptor, "rb") as pipe:
            content = pipe.read()
        try:
            found = json.loads(content)
        except ValueError:
            return
        if isinstance(found, dict):
            self.result = found
