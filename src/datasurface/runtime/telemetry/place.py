"""What events say of a platform, read from its own tables once a release."""

from __future__ import annotations

import threading
from functools import partial

from sqlalchemy import select

from datasurface.errors import StoreError
from datasurface.runtime.platform import RunningPlatform
from datasurface.runtime.telemetry.events import Platform
from datasurface.store.tables import bind, views
from datasurface.store.tables import platform as platform_table

__all__ = ["Place"]

_Views = dict[tuple[str, str], list[str]]


class Place:
    """A platform as events name it; usable by several threads."""

    def __init__(self, running: RunningPlatform) -> None:
        self._running = running
        self._lock = threading.Lock()
        self._known: Platform | None = None
        self._release = ""

    def at(self, release: str) -> Platform:
        """Return the platform as a release has it; without what cannot be read, for nothing may fail for that."""
        with self._lock:
            if self._known is None or release != self._release:
                try:
                    self._known, self._release = self._read(), release
                except StoreError:
                    return self._made("", {})
            return self._known

    def _read(self) -> Platform:
        found: _Views = {}
        with self._running.reading() as connection:
            bound = bind(connection, self._running.schema)
            epoch = bound.execute(select(platform_table.c.epoch)).scalar_one_or_none()
            for row in bound.execute(select(views.c.stream, views.c.dataset, views.c.schema_name, views.c.view_name)):
                found.setdefault((row.stream, row.dataset), []).append(f"{row.schema_name}.{row.view_name}")
        return self._made(epoch or "", {key: sorted(names) for key, names in found.items()})

    def _made(self, epoch: str, shown: _Views) -> Platform:
        running = self._running
        return Platform(
            ecosystem=running.roles.ecosystem,
            environment=running.roles.environment,
            name=running.name,
            epoch=epoch,
            container=running.container,
            schema=running.schema,
            table=partial(_table, running),
            views=lambda stream, dataset: shown.get((stream, dataset), ()),
        )


def _table(running: RunningPlatform, reference: str) -> str:
    return running.store.tables_of(running.schema, reference).current
