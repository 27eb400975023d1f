"""Where an object was made: a path relative to the model folder and a line. Knows nothing of nouns."""

from __future__ import annotations

from dataclasses import dataclass
from types import CodeType
from typing import TypeAlias

__all__ = ["Position", "line_of"]


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in the source of a model.

    Attributes:
        path: Relative to the model folder if the file is inside it, else as Python knows it.
        line: Counted from 1.
    """

    path: str
    line: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


def line_of(code: CodeType, instruction: int) -> int:
    """Return the line of the byte-code offset `instruction` in `code`.

    Asking a frame for its line walks the line table from its start, which is quadratic over a long file; so
    construction keeps only the offset, and the table is unrolled once, here, when somebody asks.
    """
    starts, lines = _line_table(code)
    from bisect import bisect_right  # noqa: PLC0415 - needed only when somebody asks

    return lines[bisect_right(starts, instruction) - 1]


_Table: TypeAlias = tuple[list[int], list[int]]
_tables: dict[int, tuple[CodeType, _Table]] = {}
_MOST_TABLES = 1024


def _line_table(code: CodeType) -> _Table:
    """Return the offsets at which lines start, and the lines.

    Remembered by identity: to hash a code object takes as long as it is, and equal ones may differ in their lines.
    """
    known = _tables.get(id(code))
    if known is not None:
        return known[1]
    rows = [(start, line) for start, _, line in code.co_lines() if line is not None]
    table = [start for start, _ in rows] or [0], [line for _, line in rows] or [code.co_firstlineno]
    if len(_tables) >= _MOST_TABLES:
        _tables.clear()
    _tables[id(code)] = code, table
    return table
