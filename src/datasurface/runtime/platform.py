"""A platform that runs: its merge database, its schema there, and the logins of its sources, opened together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from datasurface.databases.base import adapter_for
from datasurface.databases.merge import MergeStore
from datasurface.errors import DataSurfaceError, NothingActiveError, SourceError, StoreError, TransientError
from datasurface.model.infrastructure import Container
from datasurface.names import RoleNames, platform_schema
from datasurface.release.job import JobSpec, PlatformSpec
from datasurface.runtime.logins import Logins, open_store
from datasurface.secrets.keyring import Keyring
from datasurface.store.releases import active_digest, active_spec, job_of
from datasurface.store.schema_version import PlatformIdentity, is_older, upgrade, verify_identity
from datasurface.store.tables import platform as platform_table

__all__ = ["RunningPlatform", "identity_of", "open_platform"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningPlatform:
    """An open platform.

    Attributes:
        name: The platform's name.
        store: Its merge database.
        schema: Its own schema there.
        limit: The longest name there, in bytes.
        logins: How to reach its sources.
        container: Where its merge database is.
        roles: How its roles there are called.
    """

    name: str
    store: MergeStore
    schema: str
    limit: int
    logins: Logins
    container: Container
    roles: RoleNames

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a connection to look something up; faults become a `StoreError`."""
        try:
            with self.store.engine.connect() as connection:
                yield connection
        except (SourceError, TransientError) as error:
            raise StoreError(f"merge database of platform {self.name!r}: {error.message}", hint=error.hint) from error
        except Exception as error:
            if not isinstance(error, SQLAlchemyError) and not self.store.is_database_error(error):
                raise
            raise StoreError(f"merge database of platform {self.name!r}: {self.store.explain_error(error)}") from error

    def is_enrolled(self) -> bool:
        """Tell whether the platform's own tables exist."""
        with self.reading() as connection:
            return platform_table.name in self.store.read_tables(connection, self.schema)

    def active_digest(self) -> str:
        """Return the digest of the active release.

        Raises:
            NothingActiveError: nothing is active.
        """
        digest = None
        if self.is_enrolled():
            with self.reading() as connection:
                digest = active_digest(connection, self.schema)
        if digest is None:
            raise self._nothing_active()
        return digest

    def active(self) -> PlatformSpec:
        """Return the platform of the active release.

        Raises:
            NothingActiveError: nothing is active.
        """
        spec = None
        if self.is_enrolled():
            with self.reading() as connection:
                spec = active_spec(connection, self.schema)
        if spec is None:
            raise self._nothing_active()
        return spec

    def _nothing_active(self) -> NothingActiveError:
        return NothingActiveError(
            f"no release is active on platform {self.name!r}", hint="run `datasurface apply` first"
        )

    def job(self, stream: str) -> tuple[JobSpec, str]:
        """Return the active release's job for a stream, and that release's digest.

        Raises:
            NothingActiveError: the active release has no such stream.
        """
        with self.reading() as connection:
            found = job_of(connection, self.schema, stream)
        if found is None:
            raise NothingActiveError(
                f"the active release of platform {self.name!r} has no stream {stream!r}",
                hint="`datasurface status` lists the streams",
            )
        return found


def identity_of(spec: PlatformSpec) -> PlatformIdentity:
    """Return whose platform a spec describes."""
    return PlatformIdentity(ecosystem=spec.ecosystem, environment=spec.environment, name=spec.name)


@contextmanager
def open_platform(spec: PlatformSpec, folder: Path, environ: Mapping[str, str]) -> Iterator[RunningPlatform]:
    """Open a platform's merge database and verify that it is this ecosystem's.

    Raises:
        StoreError: it is out of reach, or belongs to another ecosystem or environment.
    """
    logins = Logins(folder, environ, Keyring.of(spec, folder, environ))
    limit = adapter_for(spec.container).capabilities.name_limit
    schema = platform_schema(spec.name, limit)
    roles = RoleNames(spec.ecosystem, spec.environment, spec.name, limit)
    store = open_store(logins, spec.container, spec.credential, roles)
    running = RunningPlatform(
        name=spec.name,
        store=store,
        schema=schema,
        limit=limit,
        logins=logins,
        container=spec.container,
        roles=roles,
    )
    try:
        _verify(running, identity_of(spec))
        yield running
    finally:
        logins.close()
        store.close()


def _verify(running: RunningPlatform, identity: PlatformIdentity) -> None:
    try:
        if running.is_enrolled():
            with running.reading() as connection:
                verify_identity(connection, running.schema, identity)
                older = is_older(connection, running.schema)
            if older:
                _upgrade(running)
    except StoreError:
        raise
    except DataSurfaceError as error:
        raise StoreError(f"merge database of platform {running.name!r}: {error.message}", hint=error.hint) from error


def _upgrade(running: RunningPlatform) -> None:
    """Bring a platform that an older package made up to date; whoever comes second finds it done."""
    with running.store.exclusive(f"upgrade {running.schema}"), running.store.engine.begin() as connection:
        if is_older(connection, running.schema):
            upgrade(connection, running.schema)
