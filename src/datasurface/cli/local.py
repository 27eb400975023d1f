"""`datasurface local`: the life of the model's embedded databases."""

from __future__ import annotations

import os
from collections.abc import Callable

import click

from datasurface.cli.session import Session, json_option, model_options, print_json
from datasurface.cli.tables import print_table
from datasurface.runtime.embedded import EmbeddedServer, embedded_servers, start_server, stop_server
from datasurface.runtime.folder import ModelFolder, read_folder

__all__ = ["command"]


@click.group("local")
def command() -> None:
    """Start, stop or show the embedded databases of the model: its platforms' and its sources'."""


@command.command("start")
@json_option
@model_options
def start(*, session: Session, as_json: bool) -> int:
    """Make and start every embedded server that does not run."""
    return _do(session, start_server, as_json=as_json)


@command.command("stop")
@json_option
@model_options
def stop(*, session: Session, as_json: bool) -> int:
    """Stop every embedded server, ending its sessions; the data stay."""
    return _do(session, stop_server, as_json=as_json)


@command.command("status")
@json_option
@model_options
def status(*, session: Session, as_json: bool) -> int:
    r"""Show every embedded server.

    \b
    --json, here and for start and stop, prints one document with the key servers: a list with,
    for each, container, databases, folder, state (running, stopped, not made), host, port, pid,
    version
    """
    return _do(session, None, as_json=as_json)


def _do(session: Session, work: Callable[[EmbeddedServer], object] | None, *, as_json: bool) -> int:
    model = read_folder(session.folder, session.environment, os.environ)
    for server in embedded_servers(model) if work else ():
        work(server)  # type: ignore[misc] # the loop is empty without it
    _show(model, as_json=as_json)
    return 0


def _show(model: ModelFolder, *, as_json: bool) -> None:
    servers = embedded_servers(model)
    if as_json:
        print_json({"servers": [server.to_json() for server in servers]})
    elif not servers:
        click.echo("the model has no embedded database")
    else:
        rows = [
            (s.container, s.state, s.server.port if s.server else None, s.server.pid if s.server else None, s.folder)
            for s in servers
        ]
        print_table(("container", "state", "port", "process", "folder"), rows)
