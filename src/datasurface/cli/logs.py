"""Where logs of a command go: standard error, one line each."""

from __future__ import annotations

import logging

from datasurface.runtime.report import console_handler

__all__ = ["log_to_stderr"]


def log_to_stderr() -> None:
    """Have the logger `datasurface` write to standard error; safe to call twice."""
    logger = logging.getLogger("datasurface")
    logger.setLevel(logging.INFO)
    if not logger.handlers:
        logger.addHandler(console_handler())
