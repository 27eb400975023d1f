"""The periodic sync of access as a transformer: it makes roles and grants as the model says, and tells what changed."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from sqlalchemy import select

from datasurface.errors import ConfigurationError
from datasurface.runtime.platform import RunningPlatform
from datasurface.runtime.security import open_access
from datasurface.security.sync import sync
from datasurface.store.tables import access_changes, bind
from datasurface.transform.system import SystemRun

__all__ = ["security_sync"]

_LOGGER = logging.getLogger("datasurface")
_TOLD = ("sync", "number", "at", "who", "action", "target", "detail")


def security_sync(run: SystemRun) -> None:
    """Sync access as `datasurface security sync` does without `--unsafe`, and write what was ever changed.

    What has to wait is logged; the next run tries it again.
    """
    running = run.platform
    if not isinstance(running, RunningPlatform):
        raise ConfigurationError("the sync of access needs a running platform")
    with open_access(running, running.active(), run.release) as access:
        synced = sync(access)
    for change, reason in synced.waiting:
        _LOGGER.warning("platform %s: %s waits: %s", running.name, change.sentence(), reason)
    for dataset in run.job.datasets:
        run.context.output(dataset.name).write(_changes(running))


def _changes(running: RunningPlatform) -> Iterator[dict[str, object]]:
    """Yield the trail as it is now, later than the moment at which this run reads."""
    columns = [access_changes.c[name] for name in _TOLD]
    query = select(*columns, access_changes.c.model_digest.label("release"))
    with running.reading() as connection:
        for row in bind(connection, running.schema).execution_options(yield_per=5_000).execute(query).mappings():
            yield {"platform": running.name, **{str(name): value for name, value in row.items()}}
