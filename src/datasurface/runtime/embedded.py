"""The embedded servers that a model's containers mean: where each lives and whether it runs. Starts none by itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from datasurface.model.effective import all_containers
from datasurface.model.infrastructure import Container, EmbeddedPostgres
from datasurface.release.bind import binding_of
from datasurface.runtime.folder import ModelFolder
from datasurface.runtime.local import LocalServer, ensure_database, folder_for, start, status, stop
from datasurface.runtime.local.place import told_as_store_error

__all__ = ["EmbeddedServer", "embedded_of", "embedded_servers", "start_server", "stop_server"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedServer:
    """An embedded server of a model.

    Attributes:
        container: The container's name.
        databases: The databases in it that the model names.
        folder: Where it lives.
        made: Whether it has data.
        server: The running server; None while it does not run.
    """

    container: str
    databases: tuple[str, ...]
    folder: Path
    made: bool
    server: LocalServer | None

    @property
    def state(self) -> str:
        """Return `running`, `stopped` or `not made`."""
        return "running" if self.server else "stopped" if self.made else "not made"

    def to_json(self) -> dict[str, object]:
        """Return what `--json` prints; never the password."""
        server = self.server
        return {
            "container": self.container,
            "databases": list(self.databases),
            "folder": str(self.folder),
            "state": self.state,
            "host": server.host if server else None,
            "port": server.port if server else None,
            "pid": server.pid if server else None,
            "version": server.version if server else None,
        }


def embedded_servers(model: ModelFolder) -> list[EmbeddedServer]:
    """Return every embedded server of a model, platforms' and sources', sorted by name."""
    databases: dict[str, set[str]] = {}
    for container in _containers(model):
        if isinstance(container, EmbeddedPostgres):
            databases.setdefault(container.name, set()).add(container.database or "datasurface")
    return [_look(model, name, tuple(sorted(found))) for name, found in sorted(databases.items())]


def embedded_of(model: ModelFolder, container: Container) -> EmbeddedServer | None:
    """Return the embedded server that a container is; None if it is none."""
    if not isinstance(container, EmbeddedPostgres):
        return None
    return _look(model, container.name, (container.database or "datasurface",))


def start_server(found: EmbeddedServer) -> LocalServer:
    """Make and start a server where needed, with its databases."""
    server = start(found.folder)
    for database in found.databases:
        ensure_database(server, database)
    return server


def stop_server(found: EmbeddedServer) -> bool:
    """Stop a server; False if it did not run."""
    return found.made and stop(found.folder)


def _containers(model: ModelFolder) -> Iterator[Container]:
    binding = binding_of(model.release.ecosystem, model.release.environment)
    for container in all_containers(model.release.ecosystem):
        yield binding.container(container)
    for spec in model.platforms:
        yield spec.container


def _look(model: ModelFolder, name: str, databases: tuple[str, ...]) -> EmbeddedServer:
    folder = folder_for(model.folder, name, model.environ)
    with told_as_store_error(folder):
        made = (folder / "data").exists()
    server = status(folder) if made else None
    return EmbeddedServer(container=name, databases=databases, folder=folder, made=made, server=server)
