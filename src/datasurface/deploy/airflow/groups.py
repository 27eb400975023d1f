"""Which streams share a task: those that the environment declares, and short ones that the ledger suggests. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from datasurface.deploy.airflow.trigger import interval_of
from datasurface.deploy.base import Learned
from datasurface.errors import ConfigurationError
from datasurface.model.airflow import Airflow
from datasurface.model.serial import encode
from datasurface.names import is_identifier
from datasurface.release.job import JobSpec, PlatformSpec

__all__ = ["Task", "refuse_unknown", "tasks_of"]

_SHORT = 15.0
_OFTEN = 15 * 60
_START_UP = 0.5
"""What a stream costs in a task besides its batch, in seconds."""
_FILLED = 0.25
"""Which part of the interval the streams of a task may take."""
_DIGITS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """The streams of one DAG.

    Attributes:
        group: What it is called if there are several; None for the only one's own DAG.
        jobs: The streams, sorted by name.
    """

    group: str | None = None
    jobs: tuple[JobSpec, ...]


def tasks_of(platform: PlatformSpec, settings: Airflow, learned: Mapping[str, Learned]) -> tuple[Task, ...]:
    """Return a platform's tasks, sorted by their streams; each stream is in exactly one.

    Raises:
        ConfigurationError: a declared group cannot share a task.
    """
    declared = list(_declared(platform, settings))
    taken = {job.stream for task in declared for job in task.jobs}
    rest = sorted([job for job in platform.jobs if job.stream not in taken], key=lambda job: job.stream)
    shared = list(_suggested(rest, learned)) if settings.group_learned else []
    taken = {job.stream for task in shared for job in task.jobs}
    alone = [Task(jobs=(job,)) for job in rest if job.stream not in taken]
    return tuple(sorted([*declared, *shared, *alone], key=lambda task: task.jobs[0].stream))


def refuse_unknown(platforms: Sequence[PlatformSpec], settings: Airflow) -> None:
    """Raise `ConfigurationError` if a group names a stream that no platform has, or one that another group has."""
    known = {job.stream for platform in platforms for job in platform.jobs}
    seen: dict[str, str] = {}
    for group, streams in sorted(settings.groups.items()):
        for stream in streams:
            if stream not in known:
                raise ConfigurationError(
                    f"the group {group!r} of Airflow has the stream {stream!r}, which does not exist",
                    hint="`datasurface graph` lists the streams",
                )
            if stream in seen:
                raise ConfigurationError(
                    f"the stream {stream!r} is in two groups of Airflow: {seen[stream]!r} and {group!r}",
                    hint="leave it in one",
                )
            seen[stream] = group


def _declared(platform: PlatformSpec, settings: Airflow) -> Iterator[Task]:
    for group, streams in sorted(settings.groups.items()):
        jobs = tuple(sorted([j for j in platform.jobs if j.stream in streams], key=lambda job: job.stream))
        if not is_identifier(group):
            raise ConfigurationError(
                f"a group of Airflow cannot be called {group!r}", hint="use letters, digits and underscores"
            )
        kinds = {_kind(job) for job in jobs}
        if len(kinds) > 1 or None in kinds:
            raise ConfigurationError(
                f"the streams of Airflow's group {group!r} cannot share a task",
                hint="they need one schedule, one source and one credential; a transformer has a task of its own",
            )
        if jobs:
            yield Task(group=group if len(jobs) > 1 else None, jobs=jobs)


def _kind(job: JobSpec) -> str | None:
    """Return what the streams of a task have in common; None for one that shares none."""
    if job.transformer is not None:
        return None
    every = job.capture.every
    schedule = every if isinstance(every, str) else encode(every)
    return json.dumps([job.source.name, job.credential.name if job.credential else None, schedule], sort_keys=True)


def _suggested(jobs: Sequence[JobSpec], learned: Mapping[str, Learned]) -> Iterator[Task]:
    kinds: dict[str, list[JobSpec]] = {}
    for job in jobs:
        kind, interval, known = _kind(job), interval_of(job.capture.every), learned.get(job.stream)
        if kind and interval and known and interval <= _OFTEN and known.seconds <= min(_SHORT, interval * _FILLED):
            kinds.setdefault(kind, []).append(job)
    for kind, members in sorted(kinds.items()):
        yield from _packed(kind, members, learned)


def _packed(kind: str, jobs: Sequence[JobSpec], learned: Mapping[str, Learned]) -> Iterator[Task]:
    """Yield tasks of which each has time enough, a power of two, so that a further stream moves no others."""
    room = (interval_of(jobs[0].capture.every) or 0) * _FILLED
    needed = sum(learned[job.stream].seconds + _START_UP for job in jobs)
    number = 1
    while number * room < needed:
        number *= 2
    shares: dict[int, list[JobSpec]] = {}
    for job in jobs:
        shares.setdefault(_number(job.stream) % number, []).append(job)
    stem = f"{jobs[0].source.name}-{hashlib.sha256(kind.encode()).hexdigest()[:_DIGITS]}"
    for share, members in sorted(shares.items()):
        if len(members) > 1:
            yield Task(group=f"{stem}-{share + 1}of{number}", jobs=tuple(members))


def _number(stream: str) -> int:
    return int.from_bytes(hashlib.sha256(stream.encode()).digest()[:8], "big")
