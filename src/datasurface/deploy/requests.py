"""What a job asks of the machine that runs it: what a hint says, else what the ledger has learned, else the default."""

from __future__ import annotations

from datasurface.deploy.base import Deployable
from datasurface.deploy.pod import Need
from datasurface.model.platform import Hint
from datasurface.release.job import JobSpec, PlatformSpec
from datasurface.transform.memory import bytes_of

__all__ = ["request_of"]

_MIB = 1024 * 1024
_STEP = 64
_SPARE = 1.5
"""How much more memory a job gets than its highest peak so far."""


def request_of(deployable: Deployable, platform: PlatformSpec, job: JobSpec) -> Need:
    """Return what a job's pod asks of its node."""
    hint = job.resources or Hint()
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
