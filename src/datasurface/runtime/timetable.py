"""The due times of many streams: cheap to ask for the next, cheap to change one. It must not know why they are due."""

from __future__ import annotations

import heapq
from datetime import datetime

__all__ = ["Timetable"]


class Timetable:
    """A heap of due times; an entry that was changed or removed is skipped when it comes up."""

    def __init__(self) -> None:
        self._due: dict[str, datetime] = {}
        self._heap: list[tuple[datetime, str]] = []

    def set(self, stream: str, due: datetime) -> None:
        """Note when a stream is due, instead of what was noted before."""
        if self._due.get(stream) != due:
            self._due[stream] = due
            heapq.heappush(self._heap, (due, stream))

    def clear(self) -> None:
        """Forget everything."""
        self._due.clear()
        self._heap.clear()

    def next(self) -> datetime | None:
        """Return the earliest due time, or None if there is none."""
        while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def take(self, now: datetime) -> list[str]:
        """Remove and return the streams that are due, the earliest first."""
        taken: list[str] = []
        while (due := self.next()) is not None and due <= now:
            stream = heapq.heappop(self._heap)[1]
            del self._due[stream]
            taken.append(stream)
        return taken
