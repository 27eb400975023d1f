"""Which transformers a change makes run: those without a schedule that derive from it, near and far. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Self

from datasurface.release.job import Changed, JobSpec

__all__ = ["Triggers"]


class Triggers:
    """The transformers of a release that run on change, by what changes."""

    def __init__(self) -> None:
        self._dependents: dict[str, list[str]] = {}
        self._seen: dict[str, int] = {}
        self._postponed: set[str] = set()
        self.all: tuple[str, ...] = ()

    @classmethod
    def of(cls, jobs: Iterable[JobSpec]) -> Self:
        """Return the triggers of a release's jobs."""
        made = cls()
        derived = {job.stream: job for job in jobs if job.transformer is not None}
        inputs = {name: job.transformer.triggers for name, job in derived.items() if job.transformer is not None}
        made.all = tuple(sorted(name for name, job in derived.items() if isinstance(job.capture.every, Changed)))
        for stream in made.all:
            for source in sorted(inputs.get(stream, ())):
                made._dependents.setdefault(source, []).append(stream)
        return made

    @property
    def any(self) -> bool:
        """Whether anything runs on change."""
        return bool(self.all)

    def after(self, stream: str) -> list[str]:
        """Return all streams that a change of `stream` reaches, sorted; a scheduled one stops it."""
        reached: set[str] = set()
        work = [stream]
        while work:
            found = [d for d in self._dependents.get(work.pop(), ()) if d not in reached]
            reached.update(found)
            work += found
        return sorted(reached)

    def noticed(self, changed: Mapping[str, int]) -> list[str]:
        """Return what the changes reach that came since the last call, whoever made them."""
        moved = [stream for stream, batch in changed.items() if self._seen.get(stream) != batch]
        self._seen = dict(changed)
        return sorted({reached for stream in moved for reached in self.after(stream)})

    def postpone(self, streams: Iterable[str]) -> None:
        """Note that streams have to run again when they have ended."""
        self._postponed.update(streams)

    def take_postponed(self, stream: str) -> bool:
        """Tell whether a stream that has ended has to run again."""
        if stream not in self._postponed:
            return False
        self._postponed.discard(stream)
        return True
