"""How transformers run on a platform: the host of their code, and whether there is anything for them to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from datasurface.databases.base import adapter_for
from datasurface.databases.code import CodeDatabase
from datasurface.errors import ConfigurationError
from datasurface.release.job import Changed, JobSpec, TransformerSpec
from datasurface.runtime.code_logs import logs_of, recording
from datasurface.runtime.platform import RunningPlatform
from datasurface.runtime.security import transformer_login
from datasurface.secrets.base import Secret
from datasurface.secrets.masking import masked
from datasurface.store.ledger import UNFINISHED, last_batch
from datasurface.store.streams import position_of
from datasurface.transform.combination import Combination
from datasurface.transform.host import CodeHost, combination_of

__all__ = ["Nothing", "host_of", "nothing_to_do"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing:
    """Why a transformer does not run now.

    Attributes:
        waits_for: Input streams that were never merged; none if its inputs are as the last merged run saw them.
    """

    waits_for: tuple[str, ...] = ()


def host_of(running: RunningPlatform, job: JobSpec, digest: str) -> CodeHost:
    """Return what the code of a transformer needs of its platform."""
    spec = job.transformer
    if spec is None:
        raise ValueError(f"stream {job.stream} is no transformer's output")
    logins, roles = running.logins, running.roles
    return CodeHost(
        store=running.store,
        database=_database(job),
        schema=running.schema,
        release=digest,
        tables=lambda: logins.own_source(job.source, job.credential, roles),
        login=lambda: transformer_login(running, spec),
        role=roles.transformer(spec.workspace),
        secrets=lambda: _secrets(running, spec),
        hide=masked,
        record=lambda made, batch: recording(
            logs_of(logins.folder, logins.environ, running.name),
            made.stream,
            batch,
            f"transformer {spec.workspace}.{spec.name}",
        ),
        folder=logins.folder,
        cache=_cache(logins.folder, logins.environ),
        platform=running,
        own_login=lambda: logins.working(job.source, job.credential, roles),
        secret=logins.secret,
    )


def nothing_to_do(host: CodeHost, job: JobSpec) -> Nothing | None:
    """Tell whether a transformer need not run, because nothing that triggers it has changed; None if it has to.

    An unfinished batch is always finished, and code that cannot be found makes a batch that says so. One that runs by a
    schedule runs also if nothing has changed.
    """
    spec = job.transformer
    if spec is None:
        return None
    with host.store.engine.connect() as connection:
        last = last_batch(connection, host.schema, job.stream)
        if last is not None and last.state in UNFINISHED:
            return None
        try:
            now = combination_of(host, job, connection).triggers(frozenset(spec.triggers))
        except ConfigurationError:
            return None
        seen = Combination.of_position(position_of(connection, host.schema, job.stream))
    if now.missing:
        return Nothing(waits_for=now.missing)
    if not isinstance(job.capture.every, Changed) or seen is None:
        return None
    return Nothing() if seen.triggers(frozenset(spec.triggers)) == now else None


def _secrets(running: RunningPlatform, spec: TransformerSpec) -> Mapping[str, Secret]:
    return {name: running.logins.secret(credential) for name, credential in spec.secrets.items()}


def _database(job: JobSpec) -> CodeDatabase:
    adapter = adapter_for(job.source)
    make = getattr(adapter, "code_database", None)
    if make is None:
        raise ConfigurationError(f"{adapter.capabilities.database} cannot run transformers")
    database: CodeDatabase = make()
    return database


def _cache(folder: Path, environ: Mapping[str, str]) -> Path:
    """Return the private folder for what kinds of code fetch once."""
    home = environ.get("DATASURFACE_HOME")
    return (Path(home).absolute() if home else folder / ".datasurface") / "cache"
