"""How people read what a platform holds: the platform's own login, or a read-only one for one workspace's views.

Workspaces have logins of their own on the embedded platform only; on others people are readers of a workspace.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import quote as percent

from datasurface.databases.base import adapter_for
from datasurface.errors import ConfigurationError, DataSurfaceError, NothingActiveError
from datasurface.model.infrastructure import AuroraDatabase, EmbeddedPostgres, PostgresDatabase
from datasurface.names import group_schema
from datasurface.release.job import PlatformSpec
from datasurface.runtime.folder import ModelFolder
from datasurface.runtime.local import LocalServer, folder_for, start
from datasurface.runtime.platform import RunningPlatform
from datasurface.runtime.security import keep_access, workspace_login

__all__ = ["Address", "owner_address", "workspace_address"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where to connect.

    Attributes:
        password: None if it is not ours to give.
        shows_password: Whether the URI holds the password: only that of an embedded database, which is this user's.
        schemas: The schemas that are worth looking at.
    """

    host: str
    port: int
    database: str
    user: str | None
    password: str | None = field(repr=False)
    shows_password: bool
    schemas: tuple[str, ...] = ()

    @property
    def uri(self) -> str:
        """Return `postgresql://…`, percent-encoded."""
        login = percent(self.user, safe="") if self.user else ""
        if login and self.password and self.shows_password:
            login += f":{percent(self.password, safe='')}"
        host = f"[{self.host}]" if ":" in self.host else percent(self.host, safe="")
        return f"postgresql://{login}{'@' if login else ''}{host}:{self.port}/{percent(self.database, safe='')}"


def owner_address(model: ModelFolder) -> Address:
    """Return how the platform itself logs in to its database.

    Raises:
        ConfigurationError: the model has several platforms and none was chosen, or it is no PostgreSQL.
    """
    spec = _one(model, list(model.platforms))
    container = spec.container
    if isinstance(container, EmbeddedPostgres):
        server = start(folder_for(model.folder, container.name, model.environ))
        return _local(server, container.database or "datasurface", server.user, server.password, ())
    secret = model.secrets(spec).find(spec.credential)
    return _external(spec, secret.user if secret else None, secret.password if secret else None, ())


def workspace_address(model: ModelFolder, workspace: str) -> Address:
    """Return how a workspace's people read its views; on an embedded platform that login is made or updated.

    Raises:
        ConfigurationError: no active release shows anything to such a workspace, or several platforms do.
        NothingActiveError: nothing is active.
    """
    with model.open() as opened:
        active = [(running, running.active()) for running, _ in opened]
        serving = [(r, spec) for r, spec in active if any(view.workspace == workspace for view in spec.views)]
        if not serving:
            raise _unknown(model, workspace, [spec for _, spec in active])
        chosen = _one(model, [spec for _, spec in serving])
        running, spec = next(pair for pair in serving if pair[1] is chosen)
        schemas = _schemas(running, spec, workspace)
        container = spec.container
        if not isinstance(container, EmbeddedPostgres):
            return _external(spec, None, None, schemas)
        return _reader(model, running, spec, container, workspace, schemas)


def _reader(
    model: ModelFolder,
    running: RunningPlatform,
    spec: PlatformSpec,
    container: EmbeddedPostgres,
    workspace: str,
    schemas: tuple[str, ...],
) -> Address:
    server = start(folder_for(model.folder, container.name, model.environ))
    database = container.database or "datasurface"
    keep_access(running, spec, workspaces=[workspace])
    login = workspace_login(running, workspace)
    return _local(server, database, login.user or "", login.password or "", schemas)


def _schemas(running: RunningPlatform, spec: PlatformSpec, workspace: str) -> tuple[str, ...]:
    groups = {view.group for view in spec.views if view.workspace == workspace}
    return tuple(sorted(group_schema(workspace, group, running.limit) for group in groups))


def _one(model: ModelFolder, specs: list[PlatformSpec]) -> PlatformSpec:
    if len(specs) > 1:
        names = ", ".join(spec.name for spec in specs)
        raise ConfigurationError(
            f"ecosystem {model.release.ecosystem.name!r} has several such platforms", hint=f"--platform: one of {names}"
        )
    return specs[0]


def _unknown(model: ModelFolder, workspace: str, specs: list[PlatformSpec]) -> DataSurfaceError:
    if any(view.workspace == workspace for spec in model.platforms for view in spec.views):
        return NothingActiveError(
            f"the active release shows nothing to workspace {workspace!r}", hint="run `datasurface apply`"
        )
    names = sorted({view.workspace for spec in specs for view in spec.views})
    return ConfigurationError(
        f"there is no workspace {workspace!r} with anything to read",
        hint=f"the workspaces are {', '.join(names)}" if names else "no workspace has anything to read",
    )


def _local(server: LocalServer, database: str, user: str, password: str, schemas: tuple[str, ...]) -> Address:
    return Address(
        host=server.host,
        port=server.port,
        database=database,
        user=user,
        password=password,
        shows_password=True,
        schemas=schemas,
    )


def _external(spec: PlatformSpec, user: str | None, password: str | None, schemas: tuple[str, ...]) -> Address:
    container = spec.container
    if not isinstance(container, PostgresDatabase | AuroraDatabase):
        database = adapter_for(container).capabilities.database
        raise ConfigurationError(f"{container.label()} is {database}, which has no postgresql:// URI")
    return Address(
        host=container.host,
        port=container.port,
        database=container.database,
        user=user,
        password=password,
        shows_password=False,
        schemas=schemas,
    )
