"""How jobs reach containers: secrets are resolved and embedded servers started at the moment of use."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from datasurface.databases.base import Login, Source, adapter_for
from datasurface.databases.merge import MergeStore
from datasurface.errors import ConfigurationError, SecretError
from datasurface.model.infrastructure import Container, Credential, EmbeddedPostgres, PostgresDatabase
from datasurface.model.vocabulary import Tls
from datasurface.names import RoleNames
from datasurface.runtime.local import ensure_database, folder_for, start
from datasurface.secrets.base import Secret
from datasurface.secrets.files import FileStore
from datasurface.secrets.keyring import Keyring
from datasurface.secrets.masking import remember

__all__ = ["Logins", "open_store"]

_KEPT = "logins"


class Logins:
    """Makes logins for containers of one model folder, and keeps one open source a container and credential.

    Attributes:
        folder: The model folder.
        environ: The variables that hold secrets and the places of embedded servers.
        secrets: Where the secrets of credentials are looked up.
    """

    def __init__(self, folder: Path, environ: Mapping[str, str], secrets: Keyring) -> None:
        self.folder = folder
        self.environ = environ
        self.secrets = secrets
        self._sources: dict[tuple[Container, Credential | None], Source] = {}
        self._lock = threading.Lock()

    def secret(self, credential: Credential) -> Secret:
        """Return a credential's secret.

        Raises:
            SecretError: it is absent or incomplete.
        """
        return self.secrets.locate(credential).secret

    def login(self, container: Container, credential: Credential | None) -> Login:
        """Return how to reach a container; an embedded server is started if it does not run.

        Raises:
            SecretError: the credential's secret is absent or incomplete.
            StoreError: the embedded server does not start.
        """
        if isinstance(container, EmbeddedPostgres):
            return self._embedded(container)
        return self._external(container, credential, self.secrets.find(credential))

    def _external(self, container: Container, credential: Credential | None, secret: Secret | None) -> Login:
        return Login(
            container=container,
            user=secret.user if secret else None,
            password=secret.password if secret else None,
            folder=self.folder,
            renew=lambda: self._external(container, credential, self.secrets.find(credential)),
            refused=lambda: self._external(container, credential, self.secrets.refresh(credential)),
        )

    def _embedded(self, container: EmbeddedPostgres) -> Login:
        server = start(folder_for(self.folder, container.name, self.environ))
        database = container.database or "datasurface"
        remember([server.password])
        ensure_database(server, database)
        reached = PostgresDatabase(
            container.name,
            host=server.host,
            port=server.port,
            database=database,
            schema=container.schema,
            connections=container.connections,
            tls=Tls.DISABLE,
        )
        return Login(
            container=reached,
            user=server.user,
            password=server.password,
            folder=self.folder,
            own=True,
            renew=lambda: self._embedded(container),
        )

    def keyring(self, container: Container) -> Keyring:
        """Return where the passwords of logins that DataSurface makes are kept.

        An embedded server's are kept beside its data, in a folder that only its user can read.
        """
        if not isinstance(container, EmbeddedPostgres):
            return self.secrets
        folder = self.kept(container)
        return Keyring([(str(folder), lambda: FileStore.at(folder))])

    def kept(self, container: EmbeddedPostgres) -> Path:
        """Return the folder of an embedded server's passwords."""
        return folder_for(self.folder, container.name, self.environ) / _KEPT

    def managed(self, container: Container, credential: str) -> Login | None:
        """Return how to log in to a container as one of those that DataSurface makes; None if it has made none."""
        wanted = Credential(credential)
        secret = self.keyring(container).now(wanted)
        if secret is None:
            return None
        if not isinstance(container, EmbeddedPostgres):
            return self._external(container, wanted, secret)
        server = self._embedded(container)
        found = dataclasses.replace(server, user=secret.user, password=secret.password)
        again = partial(self._again, container, credential, found)
        return dataclasses.replace(found, renew=again, refused=again)

    def _again(self, container: Container, credential: str, former: Login) -> Login:
        return self.managed(container, credential) or former

    def working(self, container: Container, credential: Credential | None, roles: RoleNames) -> Login:
        """Return how batches and `apply` log in: by the login made for them, if there is one, as the objects' owner.

        Whoever logs in, what is made then belongs to the owner's role as far as that exists.
        """
        own = None if isinstance(container, EmbeddedPostgres) else self.managed(container, roles.credential("run"))
        if own is not None:
            _refuse_another(own, roles)
        return dataclasses.replace(own or self.login(container, credential), role=roles.owner)

    def source(self, container: Container, credential: Credential | None) -> Source:
        """Return the source for a container, connected at its first reading and shared by all streams that read it."""
        key = (container, credential)
        with self._lock:
            if key not in self._sources:
                self._sources[key] = adapter_for(container).source(self.login(container, credential))
            return self._sources[key]

    def own_source(self, container: Container, credential: Credential | None, roles: RoleNames) -> Source:
        """Return the platform's own database as a source, read by the login that batches work with."""
        key = (container, Credential(roles.owner))
        with self._lock:
            if key not in self._sources:
                self._sources[key] = adapter_for(container).source(self.working(container, credential, roles))
            return self._sources[key]

    def close(self) -> None:
        """Give all sources' connections back."""
        with self._lock:
            sources, self._sources = list(self._sources.values()), {}
        for source in sources:
            source.close()


def _refuse_another(login: Login, roles: RoleNames) -> None:
    """Refuse a login that was made for another environment, whose secret has the same name in the same store.

    Raises:
        SecretError: it is one.
    """
    user = login.user or ""
    made = user.startswith("ds.") and user.endswith((".run.a", ".run.b"))
    if made and user not in roles.logins(roles.run):
        raise SecretError(
            f"the secret {roles.credential('run')!r} holds the login {user!r}, which was made for another platform",
            hint="give each environment a secret store, or a folder of secrets, of its own",
        )


def open_store(logins: Logins, container: Container, credential: Credential | None, roles: RoleNames) -> MergeStore:
    """Return the merge database in a container.

    Raises:
        ConfigurationError: that kind of database cannot merge.
    """
    adapter = adapter_for(container)
    make = getattr(adapter, "merge_store", None)
    if make is None:
        raise ConfigurationError(f"{adapter.capabilities.database} cannot be a merge database")
    store: MergeStore = make(logins.working(container, credential, roles))
    return store
