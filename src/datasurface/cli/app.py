"""The command `datasurface`: finds a verb's module when it is called, and turns errors into messages and exit codes."""

from __future__ import annotations

import contextlib
import importlib
import sys
from typing import Any

import click

from datasurface import __version__
from datasurface.cli.output import keep_for_document, wants_document
from datasurface.cli.session import Session, model_options, print_json
from datasurface.errors import DataSurfaceError
from datasurface.secrets.masking import mask_tracebacks, masked

__all__ = ["app", "main"]

VERBS: dict[str, str] = {
    "init": "init",
    "import": "import_",
    "check": "check",
    "show": "show",
    "graph": "graph",
    "build": "build",
    "query": "query",
    "plan": "plan",
    "apply": "apply",
    "release": "release",
    "rollback": "rollback",
    "run": "run",
    "job": "job",
    "status": "status",
    "history": "history",
    "explain": "explain",
    "metrics": "metrics",
    "reset": "reset",
    "resnapshot": "resnapshot",
    "accept": "accept",
    "audit": "audit",
    "security": "security",
    "connect": "connect",
    "local": "local",
    "doctor": "doctor",
    "deploy": "deploy",
    "preflight": "preflight",
    "demo": "demo",
}
"""Each verb and the module of `datasurface.cli` that holds it as `command`; in the order of the help."""


class _Verbs(click.Group):
    """Imports a verb's module only when it is needed, so that the command starts fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"datasurface.cli.{VERBS[cmd_name]}")
        command: click.Command = module.command
        return _unwrapped(command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            raise click.UsageError(f"{error.message} The verbs are: {', '.join(VERBS)}.", ctx) from error


def _unwrapped(command: click.Command) -> click.Command:
    r"""Let click see the mark `\b`, which docstrings hold as two characters: what follows is not to be wrapped."""
    command.help = (command.help or "").replace("\\b\n", "\b\n")
    for child in command.commands.values() if isinstance(command, click.Group) else ():
        _unwrapped(child)
    return command


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, "--version", prog_name="datasurface")
@model_options
@click.pass_context
def app(ctx: click.Context, session: Session) -> None:
    """Declare data and who needs it; DataSurface derives the pipelines, checks them and runs them."""
    ctx.obj = session


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its code.

    With `--json` standard output holds one document, an error's too, whatever the model's code prints.
    """
    as_json = wants_document(sys.argv[1:] if arguments is None else arguments)
    mask_tracebacks()
    if as_json:
        keep_for_document()
    try:
        result: Any = app.main(args=arguments, prog_name="datasurface", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except DataSurfaceError as error:
        _show(error, as_json=as_json)
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)
    sys.exit(result if isinstance(result, int) else 0)


def _show(error: DataSurfaceError, *, as_json: bool) -> None:
    message, hint = masked(error.message), masked(error.hint)
    click.secho(f"error {error.code}: {message}", fg="red", err=True)
    if hint:
        click.secho(f"  hint: {hint}", err=True)
    if as_json:
        with contextlib.suppress(BrokenPipeError):
            print_json({"error": {"code": error.code, "message": message, "hint": hint}})
