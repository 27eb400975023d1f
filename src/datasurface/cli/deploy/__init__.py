"""`datasurface deploy`: the files for a target, one subcommand for each that is installed."""

from __future__ import annotations

import click

from datasurface.cli.deploy.aws import command as aws
from datasurface.cli.deploy.doctor import command as doctor
from datasurface.cli.deploy.learn import learn
from datasurface.cli.deploy.target import target_command
from datasurface.cli.options import platform_option
from datasurface.cli.session import Session, json_option, model_options
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


@click.group("deploy", cls=_Targets, invoke_without_command=True)
@click.option(
    "--wait",
    "seconds",
    type=click.FloatRange(min=0),
    is_flag=False,
    flag_value=1800.0,
    metavar="[SECONDS]",
    help="Wait until what was deployed runs, at most so long (1800), and prove it.",
)
@click.option("--since", metavar="TIME", help="With --wait: from when on batches count, in ISO 8601, or now.")
@platform_option
@json_option
@model_options
@click.pass_context
def command(
    ctx: click.Context,
    *,
    session: Session,
    seconds: float | None,
    since: str | None,
    platform_name: str | None,
    as_json: bool,
) -> int:
    r"""Write the files that deploy an environment's jobs to a target; they are applied by the target's own tools.

    What they say follows from the model, and from the settings among the environment's deployments. Nothing secret is
    in them, and they change only when the model or the settings do.

    `datasurface deploy --wait`, without a target, proves afterwards that what was deployed runs. It looks at the merge
    database alone, so it is the same whoever runs the jobs: the wanted release is active (that which the environment's
    rule selects; without a rule that of the model folder), every stream has merged a batch since, tables and views
    exist with the model's columns, and each view has as many rows as the ledger says.

    Exit code of --wait 0: all is proved. 1: something is missing when the time is over; the table says what and why.

    \b
    --wait --json prints one document with the keys
      ok       whether all is proved
      seconds  how long it took
      proof    a list with, for each thing: platform, subject, ok, detail
    """
    ctx.obj = session
    if ctx.invoked_subcommand is not None:
        if seconds is not None:
            raise click.UsageError("--wait goes without a target: deploy first, then wait")
        return 0
    if seconds is None:
        click.echo(ctx.get_help())
        return 2
    from datasurface.cli.deploy.wait import wait_for  # noqa: PLC0415 - loads the drivers

    return wait_for(session, seconds, since, platform_name, as_json=as_json)


command.add_command(learn)


command.add_command(aws)
command.add_command(doctor)
