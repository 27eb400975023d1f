"""The process in which a transformer's code runs: what it gets, what it may use, what it says, and how it ends.

It knows nothing of databases or kinds of code. The code gets a clean environment and its instruction on standard input;
a warden between it and the platform bounds it, and ends it with all that it started, also when the platform is killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from datasurface.errors import SourceError
from datasurface.transform.account import Account
from datasurface.transform.captured import Captured

__all__ = ["Ended", "Limits", "private_folder", "run_process"]

_WARDEN = Path(__file__).with_name("warden.py")
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
_GRACE = 10.0
_LONGEST_RESULT = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a run may use.

    Attributes:
        seconds: How long it may take; None for no limit.
        memory: How many bytes each of its processes, and all together, may have for themselves; None for no limit.
        account: Whom it runs as; None for the platform's own user.
    """

    seconds: float | None = None
    memory: int | None = None
    account: Account | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a process ended.

    Attributes:
        code: Its exit code; negative for the signal that ended it.
        result: What it reported; None if it could not.
        tail: The last lines that it printed.
        timed_out: Whether it was ended because its time was over.
        out_of_memory: Whether it was ended because it had more memory than it may.
    """

    code: int
    result: Mapping[str, object] | None
    tail: tuple[str, ...]
    timed_out: bool = False
    out_of_memory: bool = False


def run_process(
    command: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    instruction: str,
    limits: Limits,
    hide: Callable[[str], str],
    keep: Callable[[str], None],
    label: str,
) -> Ended:
    """Run a command to its end and return how that was.

    Args:
        command: The program and its arguments.
        folder: Its working directory, home and place for temporary files.
        environment: Variables it gets besides those that every run gets; never a secret.
        instruction: What it reads from standard input.
        limits: What it may use.
        hide: Takes secrets out of a line.
        keep: Takes each line that it prints.
        label: Who it is, for messages.

    Raises:
        SourceError: the program cannot be started.
    """
    captured = Captured(hide, keep)
    with _Ends() as ends:
        process = _start(command, folder, environment, limits, ends)
        ends.close_others()
        said = _Answers()
        readers = [
            threading.Thread(target=work, args=arguments, daemon=True)
            for work, arguments in (
                (captured.listen, (ends.take("output"),)),
                (said.read, ("result", ends.take("result"))),
                (said.read, ("verdict", ends.take("verdict"))),
                (_tell, (process.stdin, instruction)),
            )
        ]
        for reader in readers:
            reader.start()
        timed_out = _wait(process, limits.seconds, ends)
        for reader in readers:
            reader.join(_GRACE)
    verdict = said.documents.get("verdict", {})
    if "refused" in verdict:
        raise SourceError(f"cannot start the code of {label}: {verdict['refused']}")
    code = verdict.get("code", process.returncode)
    return Ended(
        code=code if isinstance(code, int) else process.returncode,
        result=said.documents.get("result"),
        tail=tuple(captured.tail),
        timed_out=timed_out,
        out_of_memory=verdict.get("memory") is True,
    )


class _Ends:
    """The pipes between the platform and the warden, by name; what is still open at the end is closed."""

    def __init__(self) -> None:
        self._ours: dict[str, int] = {}
        self.theirs: dict[str, int] = {}

    def __enter__(self) -> Self:
        for name in ("output", "result", "verdict"):
            self._ours[name], self.theirs[name] = os.pipe()
        self.theirs["control"], self._ours["control"] = os.pipe()
        return self

    def __exit__(self, *_: object) -> None:
        self.close_others()
        for name in list(self._ours):
            os.close(self.take(name))

    def close_others(self) -> None:
        """Close the warden's ends here."""
        while self.theirs:
            os.close(self.theirs.popitem()[1])

    def take(self, name: str) -> int:
        """Return our end, which the caller closes."""
        return self._ours.pop(name)

    def let_go(self) -> None:
        """Have the warden end everything."""
        if "control" in self._ours:
            os.close(self.take("control"))


def _start(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], limits: Limits, ends: _Ends
) -> subprocess.Popen[bytes]:
    account = limits.account
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    own = {"HOME": str(folder), "TMPDIR": str(folder), "PYTHONUNBUFFERED": "1"}
    if account is not None:
        os.chown(folder, account.uid, account.gid)
        own |= {"USER": account.name, "LOGNAME": account.name}
    handed = {name: ends.theirs[name] for name in ("control", "result", "verdict")}
    order = {
        "command": list(command),
        "environment": {**passed_on, **own, "DATASURFACE_RESULT": str(handed["result"]), **environment},
        "folder": str(folder),
        "memory": limits.memory,
        "uid": account.uid if account else None,
        "gid": account.gid if account else None,
        **handed,
    }
    return subprocess.Popen(  # noqa: S603 - the interpreter and a file of ours
        [sys.executable, "-I", "-S", str(_WARDEN), json.dumps(order)],
        cwd="/",
        env=passed_on,
        stdin=subprocess.PIPE,
        stdout=ends.theirs["output"],
        stderr=ends.theirs["output"],
        pass_fds=list(handed.values()),
        start_new_session=True,
    )


def _wait(process: subprocess.Popen[bytes], seconds: float | None, ends: _Ends) -> bool:
    """Wait until the warden has ended everything; tell whether that was because the time was over."""
    timed_out = False
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        timed_out = True
    finally:
        ends.let_go()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)
        process.kill()
        process.wait()
    return timed_out


def _tell(pipe: IO[bytes] | None, instruction: str) -> None:
    if pipe is None:
        return
    with contextlib.suppress(OSError), pipe:
        pipe.write(instruction.encode())


class _Answers:
    """The JSON documents that come through pipes, by name; what is none, or too long to be one, is no answer."""

    def __init__(self) -> None:
        self.documents: dict[str, Mapping[str, object]] = {}

    def read(self, name: str, descriptor: int) -> None:
        """Read one document."""
        with os.fdopen(descriptor, "rb") as pipe:
            content = pipe.read(_LONGEST_RESULT)
            while pipe.read(_LONGEST_RESULT):
                pass
        with contextlib.suppress(ValueError):
            found = json.loads(content)
            if isinstance(found, dict):
                self.documents[name] = found


@contextmanager
def private_folder() -> Iterator[Path]:
    """Make a folder for one run, which is removed at its end; others cannot list the folder that it is in."""
    outer = Path(tempfile.mkdtemp(prefix="datasurface-run-"))
    try:
        outer.chmod(0o711)
        inner = outer / secrets.token_hex(16)
        inner.mkdir(mode=0o700)
        yield inner
    finally:
        shutil.rmtree(outer, ignore_errors=True)
