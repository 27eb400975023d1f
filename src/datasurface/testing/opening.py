"""How a bench comes to be and goes: a model of the transformers alone, applied to a database that is dropped then."""

from __future__ import annotations

import secrets as random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

from datasurface.errors import ApplyBlockedError, ConfigurationError
from datasurface.model.datastore import Datastore
from datasurface.model.ecosystem import Ecosystem
from datasurface.model.effective import credential_of
from datasurface.model.infrastructure import Credential
from datasurface.model.load import load
from datasurface.model.vocabulary import CredentialKind
from datasurface.model.workspace import Workspace
from datasurface.runtime import local
from datasurface.runtime.apply import plan_and_apply
from datasurface.runtime.compile_model import compile_ecosystem, require_ok
from datasurface.runtime.folder import ModelFolder
from datasurface.secrets.base import Secret
from datasurface.secrets.environment import variable
from datasurface.testing.bench import TransformerBench
from datasurface.testing.home import CONTAINER, temporary_home
from datasurface.testing.reduced import chosen, reader_name, reduced
from datasurface.testing.tables import BenchTables

__all__ = ["open_bench"]


@contextmanager
def open_bench(
    *workspaces: Workspace | str,
    datastores: Sequence[Datastore] = (),
    model: Ecosystem | Path | str | None = None,
    folder: Path | str | None = None,
    secrets: Mapping[str, Secret | str] | None = None,
    home: Path | None = None,
) -> Iterator[TransformerBench]:
    """Open a bench for transformers, with a database of its own.

    Args:
        workspaces: Those whose transformers are tested, or their names in `model`; none for all of the model.
        datastores: What they read, if it is not in `model`; captures do not matter, rows come from the test.
        model: The ecosystem, or the folder of its `eco.py`.
        folder: Where their code is found, as in a model folder; by default that of `model`, else the current one.
        secrets: What credentials that transformers declare stand for; a text is a token.
        home: The folder of an embedded server, from `temporary_home`; by default one for this bench alone.

    Raises:
        ConfigurationError: something that they read is not known, or `check` finds errors in what they are.
    """
    if home is None:
        with temporary_home() as own:
            bench_there = open_bench(
                *workspaces, datastores=datastores, model=model, folder=folder, secrets=secrets, home=own
            )
            with bench_there as bench:
                yield bench
        return
    ecosystem = load(model) if isinstance(model, Path | str) else model
    place = Path(folder or (model if isinstance(model, Path | str) else ".")).absolute()
    found = chosen(workspaces, ecosystem)
    name = f"bench_{random.token_hex(6)}"
    made = reduced(name, found, datastores, ecosystem)
    environ = {"DATASURFACE_HOME": str(home), **_variables(found, secrets or {})}

    def again(others: Mapping[str, Secret | str]) -> AbstractContextManager[TransformerBench]:
        now = {**(secrets or {}), **others}
        return open_bench(*found, datastores=datastores, model=ecosystem, folder=place, secrets=now, home=home)

    with _applied(made, place, environ, home) as (opened, tables):
        yield TransformerBench(opened, tables, reader_name(found), again, lambda others: _variables(found, others))


@contextmanager
def _applied(
    ecosystem: Ecosystem, folder: Path, environ: Mapping[str, str], home: Path
) -> Iterator[tuple[ModelFolder, BenchTables]]:
    """Apply a model to a database of its own, and drop that in the end."""
    release, report = compile_ecosystem(ecosystem)
    require_ok(report)
    opened = ModelFolder(folder=folder, release=release, platforms=release.platforms, environ=environ)
    spec = opened.platforms[0]
    try:
        with opened.open_one(spec) as running:
            applied = plan_and_apply(running, spec, release)
            if not applied.active:
                raise ApplyBlockedError(f"the model of the bench cannot be applied: {applied.waiting}")
            yield opened, BenchTables(running.logins.login(spec.container, spec.credential))
    finally:
        _drop(home, ecosystem.name)


def _drop(home: Path, database: str) -> None:
    server = local.status(home / CONTAINER)
    if server is not None:
        with psycopg.connect(server.uri("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database)))


def _variables(workspaces: Sequence[Workspace], secrets: Mapping[str, Secret | str]) -> dict[str, str]:
    """Return the variables of the declared secrets, as the store `environment` finds them.

    Raises:
        ConfigurationError: a secret is given that nobody declares.
    """
    declared = {c.name: c for w in workspaces for c in _credentials(w)}
    found: dict[str, str] = {}
    for name, given in secrets.items():
        if name not in declared:
            listed = ", ".join(sorted(declared)) or "none"
            raise ConfigurationError(f"no transformer declares the credential {name!r}", hint=f"declared: {listed}")
        if isinstance(given, str) and declared[name].kind is not CredentialKind.TOKEN:
            raise ConfigurationError(f"the credential {name!r} is no token", hint="give a datasurface.testing.Secret")
        secret = Secret(token=given) if isinstance(given, str) else given
        found |= {variable(name, piece): value for piece, value in secret.pieces().items()}
    return found


def _credentials(workspace: Workspace) -> Iterator[Credential]:
    for value in workspace.transformer.secrets.values() if workspace.transformer else ():
        credential = credential_of(value)
        if credential is not None:
            yield credential
