"""A platform's roles, grants and logins as commands and jobs meet them: opened, brought up to date, looked up.

On an embedded server the passwords are kept in a private folder of that server; elsewhere in the platform's own stores.
"""

from __future__ import annotations

import getpass
import logging
import os
import socket
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from datasurface.databases.base import Login, adapter_for
from datasurface.databases.security import SecurityStore
from datasurface.errors import ConfigurationError, SecretError
from datasurface.model.infrastructure import EmbeddedPostgres
from datasurface.release.job import PlatformSpec, TransformerSpec
from datasurface.runtime.local.place import give_to_owner
from datasurface.runtime.platform import RunningPlatform
from datasurface.security.access import Access
from datasurface.security.sync import Synced, sync
from datasurface.security.vault import Vault
from datasurface.security.wanted import Wanted
from datasurface.store.releases import active_digest

__all__ = ["keep_access", "open_access", "transformer_login", "workspace_login"]

_LOGGER = logging.getLogger("datasurface")


@contextmanager
def open_access(
    running: RunningPlatform, spec: PlatformSpec, digest: str, *, workspaces: Collection[str] = ()
) -> Iterator[Access]:
    """Open a platform's database as an administrator of roles and grants.

    Args:
        running: The platform.
        spec: What its release says.
        digest: That release.
        workspaces: Workspaces that need a login of their own on this machine.

    Raises:
        ConfigurationError: that kind of database has no roles that DataSurface knows how to keep.
        StoreError: it is out of reach.
    """
    adapter = adapter_for(spec.container)
    make = getattr(adapter, "security_store", None)
    if make is None:
        raise ConfigurationError(f"{adapter.capabilities.database} has no roles that DataSurface can keep")
    embedded = isinstance(spec.container, EmbeddedPostgres)
    store: SecurityStore = make(running.logins.login(spec.container, spec.credential))
    wanted = Wanted(
        names=running.roles,
        spec=spec,
        limit=running.limit,
        now=datetime.now(UTC),
        workspaces=frozenset(workspaces),
        whole_database=embedded,
    )
    vault = Vault(running.logins.keyring(spec.container))
    try:
        yield Access(
            store=store, vault=vault, wanted=wanted, digest=digest, who=_who(), clock=lambda: datetime.now(UTC)
        )
    finally:
        store.close()
        if isinstance(spec.container, EmbeddedPostgres):
            _give_to_owner(running.logins.kept(spec.container))


def _who() -> str:
    """Return who asks: the operating system's user and machine."""
    user = "unknown"
    with suppress(OSError, KeyError):
        user = getpass.getuser()
    return f"{user}@{socket.gethostname()} (process {os.getpid()})"


def keep_access(running: RunningPlatform, spec: PlatformSpec, *, workspaces: Collection[str] = ()) -> Synced | None:
    """Bring roles and grants of an embedded platform up to date; None for any other, which `security sync` keeps.

    Unsafe changes are left to `datasurface security sync --unsafe`; what has to wait is logged.
    """
    if not isinstance(spec.container, EmbeddedPostgres):
        return None
    with running.reading() as connection:
        digest = active_digest(connection, running.schema) or ""
    with open_access(running, spec, digest, workspaces=workspaces) as access:
        synced = sync(access)
    if synced.done:
        running.store.engine.dispose()  # what an open session is allowed may date from before
    for change, reason in synced.waiting:
        _LOGGER.warning("platform %s: %s waits: %s", running.name, change.sentence(), reason)
    return synced


def _give_to_owner(folder: Path) -> None:
    """Give what root has just written into another user's server folder to that user."""
    if os.geteuid() == 0 and folder.exists():
        for path in (folder, *folder.rglob("*")):
            give_to_owner(path, folder.parent)


def transformer_login(running: RunningPlatform, spec: TransformerSpec) -> Login:
    """Return how a transformer's code logs in: it reads its workspace's views and writes its output tables.

    Raises:
        SecretError: it has no login yet.
    """
    return _managed(running, running.roles.credential("transformer", spec.workspace), f"transformer {spec.name!r}")


def workspace_login(running: RunningPlatform, workspace: str) -> Login:
    """Return how people on this machine read a workspace's views, for an embedded platform.

    Raises:
        SecretError: it has no login yet.
    """
    return _managed(running, running.roles.credential("reader", workspace), f"workspace {workspace!r}")


def _managed(running: RunningPlatform, credential: str, whose: str) -> Login:
    found = running.logins.managed(running.container, credential)
    if found is None:
        raise SecretError(
            f"{whose} has no login on platform {running.name!r} yet: no store has the secret {credential!r}",
            hint="run `datasurface security sync`",
        )
    return found
