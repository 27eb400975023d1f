"""How the graph's facts are worded, and what keeps any name on its line."""

from __future__ import annotations

from datasurface.model.capture import Cron, Every

__all__ = ["every_as_data", "every_in_words", "printable", "retention_in_words"]


def every_in_words(every: Every) -> str:
    """Return a schedule in words: `every 5 minutes`, `at 0 6 * * 1-5 (UTC)`, `when asked from outside`."""
    if isinstance(every, str):
        return f"every {every}"
    if isinstance(every, Cron):
        return f"at {every.expression} ({every.tz})"
    return "when asked from outside"


def every_as_data(every: Every) -> str:
    """Return a schedule as one stable text: `5 minutes`, `cron 0 6 * * 1-5 UTC`, `external`."""
    if isinstance(every, str):
        return every
    return f"cron {every.expression} {every.tz}" if isinstance(every, Cron) else "external"


def retention_in_words(retention: str | None) -> str:
    """Return how long closed versions are kept, in words."""
    return "kept for ever" if retention is None else f"kept {retention}"


def printable(text: str) -> str:
    """Return `text` with everything escaped that could break a line or a terminal."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
