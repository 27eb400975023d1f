"""What a transformer's code prints: line by line to the log and the run's own file, masked, cut and bounded.

A flood is counted, not kept: it takes neither memory nor disk, and the platform reads it only as fast as suits it.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable

__all__ = ["Captured"]

_TAIL = 20
_CHUNK = 65_536
_LINE = 4096
"""How much of a line is kept; what is masked is looked for in twice as much, so that no part of it is left."""
_LINES = 5_000
_BYTES = 1_000_000
_PAUSE = 0.001


class Captured:
    """The output of one process.

    Args:
        hide: Takes secrets out of a line.
        keep: Takes each line.

    Attributes:
        tail: Its last lines.
    """

    def __init__(self, hide: Callable[[str], str], keep: Callable[[str], None]) -> None:
        self._hide = hide
        self._keep = keep
        self._lines = 0
        self._bytes = 0
        self._rest = b""
        self._last = b""
        self._ended: deque[bytes] = deque(maxlen=_TAIL)
        self._left_out = 0
        self.tail: deque[str] = deque(maxlen=_TAIL)

    def listen(self, descriptor: int) -> None:
        """Read to the end; the descriptor is closed then."""
        with os.fdopen(descriptor, "rb", buffering=0) as pipe:
            while chunk := pipe.read(_CHUNK):
                self._bytes += len(chunk)
                if self._is_flood:
                    begun, self._rest = self._rest, b""
                    self._count(begun + chunk)
                else:
                    self._split(chunk)
        self._end_line()
        if self._is_flood:
            self._end_flood()

    @property
    def _is_flood(self) -> bool:
        return self._lines >= _LINES or self._bytes >= _BYTES

    def _split(self, chunk: bytes) -> None:
        """Keep the lines that end in a chunk; one that has not ended is kept as far as it will be looked at."""
        *lines, rest = (self._rest + chunk).split(b"\n")
        for position, line in enumerate(lines):
            if self._lines >= _LINES:
                self._rest = b""
                self._count(b"\n".join([*lines[position:], rest]))
                return
            self._line(line)
        self._rest = rest[: 2 * _LINE]

    def _end_line(self) -> None:
        rest, self._rest = self._rest, b""
        if rest:
            self._line(rest)

    def _line(self, line: bytes) -> None:
        """Keep a line; the place at which a long one is cut is told."""
        self._lines += 1
        self._say(self._cut(line))

    def _cut(self, line: bytes) -> str:
        text = self._hide(line[: 2 * _LINE].decode(errors="replace").rstrip())
        return text if len(text) <= _LINE else f"{text[:_LINE]} … (the line is longer)"

    def _say(self, text: str) -> None:
        self.tail.append(text)
        self._keep(text)

    def _count(self, chunk: bytes) -> None:
        """Count lines, remember the last ones, and let the writer wait, not the platform."""
        self._left_out += chunk.count(b"\n")
        *lines, rest = (self._last + chunk).split(b"\n")
        self._ended.extend(line[: 2 * _LINE] for line in lines[-_TAIL:])
        self._last = rest[: 2 * _LINE]
        time.sleep(_PAUSE)

    def _end_flood(self) -> None:
        """Tell how much was left out, and the last lines, however long they are."""
        last = [*self._ended, *([self._last] if self._last else [])][-_TAIL:]
        left_out = max(0, self._left_out + bool(self._last) - len(last))
        if left_out:
            self._keep(f"… {left_out} lines left out; it printed {self._bytes / 1_000_000:.1f} MB in all")
        for line in last:
            self._say(self._cut(line))
