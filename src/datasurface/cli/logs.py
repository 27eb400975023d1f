"""Where logs of a command go: standard error, one line each, as text or as JSON."""

from __future__ import annotations

import logging
import os

import click

from datasurface.runtime.report import console_handler

__all__ = ["log_format_option", "log_to_stderr"]

_VARIABLE = "DATASURFACE_LOG_FORMAT"
_FORMATS = ("text", "json")

log_format_option = click.option(
    "--log-format", type=click.Choice(_FORMATS), help=f"How log lines are written; {_VARIABLE}, else text."
)
"""Lets a verb that runs batches write its log as JSON; passed as `log_format`."""


def log_to_stderr(log_format: str | None = None) -> None:
    """Have the logger `datasurface` write to standard error; safe to call twice.

    Args:
        log_format: `text` or `json`; None for what `DATASURFACE_LOG_FORMAT` says.
    """
    logger = logging.getLogger("datasurface")
    logger.setLevel(logging.INFO)
    if not logger.handlers:
        logger.addHandler(console_handler(_formatter(log_format or os.environ.get(_VARIABLE) or "text")))


def _formatter(log_format: str) -> logging.Formatter | None:
    if log_format not in _FORMATS:
        raise click.UsageError(f"{_VARIABLE} is {log_format!r}; it may be {' or '.join(_FORMATS)}")
    if log_format == "text":
        return None
    from datasurface.runtime.json_log import JsonFormatter  # noqa: PLC0415 - as late as what it needs

    return JsonFormatter()
