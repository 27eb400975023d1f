"""`datasurface deploy`: the files for a target, one subcommand for each that is installed."""

from __future__ import annotations

import click

from datasurface.cli.deploy.aws import command as aws
from datasurface.cli.deploy.learn import learn
from datasurface.cli.deploy.target import target_command
from datasurface.deploy.base import target_names

__all__ = ["command"]


class _Targets(click.Group):
    """One subcommand for each installed target; a command of that name that was added by hand goes before."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *target_names()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        own = super().get_command(ctx, cmd_name)
        if own is not None:
            return own
        return target_command(cmd_name) if cmd_name in target_names() else None


@click.group("deploy", cls=_Targets)
def command() -> None:
    """Write the files that deploy an environment's jobs to a target; they are applied by the target's own tools.

    What they say follows from the model, and from the settings among the environment's deployments. Nothing secret is
    in them, and they change only when the model or the settings do.
    """


command.add_command(learn)


command.add_command(aws)
