"""`datasurface connect`: how to read the data with any PostgreSQL client."""

from __future__ import annotations

import os

import click

from datasurface.cli.options import platform_option
from datasurface.cli.session import Session, model_options
from datasurface.runtime.folder import read_folder
from datasurface.runtime.local import client_path
from datasurface.runtime.readers import Address, owner_address, workspace_address

__all__ = ["command"]


@click.command("connect")
@click.argument("workspace", required=False)
@click.option("--psql", is_flag=True, help="Open the bundled client instead.")
@platform_option
@model_options
def command(*, session: Session, workspace: str | None, psql: bool, platform_name: str | None) -> int:
    """Print one postgresql:// URI: of the platform's database, or read-only for the views of WORKSPACE.

    On the embedded database the login of a workspace is made by this command, and sees the views that the workspace has
    at this moment: run it again after `apply` has added some. On any other database logins are given by its
    administrator, and the URI holds no password.
    """
    model = read_folder(session.folder, session.environment, os.environ, platform=platform_name)
    address = workspace_address(model, workspace) if workspace else owner_address(model)
    if workspace and not address.shows_password:
        click.echo(f"ask the database's administrator for SELECT on {', '.join(address.schemas)}", err=True)
    if psql:
        _open_client(address)
    click.echo(address.uri)
    return 0


def _open_client(address: Address) -> None:
    """Become psql; the password goes by the environment, which other users cannot see."""
    client = str(client_path())
    environment = dict(os.environ)
    if address.password:
        environment["PGPASSWORD"] = address.password
    arguments = ["psql", "-h", address.host, "-p", str(address.port), "-d", address.database]
    if address.user:
        arguments += ["-U", address.user]
    os.execve(client, arguments, environment)  # noqa: S606 - no shell on purpose
