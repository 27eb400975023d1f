"""How the result of a batch is told: a value, one structured log line, an exit code.

It must not know how a batch is run. Logging is configured by the command line alone.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TextIO

from datasurface.runtime.progress import NullProgress, Progress, progress_on_terminal
from datasurface.secrets.masking import masked

__all__ = [
    "BatchReport",
    "NullProgress",
    "Progress",
    "console_handler",
    "exit_code",
    "log_fields",
    "log_line",
    "log_report",
    "progress_on_terminal",
    "without_passwords",
]

_LOGGER = logging.getLogger("datasurface")
_GOOD = frozenset({"merged", "idle"})
_UNREACHABLE = "unreachable"
_LEVELS = {
    "failed": logging.ERROR,
    _UNREACHABLE: logging.ERROR,
    "parked": logging.WARNING,
    "busy": logging.WARNING,
    "abandoned": logging.WARNING,
}
_PLAIN = re.compile(r"[\w.:/@+,-]+\Z", re.ASCII)
_SECRETS = (
    re.compile(r"(?P<before>\w://[^\s:/@]*:)[^\s/]+(?=@)"),
    re.compile(
        r"""(?P<before>\b(?:password|passwd|pwd|secret|token)(?:["']?\s*=|["']\s*:)\s*)(?:"[^"]*"|'[^']*'|[^\s,;&]+)""",
        re.IGNORECASE,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchReport:
    """What became of one run of a stream.

    Attributes:
        stream: The stream's name.
        batch_id: The batch's number; None if none was opened.
        state: `merged` or `idle` if all went well; else `parked`, `failed`, `busy`, `abandoned`, `unreachable`.
        seconds: How long the run took.
        error: Why it is not well, with known secrets masked; may be empty.
        warnings: What checks found that do not stop it.
        changed: Whether consumers see anything else than before, a first load included.
        transient: Whether what went wrong may pass by itself.
        platform: Where it ran; empty if it did not come so far.
        trace_id: The trace that it is a part of; empty if it did not come so far.
    """

    stream: str
    batch_id: int | None
    state: str
    rows_read: int = 0
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    seconds: float = 0.0
    error: str = ""
    warnings: tuple[str, ...] = ()
    changed: bool = False
    transient: bool = False
    platform: str = ""
    trace_id: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "error", masked(self.error))
        object.__setattr__(self, "warnings", tuple([masked(warning) for warning in self.warnings]))

    @property
    def nothing(self) -> bool:
        """Whether there was nothing to do, so that no batch was opened."""
        return self.batch_id is None and self.state in {"idle", "waiting"}

    @property
    def ok(self) -> bool:
        """Whether consumers now see what the source had."""
        return self.state in _GOOD


def exit_code(reports: Iterable[BatchReport]) -> int:
    """Return what `run --once` exits with: 0 if all went well, 2 if a merge database was out of reach, else 1."""
    found = list(reports)
    if any(report.state == _UNREACHABLE for report in found):
        return 2
    return 0 if all(report.ok for report in found) else 1


def log_line(report: BatchReport) -> str:
    """Return the report as one line of `name=value` pairs (logfmt); passwords that an error might carry are masked."""
    pairs = [("stream", report.stream)]
    if report.batch_id is not None:
        pairs.append(("batch", str(report.batch_id)))
    pairs += [
        ("state", report.state),
        ("read", str(report.rows_read)),
        ("inserted", str(report.inserted)),
        ("updated", str(report.updated)),
        ("deleted", str(report.deleted)),
        ("seconds", f"{report.seconds:.2f}"),
    ]
    if report.error:
        pairs.append(("error", without_passwords(report.error)))
    pairs += [("warning", without_passwords(warning)) for warning in report.warnings]
    return "batch " + " ".join([f"{name}={_quoted(value)}" for name, value in pairs])


def log_report(report: BatchReport) -> None:
    """Write the report's line to the logger `datasurface`, as loud as its state is bad."""
    usual = logging.WARNING if report.warnings else logging.INFO
    level = _LEVELS.get(report.state, usual)
    _LOGGER.log(level, "%s", log_line(report), extra={"datasurface": log_fields(report)})


def log_fields(report: BatchReport) -> dict[str, object]:
    """Return the report as the fields of a structured log line."""
    return {
        "message": "batch",
        "platform": report.platform,
        "stream": report.stream,
        "batch": report.batch_id,
        "state": report.state,
        "rows_read": report.rows_read,
        "inserted": report.inserted,
        "updated": report.updated,
        "deleted": report.deleted,
        "seconds": round(report.seconds, 3),
        "error": report.error,
        "warnings": report.warnings,
        "trace_id": report.trace_id,
    }


def console_handler(formatter: logging.Formatter | None = None) -> logging.Handler:
    """Return the handler that the command line gives to the logger `datasurface`: standard error, times in UTC."""
    handler = _StandardError()
    handler.setFormatter(formatter or _text_formatter())
    return handler


def _text_formatter() -> logging.Formatter:
    formatter = logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%SZ")
    formatter.converter = time.gmtime
    return formatter


class _StandardError(logging.StreamHandler[TextIO]):
    """Writes to whatever standard error is at the moment, so that lines appear above progress bars."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override] # read-only on purpose
        return sys.stderr


def without_passwords(text: str) -> str:
    """Return the text with `***` in place of what looks like a password, whether it is known or not."""
    for secret in _SECRETS:
        text = secret.sub(lambda match: f"{match['before']}***", text)
    return text


def _quoted(value: str) -> str:
    if _PLAIN.match(value):
        return value
    text = json.dumps(value, ensure_ascii=False)
    return "".join([c if c.isprintable() else _escape(c) for c in text])


def _escape(character: str) -> str:
    return json.dumps(character)[1:-1] if ord(character) > 127 else f"\\u{ord(character):04x}"  # noqa: PLR2004 - ASCII
