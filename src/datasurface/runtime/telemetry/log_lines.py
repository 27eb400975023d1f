"""The log of this process on its way to exporters that want it: lines as events, secrets masked."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from datasurface.runtime.report import without_passwords
from datasurface.runtime.telemetry.events import LogLine
from datasurface.runtime.telemetry.telemetry import Telemetry
from datasurface.runtime.telemetry.trace import CURRENT
from datasurface.secrets.masking import masked

__all__ = ["telling"]

_ROOT = "datasurface"
_OWN = "datasurface.telemetry"
"""What telemetry says of itself is not told to it."""


@contextmanager
def telling(telemetry: Telemetry) -> Iterator[None]:
    """Tell the lines of the logger `datasurface` as long as this context lasts, if anybody wants them."""
    if not telemetry.wants_logs:
        yield
        return
    logger, handler = logging.getLogger(_ROOT), _Teller(telemetry)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


class _Teller(logging.Handler):
    """Makes an event of each record."""

    def __init__(self, telemetry: Telemetry) -> None:
        super().__init__()
        self._telemetry = telemetry
        self._plain = logging.Formatter()

    def emit(self, record: logging.LogRecord) -> None:
        if record.name != _OWN:
            self._telemetry.emit(self._line(record))

    def _line(self, record: logging.LogRecord) -> LogLine:
        scope = CURRENT.get()
        told = dict(getattr(record, "datasurface", {}))
        message = told.pop("message", None) or record.getMessage()
        fields = {**(scope.fields() if scope is not None else {}), **told}
        trace = record.exc_text or (self._plain.formatException(record.exc_info) if record.exc_info else "")
        return LogLine(
            at=datetime.fromtimestamp(record.created, UTC),
            severity=record.levelno,
            level=record.levelname,
            logger=record.name,
            message=_hidden(str(message)),
            fields={name: _value(value) for name, value in fields.items() if value not in ("", None, ())},
            exception=_hidden(trace),
        )


def _value(value: object) -> str | int | float:
    if isinstance(value, bool | int | float):
        return value
    return _hidden("; ".join(value) if isinstance(value, list | tuple) else str(value))


def _hidden(text: str) -> str:
    return without_passwords(masked(text))
