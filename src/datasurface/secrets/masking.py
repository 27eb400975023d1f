"""Masks the secrets that this process knows, wherever text leaves it: logs, errors, tracebacks, captured output.

Every `Secret` makes its values known when it is made, so nobody can forget to. Knows no store.
"""

from __future__ import annotations

import base64
import json
import logging
import re
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any
from urllib.parse import quote, quote_plus

__all__ = ["MASK", "forget_all", "mask_tracebacks", "masked", "remember"]

MASK = "***"
SHORT = 4
"""Values shorter than this are masked only where they stand as a word of their own: a password `in` must not make
`inserted` unreadable, and what is left of the text would give it away anyhow."""

_LONG_LINE = 16
"""Lines of a value of several lines, such as a key, are masked one by one from this length on."""

_RecordFactory = Callable[..., logging.LogRecord]


class _Known:
    """The values that are masked, and the forms of them that are looked for."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.values: set[str] = set()
        self.forms: set[str] = set()
        self.wanted: _Wanted | None = None


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is looked for in a text: long forms as they are, longest first, and short ones as words."""

    long: tuple[str, ...]
    short: re.Pattern[str] | None


_known = _Known()


def remember(values: Iterable[str | None]) -> None:
    """Have `masked` replace these values, and what quoting makes of them, from now on; log records are masked too."""
    with _known.lock:
        added = {value for value in values if value} - _known.values
        if added:
            _known.values |= added
            _known.forms.update(form for value in added for form in _forms(value))
            _known.wanted = None
            _mask_log_records()


def forget_all() -> None:
    """Forget every value: for tests, where values are made up and stand in ordinary text."""
    with _known.lock:
        _known.values, _known.forms, _known.wanted = set(), set(), None


def masked(text: str) -> str:
    """Return the text with `***` in place of every known value; what overlaps is masked as a whole."""
    wanted = _known.wanted or _look_for()
    spans = [span for value in wanted.long if value in text for span in _places(text, value)]
    if wanted.short is not None:
        spans += [found.span() for found in wanted.short.finditer(text)]
    return _without(text, sorted(spans)) if spans else text


def _look_for() -> _Wanted:
    with _known.lock:
        long = sorted((form for form in _known.forms if len(form) >= SHORT), key=len, reverse=True)
        short = sorted(re.escape(form) for form in _known.forms if len(form) < SHORT)
        pattern = re.compile(rf"(?<!\w)(?:{'|'.join(short)})(?!\w)") if short else None
        _known.wanted = _Wanted(tuple(long), pattern)
        return _known.wanted


def mask_tracebacks() -> None:
    """Have this process print tracebacks of what nobody catches with known values masked."""
    sys.excepthook = _print_masked
    threading.excepthook = lambda told: _print_masked(told.exc_type, told.exc_value, told.exc_traceback)
    sys.unraisablehook = lambda told: _print_masked(told.exc_type, told.exc_value, told.exc_traceback)


def _forms(value: str) -> Iterator[str]:
    """Yield a value and what it becomes in a URL, in JSON, in Python's `repr` and in base64; and its long lines."""
    yield value
    yield from (json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], repr(value)[1:-1])
    yield value.replace("'", "''")
    if len(value) >= SHORT:
        encoded = value.encode(errors="surrogatepass")
        yield from (quote(encoded, safe=""), quote_plus(encoded), base64.b64encode(encoded).decode())
    lines = value.splitlines()
    if len(lines) > 1:
        yield from (line for line in lines if len(line) >= _LONG_LINE and not line.startswith("-----"))


def _places(text: str, value: str) -> Iterator[tuple[int, int]]:
    start = text.find(value)
    while start >= 0:
        yield start, start + len(value)
        start = text.find(value, start + 1)


def _without(text: str, spans: list[tuple[int, int]]) -> str:
    parts, done = [], 0
    begin, end = spans[0]
    for next_begin, next_end in [*spans[1:], (len(text) + 1, len(text) + 1)]:
        if next_begin > end:
            parts += [text[done:begin], MASK]
            done, begin = end, next_begin
        end = max(end, next_end)
    return "".join([*parts, text[done:]])


def _print_masked(kind: type[BaseException], error: BaseException | None, frames: TracebackType | None) -> None:
    if sys.stderr is not None:
        sys.stderr.write(masked("".join(traceback.format_exception(kind, error, frames))))


def _mask_log_records() -> None:
    """Have every log record of this process masked when it is made, whichever logger and handler it is for.

    A filter of a logger would not see the records of the loggers below it, a handler's not those of other handlers.
    """
    make = logging.getLogRecordFactory()
    if not isinstance(make, _MaskedRecords):
        logging.setLogRecordFactory(_MaskedRecords(make))


class _MaskedRecords:
    """Makes log records whose message and traceback are text already, and masked."""

    def __init__(self, make: _RecordFactory) -> None:
        self._make = make

    def __call__(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record = self._make(*args, **kwargs)
        try:
            message = record.getMessage()
        except (TypeError, ValueError, KeyError):  # the handler reports what does not fit the format
            return record
        if (hidden := masked(message)) != message:
            record.msg, record.args = hidden, ()
        if record.exc_info and record.exc_info[0] is not None:
            shown = "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
            if (hidden := masked(shown)) != shown:
                record.exc_text, record.exc_info = hidden, None
        return record
