"""The process of a run, `python -m datasurface.transform.child`: it reads its instruction, runs the code, reports.

Everything that the code writes is committed here, at its end, in one transaction.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import sys
import sysconfig
import traceback
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from datasurface.databases.base import adapter_for
from datasurface.databases.code import CodeDatabase
from datasurface.errors import DataSurfaceError, TransientError
from datasurface.names import group_schema
from datasurface.transform.base import kind_of
from datasurface.transform.context import TransformerContext
from datasurface.transform.folders import open_folders
from datasurface.transform.instruction import Instruction

__all__ = ["main"]

_PR_SET_DUMPABLE = 4
_OURS = str(Path(__file__).parents[1]) + os.sep
_PYTHON = tuple(str(Path(sysconfig.get_path(name))) + os.sep for name in ("stdlib", "platstdlib"))


def main() -> int:
    """Run one instruction and return the exit code: 0 if the output is committed."""
    _close_to_others()
    result = _result_pipe()
    instruction = Instruction.from_json(_whole_input())
    os.environ.update(instruction.secret_variables())
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    try:
        _run(instruction)
    except Exception as error:  # noqa: BLE001 - whatever the code raises is reported
        _print(error)
        told = {"error": _said(error), "where": _where(error), "transient": isinstance(error, TransientError)}
        _report(result, told | {"memory": _is_lack_of_memory(error)})
        return 1
    _report(result, {"ok": True})
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
        kind, context = kind_of(code), TransformerContext(instruction, session)
        open_folders()
        kind.perform(code, context)
        session.commit()


def _database(instruction: Instruction) -> CodeDatabase:
    adapter = adapter_for(instruction.login.container)
    database: CodeDatabase = adapter.code_database()  # type: ignore[attr-defined] # the parent has made sure
    return database


def _close_to_others() -> None:
    """Have the kernel close this process to others of the same user: its memory, variables and open files."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0)


def _result_pipe() -> int:
    """Return where to report, which what the code starts does not get."""
    descriptor = int(os.environ.pop("DATASURFACE_RESULT"))
    os.set_inheritable(descriptor, False)  # noqa: FBT003 - it takes no keywords
    return descriptor


def _whole_input() -> str:
    """Return what is on standard input, and leave nothing there for the code."""
    text = sys.stdin.read()
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return text


def _report(descriptor: int, result: Mapping[str, object]) -> None:
    with os.fdopen(descriptor, "w") as pipe:
        json.dump(result, pipe)


def _print(error: Exception) -> None:
    """Print the error with the lines of the user's code that led to it; an error without any is told by its message."""
    frames = _own_frames(error)
    if frames:
        print("Traceback of the code:", *traceback.format_list(frames), sep="\n", file=sys.stderr)  # noqa: T201 - for its log
        print(_said(error), file=sys.stderr)  # noqa: T201 - as above


def _is_lack_of_memory(error: BaseException | None) -> bool:
    """Tell whether an error, or what led to it, is that memory could not be had."""
    while error is not None:
        if isinstance(error, MemoryError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _said(error: Exception) -> str:
    """Return the message of an error; where the user's own class of errors cannot even say that, its name."""
    if isinstance(error, DataSurfaceError):
        return error.message
    name = type(error).__name__
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - the code of a class that the user wrote
        return f"{name}, which does not say more: its __str__ fails"
    return f"{name}: {text}" if text else name


def _where(error: Exception) -> str:
    """Return the innermost line of the user's code, as file and line; empty if there is none."""
    own = _own_frames(error)
    return f"{own[-1].filename}:{own[-1].lineno}" if own else ""


def _own_frames(error: Exception) -> list[traceback.FrameSummary]:
    """Return the lines of the user's code that led to an error: not ours, Python's, or an installed package's.

    If there are none, because the code is an installed package, those of packages.
    """
    theirs = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith((_OURS, "<frozen"))]
    return [f for f in theirs if not _is_library(f.filename)] or [f for f in theirs if Path(f.filename).is_file()]


def _is_library(file: str) -> bool:
    """Tell whether a file is Python's or of an installed package; a compiled module only has the name of its source."""
    parts = Path(file).parts
    if not Path(file).is_absolute() or {"site-packages", "dist-packages"} & set(parts):
        return not file.startswith("<")
    return file.startswith(_PYTHON)


if __name__ == "__main__":
    sys.exit(main())
