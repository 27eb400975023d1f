"""`datasurface import`: write the Datastore source code for an existing database."""

from __future__ import annotations

import os
from dataclasses import fields
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qs, unquote, urlsplit

import click

from datasurface.cli.session import Session, model_options
from datasurface.errors import ConfigurationError, SourceError
from datasurface.names import is_identifier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from datasurface.databases.base import Adapter, Login, SourceTable
    from datasurface.databases.describe import Described
    from datasurface.model.infrastructure import Container

__all__ = ["command"]


@click.command("import")
@click.argument("url")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="The file to write; must be new.")
@click.option("--schema", help="The schema whose tables to read; PostgreSQL: public.")
@click.option("--name", help="The datastore's name; by default the database's.")
@click.option("--credential", help="The credential to log in with, and to name in the code.")
@click.option("--table", "globs", multiple=True, metavar="GLOB", help="Only tables that match; may be repeated.")
@model_options
def command(
    session: Session,
    *,
    url: str,
    output: Path | None,
    schema: str | None,
    name: str | None,
    credential: str | None,
    globs: tuple[str, ...],
) -> int:
    """Write the Datastore source code for an existing database.

    URL is postgresql://USER@HOST:PORT/DATABASE, sqlite:///PATH, or the path of a SQLite file. The code goes to standard
    output unless -o names a file; what had to be left out stands in its comments and on standard error.
    """
    if output is not None and output.exists():
        raise ConfigurationError(f"{output} exists already", hint="remove it, or name another file with -o")
    adapter, container = _container(url, session.folder, schema)
    store = _store_name(name, container)
    user, password = _url_login(url)
    named = credential or (store if user or password else None)
    if named is not None and not hasattr(container, "credential"):
        raise ConfigurationError(f"{container.label()} needs no credential", hint="leave --credential away")
    login = _login(container, session.folder, user, password, credential)
    described = _described(adapter, login, store, named, schema, globs)
    if not described.datastore.datasets:
        raise SourceError(f"no table of {container.label()} can be described: {'; '.join(described.notes)}")
    code = _code(described, container)
    if output is None:
        click.echo(code, nl=False)
    else:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(code, encoding="utf-8")
    _report(described, output, named if login.user or login.password else None)
    return 0


def _container(url: str, folder: Path, schema: str | None) -> tuple[Adapter, Container]:
    """Return what the URL means, a file's path relative to the model folder if it is inside."""
    from datasurface.databases.base import adapters  # noqa: PLC0415 - the verb's help needs no adapters
    from datasurface.model.infrastructure import SqliteDatabase  # noqa: PLC0415 - as above

    for adapter in adapters():
        container = adapter.container_from_url(url)
        if container is None:
            continue
        if isinstance(container, SqliteDatabase):
            container = SqliteDatabase(container.name, path=_relative(Path(container.path), folder))
        elif schema is not None and hasattr(container, "schema"):
            container = _with_schema(container, schema)
        return adapter, container
    raise ConfigurationError(
        "no installed adapter knows this URL", hint="postgresql://USER@HOST:PORT/DATABASE, or sqlite:///PATH"
    )


def _relative(path: Path, folder: Path) -> str:
    whole, root = path.resolve(), folder.resolve()
    return whole.relative_to(root).as_posix() if whole.is_relative_to(root) else str(whole)


def _with_schema(container: Container, schema: str) -> Container:
    settings = {f.name: getattr(container, f.name) for f in fields(cast("Any", container))}
    return type(container)(**{**settings, "schema": schema})


def _store_name(name: str | None, container: Container) -> str:
    chosen = name or container.name
    if not is_identifier(chosen):
        raise ConfigurationError(
            f"{chosen!r} cannot name a datastore", hint="give --name letters, digits and underscores, no digit first"
        )
    return chosen


def _url_login(url: str) -> tuple[str | None, str | None]:
    """Return the user and the password of a URL, also where they stand among its options."""
    if "://" not in url:
        return None, None
    parts = urlsplit(url)
    options = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    user = unquote(parts.username) if parts.username else options.get("user")
    password = unquote(parts.password) if parts.password else options.get("password")
    return user, password


def _login(container: Container, folder: Path, user: str | None, password: str | None, credential: str | None) -> Login:
    """Return how to log in: as the URL says, else with the credential's secret, else as the driver does by itself."""
    from datasurface.databases.base import Login  # noqa: PLC0415 - as in _container

    if credential is not None and not (user or password):
        from datasurface.model.infrastructure import Credential  # noqa: PLC0415 - as in _container
        from datasurface.secrets.resolve import DEFAULT_STORES, resolve  # noqa: PLC0415 - as in _container

        secret = resolve(Credential(credential), DEFAULT_STORES, os.environ)
        if secret is not None:
            user, password = secret.user, secret.password
    return Login(container=container, user=user, password=password, folder=folder)


def _described(
    adapter: Adapter, login: Login, store: str, credential: str | None, schema: str | None, globs: tuple[str, ...]
) -> Described:
    from datasurface.databases.base import adapters  # noqa: PLC0415 - as in _container
    from datasurface.databases.describe import describe  # noqa: PLC0415 - as in _container
    from datasurface.model.capture import Snapshot  # noqa: PLC0415 - as in _container

    source = adapter.source(login)
    try:
        tables = source.tables(schema)
    finally:
        source.close()
    mergers = [a.capabilities for a in adapters() if a.capabilities.merges]
    return describe(
        store,
        Snapshot(login.container, credential=credential),
        _chosen(tables, globs, login.container, schema),
        keyable=lambda t: all(merger.keyable(t) for merger in mergers),
    )


def _chosen(
    tables: Sequence[SourceTable], globs: tuple[str, ...], container: Container, schema: str | None
) -> list[SourceTable]:
    where = f"schema {schema or getattr(container, 'schema', 'main')!r} of {container.label()}"
    if not tables:
        raise SourceError(f"{where} has no tables that may be read", hint="name another with --schema, or grant SELECT")
    chosen = [t for t in tables if not globs or any(fnmatchcase(t.name, glob) for glob in globs)]
    if not chosen:
        raise SourceError(
            f"none of the {len(tables)} tables in {where} matches {', '.join(globs)}",
            hint=f"it has {', '.join(t.name for t in tables[:10])}{', …' if len(tables) > 10 else ''}",  # noqa: PLR2004
        )
    return chosen


def _code(described: Described, container: Container) -> str:
    from datasurface.model.source_code import datastore_code  # noqa: PLC0415 - as in _container

    store = described.datastore
    head = [f"The datastore {store.name}, as {container.label()} had it. Give it to a team: datastores=[…]."]
    notes = ["", "Not as in the source:", *(f"- {note}" for note in described.notes)] if described.notes else []
    return datastore_code(store, comments=[*head, *notes])


def _report(described: Described, output: Path | None, credential: str | None) -> None:
    """Say on standard error what was written, what was left out, and which secret the code needs."""
    for note in described.notes:
        click.secho(f"note: {note}", fg="yellow", err=True)
    datasets = described.datastore.datasets
    columns = sum(len(d.columns) for d in datasets)
    where = f" to {output}" if output else ""
    size = f"{_counted(len(datasets), 'dataset')}, {_counted(columns, 'column')}"
    click.echo(f"wrote datastore {described.datastore.name}{where}: {size}", err=True)
    if credential:
        from datasurface.secrets.environment import variable  # noqa: PLC0415 - only where a secret is needed

        names = " and ".join(variable(credential, piece) for piece in ("user", "password"))
        click.echo(f"the code holds no user and no password: set {names}", err=True)


def _counted(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
