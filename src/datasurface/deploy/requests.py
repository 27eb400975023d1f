"""What a job asks of the machine that runs it: what a hint says, else what the ledger has learned, else the default."""

from __future__ import annotations

from datasurface.deploy.base import Deployable
from datasurface.deploy.pod import Need
from datasurface.model.platform import Hint, YellowPlatform
from datasurface.release.job import JobSpec, PlatformSpec
from datasurface.transform.memory import bytes_of

__all__ = ["hint_of", "request_of"]

_MIB = 1024 * 1024
_STEP = 64
_SPARE = 1.5
"""How much more memory a job gets than its highest peak so far."""


def hint_of(deployable: Deployable, platform: PlatformSpec, job: JobSpec) -> Hint:
    """Return what the model says a job needs: the platform's hint for the stream, else its transformer's own."""
    declared = {p.name: p for p in deployable.release.ecosystem.platforms}
    bound = {p.name: p for p in (deployable.environment.platforms if deployable.environment is not None else ())}
    found = bound.get(platform.name, declared.get(platform.name))
    hints = found.hints if isinstance(found, YellowPlatform) else {}
    names = [job.stream, job.datastore]
    if job.transformer is not None:
        names += [job.transformer.name, job.transformer.workspace]
    given = [hints[name] for name in names if name in hints]
    own = job.transformer.resources if job.transformer is not None else None
    return _merged([*given, *([own] if own is not None else [])])


def request_of(deployable: Deployable, platform: PlatformSpec, job: JobSpec) -> Need:
    """Return what a job's pod asks of its node."""
    hint = hint_of(deployable, platform, job)
    learned = deployable.learned.get(platform.name, {}).get(job.stream)
    usual = Need()
    memory = usual.memory
    if hint.memory is not None:
        memory = -(-bytes_of(hint.memory) // _MIB)
    elif learned is not None and learned.memory is not None:
        memory = max(_rounded(learned.memory * _SPARE / _MIB), usual.memory // 2)
    return Need(cpu=usual.cpu if hint.cpu is None else max(1, round(hint.cpu * 1000)), memory=memory)


def _rounded(memory: float) -> int:
    return -(-int(memory) // _STEP) * _STEP


def _merged(hints: list[Hint]) -> Hint:
    """Return the first value that any of the hints has, field by field."""

    def first(field: str) -> object:
        return next((value for hint in hints if (value := getattr(hint, field)) is not None), None)

    return Hint(**{field: first(field) for field in ("cpu", "memory", "connections", "timeout")})  # type: ignore[arg-type]
