"""The jobs of the system: what has to be done for a platform besides its streams, each to its end and told as a result.

They know no model folder; what a platform has to run and to show is in its active release.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from datasurface.errors import DataSurfaceError
from datasurface.release.job import PlatformSpec
from datasurface.release.needs import SystemJob
from datasurface.runtime.apply import this_user
from datasurface.runtime.audit import ModelAudit, audit_platform
from datasurface.runtime.platform import RunningPlatform, open_platform
from datasurface.runtime.releases.follow import follow_once
from datasurface.runtime.retention import keep_tidy
from datasurface.runtime.security import open_access
from datasurface.runtime.verdict import Verdict, verdict_of_error, worst
from datasurface.secrets.masking import masked
from datasurface.security.change import Change
from datasurface.security.sync import sync
from datasurface.store.system_runs import record_system_run

__all__ = ["SystemResult", "run_system"]

_LOGGER = logging.getLogger("datasurface")


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemResult:
    """How a job of the system ended.

    Attributes:
        verdict: What a scheduler is to make of it.
        error: Why it is not well; empty if it is.
        told: What it did or found, as JSON has it.
    """

    verdict: Verdict
    error: str = ""
    told: Mapping[str, object] = field(default_factory=dict)


def run_system(kind: SystemJob, platform: PlatformSpec, folder: Path, environ: Mapping[str, str]) -> SystemResult:
    """Do one of the system's jobs for a platform.

    Raises:
        DataSurfaceError: the platform cannot be opened, nothing is active, or the job cannot go on.
    """
    if kind is SystemJob.APPLY:
        return _apply(platform, folder, environ)
    with open_platform(platform, folder, environ) as running:
        try:
            result = _WORKS[kind](running)
        except Exception as error:
            _remember(running, kind, f"{type(error).__name__}: {error}")
            raise
        _remember(running, kind, result.error)
        return result


def _remember(running: RunningPlatform, kind: SystemJob, error: str) -> None:
    """Leave a note for whoever watches over the platform; that it cannot be left is no fault of the job."""
    try:
        with running.store.engine.begin() as connection:
            record_system_run(connection, running.schema, kind.value, error=masked(error))
    except (SQLAlchemyError, DataSurfaceError) as fault:
        _LOGGER.debug("the end of %s is not noted: %s", kind, running.store.explain_error(fault))


def _apply(platform: PlatformSpec, folder: Path, environ: Mapping[str, str]) -> SystemResult:
    """Bring the platform to the release that its rule selects; one that has to wait is a failure until it is active."""
    followed = follow_once(platform, folder, environ, who=this_user())
    error = "" if followed.state in {"applied", "current", "nothing", "pinned"} else followed.reason
    return SystemResult(verdict=Verdict(followed.exit_code), error=error, told=followed.to_json())


def _security(running: RunningPlatform) -> SystemResult:
    """Make access as the active release says; what is unsafe waits until somebody agrees to it."""
    with open_access(running, running.active(), running.active_digest()) as access:
        synced = sync(access)
    waiting = [{**_change(change), "reason": reason} for change, reason in synced.waiting]
    told: dict[str, object] = {
        "done": [_change(change) for change in synced.done],
        "waiting": waiting,
        "unsafe": [_change(change) for change in synced.unsafe],
    }
    if not synced.complete:
        names = [change.sentence() for change in (*synced.unsafe, *(change for change, _ in synced.waiting))]
        error = f"access is not as the model says: {'; '.join(names[:3])}; `datasurface security plan` shows all"
        return SystemResult(verdict=Verdict.FAILED, error=error, told=told)
    return SystemResult(verdict=Verdict.CHANGED if synced.done else Verdict.NOTHING, told=told)


def _change(change: Change) -> dict[str, object]:
    return {"action": change.action, "target": change.target, "detail": change.detail}


def _retention(running: RunningPlatform) -> SystemResult:
    """Forget what the ledger need not keep."""
    running.active_digest()
    forgotten = keep_tidy(running)
    verdict = Verdict.CHANGED if forgotten.any else Verdict.NOTHING
    return SystemResult(verdict=verdict, told=forgotten.to_json())


def _audit(running: RunningPlatform) -> SystemResult:
    """Prove that what consumers see equals the sources; a stream that a run holds is to be tried again."""
    found = ModelAudit()
    audit_platform(running, running.active().jobs, found)
    wrong = [f"{a.stream} {a.dataset}: {a.wrong} keys wrong" for a in found.datasets if not a.ok]
    if wrong:
        return SystemResult(verdict=Verdict.FAILED, error="; ".join(wrong), told=found.to_json())
    if found.failed or found.busy:
        reasons = [f"{stream}: {masked(str(error))}" for stream, error in sorted(found.failed.items())]
        reasons += [f"{stream}: a run holds it" for stream in found.busy]
        verdict = worst([Verdict.AGAIN, *(verdict_of_error(error) for error in found.failed.values())])
        return SystemResult(verdict=verdict, error=f"not audited: {'; '.join(reasons)}", told=found.to_json())
    return SystemResult(verdict=Verdict.CHANGED, told=found.to_json())


_WORKS: Mapping[SystemJob, Callable[[RunningPlatform], SystemResult]] = {
    SystemJob.SECURITY: _security,
    SystemJob.RETENTION: _retention,
    SystemJob.AUDIT: _audit,
}
