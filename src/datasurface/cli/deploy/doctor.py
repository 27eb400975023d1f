"""`datasurface deploy doctor`: a pod that examines what a job on the cluster would meet."""

from __future__ import annotations

import os

import click

from datasurface.cli.plan import show_errors
from datasurface.cli.session import Session, model_options
from datasurface.deploy.compile import deployable_of

__all__ = ["command"]


@click.command("doctor")
@click.option("--stream", help="Examine what a batch of this stream would meet; else what applying a release would.")
@model_options
def command(*, session: Session, stream: str | None) -> int:
    r"""Print a Kubernetes Job that runs `datasurface doctor` with the secrets, network and limits of another job.

    \b
    datasurface deploy doctor -e prod --stream crm | kubectl apply -f -
    kubectl logs --namespace datasurface --follow job/NAME

    The Job removes itself after an hour. Exit code 1: `check` finds errors.
    """
    from datasurface.deploy.kubernetes.doctor import doctor_job  # noqa: PLC0415 - other targets need no YAML

    deployable, report = deployable_of(session.folder, session.environment, os.environ)
    if deployable is None:
        show_errors(report)
        return 1
    click.echo(doctor_job(deployable, stream), nl=False)
    return 0
