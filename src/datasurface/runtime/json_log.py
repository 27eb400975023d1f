"""Log lines as JSON, one object a line: for collectors that read what a process writes."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

from datasurface.runtime.report import without_passwords
from datasurface.runtime.telemetry.trace import CURRENT
from datasurface.secrets.masking import masked

__all__ = ["JsonFormatter"]


class JsonFormatter(logging.Formatter):
    """Writes `time`, `level`, `logger` and `message`, what the line itself tells, and which batch the thread works on.

    Keys that are not known are absent: `platform, stream, batch, trace_id, span_id`, and for the line that tells what
    became of a batch `state, rows_read, inserted, updated, deleted, seconds, error, warnings`; `exception` is a
    traceback.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, with known secrets and passwords masked."""
        scope = CURRENT.get()
        told = getattr(record, "datasurface", {})
        fields: dict[str, object] = {
            "time": f"{datetime.fromtimestamp(record.created, UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **(scope.fields() if scope is not None else {}),
            **{name: value for name, value in told.items() if value not in ("", None, ())},
        }
        if trace := self._traceback(record):
            fields["exception"] = trace
        return json.dumps({name: _hidden(value) for name, value in fields.items()}, ensure_ascii=False, default=str)

    def _traceback(self, record: logging.LogRecord) -> str:
        if record.exc_text:
            return record.exc_text
        return self.formatException(record.exc_info) if record.exc_info and record.exc_info[0] is not None else ""


def _hidden(value: object) -> object:
    if isinstance(value, str):
        return without_passwords(masked(value))
    if isinstance(value, list | tuple):
        return [_hidden(part) for part in value]
    return value
