"""The process of a run, `python -m datasurface.transform.child`: it reads its instruction, runs the code, reports.

Everything that the code writes is committed here, at its end, in one transaction.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import resource
import signal
import sys
import traceback
from contextlib import closing
from pathlib import Path

from datasurface.databases.base import adapter_for
from datasurface.databases.code import CodeDatabase
from datasurface.errors import DataSurfaceError, TransientError
from datasurface.names import group_schema
from datasurface.transform.base import kind_of
from datasurface.transform.context import TransformerContext
from datasurface.transform.instruction import Instruction

__all__ = ["main"]

_PR_SET_PDEATHSIG = 1
_OURS = str(Path(__file__).parents[1]) + os.sep


def main() -> int:
    """Run one instruction and return the exit code: 0 if the output is committed."""
    _die_with_parent()
    instruction = Instruction.from_json(sys.stdin.read())
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    if instruction.memory is not None:
        _limit_memory(instruction.memory)
    try:
        _run(instruction)
    except Exception as error:  # noqa: BLE001 - whatever the code raises is reported
        _print(error)
        _report({"error": _said(error), "where": _where(error), "transient": isinstance(error, TransientError)})
        return 1
    _report({"ok": True})
    return 0


def _run(instruction: Instruction) -> None:
    job = instruction.job
    if job.transformer is None:
        raise ValueError(f"stream {job.stream} is no transformer's output")
    code = job.transformer.code
    schemas = sorted(
        {group_schema(job.transformer.workspace, i.group, instruction.name_limit) for i in job.transformer.inputs}
    )
    database = _database(instruction)
    with closing(database.session(instruction.login, instruction.snapshot)) as session:
        session.look_in([instruction.schemas.get(name, name) for name in schemas])
        kind_of(code).perform(code, TransformerContext(instruction, session))
        session.commit()


def _database(instruction: Instruction) -> CodeDatabase:
    adapter = adapter_for(instruction.login.container)
    database: CodeDatabase = adapter.code_database()  # type: ignore[attr-defined] # the parent has made sure
    return database


def _die_with_parent() -> None:
    """Have the kernel end this process when the one that started it dies, so that no orphan writes."""
    parent = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def _limit_memory(size: int) -> None:
    """Bound the data that this process may have; more is a MemoryError."""
    resource.setrlimit(resource.RLIMIT_DATA, (size, size))


def _report(result: dict[str, object]) -> None:
    with os.fdopen(int(os.environ["DATASURFACE_RESULT"]), "w") as pipe:
        json.dump(result, pipe)


def _print(error: Exception) -> None:
    """Print the error with the lines of the user's code that led to it; an error without any is told by its message."""
    frames = _own_frames(error)
    if frames:
        print("Traceback of the code:", *traceback.format_list(frames), sep="\n", file=sys.stderr)  # noqa: T201 - for its log
        print(*traceback.format_exception_only(error), file=sys.stderr)  # noqa: T201 - as above


def _said(error: Exception) -> str:
    if isinstance(error, DataSurfaceError):
        return error.message
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _where(error: Exception) -> str:
    """Return the innermost line of the user's code, as file and line; empty if there is none."""
    own = _own_frames(error)
    return f"{own[-1].filename}:{own[-1].lineno}" if own else ""


def _own_frames(error: Exception) -> list[traceback.FrameSummary]:
    frames = traceback.extract_tb(error.__traceback__)
    return [f for f in frames if not f.filename.startswith((_OURS, "<frozen"))]


if __name__ == "__main__":
    sys.exit(main())
