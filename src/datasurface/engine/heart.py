"""The heartbeat: one thread a process says for all its streams that they are still worked on."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import SQLAlchemyError

from datasurface.databases.merge import MergeStore
from datasurface.errors import DataSurfaceError
from datasurface.store.streams import Claim, beat

__all__ = ["Heart"]

_log = logging.getLogger("datasurface.engine")


class Heart:
    """Beats for the claims it is given, about three times in the silence after which a stream is lost."""

    def __init__(self, store: MergeStore, schema: str, *, silence: float) -> None:
        self._store = store
        self._schema = schema
        self._interval = silence / 3
        self._claims: dict[str, Claim] = {}
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    @contextmanager
    def beating(self, claim: Claim) -> Iterator[None]:
        """Beat for a claim as long as the block runs."""
        with self._lock:
            self._claims[claim.stream] = claim
            if self._thread is None:
                self._wake.clear()
                self._thread = threading.Thread(target=self._run, name="datasurface-heart", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                self._claims.pop(claim.stream, None)

    def stop(self) -> None:
        """End the thread."""
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout=5)
            self._thread = None

    def _run(self) -> None:
        while not self._wake.wait(self._interval):
            with self._lock:
                claims = list(self._claims.values())
            if not claims:
                continue
            try:
                with self._store.engine.begin() as connection:
                    beat(connection, self._schema, claims)
            except (SQLAlchemyError, DataSurfaceError) as error:
                # The batch itself finds out if its stream is lost; a missed beat alone is no reason to stop it.
                _log.debug("heartbeat missed: %s", self._store.explain_error(error))
