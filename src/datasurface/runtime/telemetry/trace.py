"""Trace contexts as W3C Trace Context has them (https://www.w3.org/TR/trace-context/), without any library."""

from __future__ import annotations

import os
import re
from contextvars import ContextVar
from dataclasses import dataclass

__all__ = ["CURRENT", "Scope", "Trace", "new_trace"]

_HEADER = re.compile(r"[0-9a-f]{2}-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})(-.*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Where a batch stands in a trace.

    Attributes:
        trace_id: 32 hex digits.
        span_id: The batch's own span, 16 hex digits.
        parent_id: The span that asked for it; empty if nobody did.
        sampled: Whether the trace is recorded.
    """

    trace_id: str
    span_id: str
    parent_id: str = ""
    sampled: bool = True

    @property
    def header(self) -> str:
        """The `traceparent` for what the batch asks for."""
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.sampled else '00'}"


def new_trace(parent: str | None = None) -> Trace:
    """Return the trace of a new batch: that of a `traceparent`, else a new one; one that is malformed is ignored."""
    found = _HEADER.fullmatch((parent or "").strip().lower())
    span = os.urandom(8).hex()
    if found is None or not int(found["trace"], 16) or not int(found["span"], 16) or parent.startswith("ff"):  # type: ignore[union-attr] # matched
        return Trace(trace_id=os.urandom(16).hex(), span_id=span)
    sampled = bool(int(found["flags"], 16) & 1)
    return Trace(trace_id=found["trace"], span_id=span, parent_id=found["span"], sampled=sampled)


@dataclass(slots=True)
class Scope:
    """The batch that a thread works on, for its log lines.

    Attributes:
        batch: Its number, once it has one.
    """

    platform: str
    stream: str
    trace: Trace
    batch: int | None = None

    def fields(self) -> dict[str, str | int]:
        """Return what a log line says of it."""
        found: dict[str, str | int] = {"platform": self.platform, "stream": self.stream}
        if self.batch is not None:
            found["batch"] = self.batch
        return found | {"trace_id": self.trace.trace_id, "span_id": self.trace.span_id}


CURRENT: ContextVar[Scope | None] = ContextVar("datasurface_batch", default=None)
"""The batch that runs in this thread, if one does."""
