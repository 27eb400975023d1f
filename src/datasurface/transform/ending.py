"""What a run of code may use, and what the way in which it ended means for its batch."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable

from datasurface.errors import SourceError, TransientError
from datasurface.model.effective import duration
from datasurface.release.job import TransformerSpec
from datasurface.transform.account import Account
from datasurface.transform.memory import bytes_of
from datasurface.transform.process import Ended, Limits

__all__ = ["LONGEST", "limits_of", "require_success"]

LONGEST = "1 day"
"""How long a run may take whose transformer does not say how long."""

_LACK_OF_MEMORY = re.compile(
    r"MemoryError|bad_alloc|cannot allocate memory|unable to allocate|out of memory|failed to map|malloc", re.IGNORECASE
)


def limits_of(spec: TransformerSpec, account: Account | None) -> Limits:
    """Return what a run of a transformer may use."""
    resources = spec.resources
    length = duration(_longest(spec))
    memory = resources.memory if resources else None
    return Limits(
        seconds=None if length is None else length.total_seconds(),
        memory=bytes_of(memory) if memory else None,
        account=account,
    )


def require_success(spec: TransformerSpec, ended: Ended, hide: Callable[[str], str]) -> None:
    """Raise what a run's end means.

    Raises:
        SourceError: the code failed, was ended, or reported nothing.
        TransientError: the database went away.
    """
    name = f"transformer {spec.name!r} of workspace {spec.workspace!r}"
    result = ended.result or {}
    if ended.timed_out:
        limit = _longest(spec)
        raise SourceError(f"{name} was ended after its time limit of {limit}", hint="give it a longer timeout=")
    if ended.code == 0 and result.get("ok"):
        return
    where = f" at {result['where']}" if result.get("where") else ""
    memory = spec.resources.memory if spec.resources else None
    if memory and _lacked_memory(ended):
        raise SourceError(
            f"{name} exceeded its memory limit of {memory}{where}",
            hint="give it more memory=, or have it read rows() in batches",
        )
    if "error" in result:
        message = hide(f"{name} failed: {result['error']}{where}")
        raise TransientError(message) if result.get("transient") else SourceError(message)
    how = f"was ended by signal {_signal(-ended.code)}" if ended.code < 0 else f"ended with exit code {ended.code}"
    said = f"; its last words: {ended.tail[-1]}" if ended.tail else ""
    raise SourceError(f"{name} {how} without a result{said}", hint="its output is in the log")


def _longest(spec: TransformerSpec) -> str:
    return (spec.resources.timeout if spec.resources else None) or LONGEST


def _lacked_memory(ended: Ended) -> bool:
    """Tell whether memory was what a run lacked; C code that gets none aborts, and can only say so in its output."""
    if ended.out_of_memory or (ended.result or {}).get("memory"):
        return True
    return ended.result is None and any(_LACK_OF_MEMORY.search(line) for line in ended.tail)


def _signal(number: int) -> str:
    try:
        return f"{number} ({signal.Signals(number).name})"
    except ValueError:
        return str(number)
