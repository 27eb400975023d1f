"""`datasurface build`: the release, compiled from the model and written to a file."""

from __future__ import annotations

from pathlib import Path

import click

from datasurface.cli.session import Session, json_option, model_options, print_json
from datasurface.release.compile import Release
from datasurface.runtime.compile_model import compile_model, keep_release

__all__ = ["command"]


@click.command("build")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Where to write the release.")
@json_option
@model_options
def command(*, session: Session, output: Path | None, as_json: bool) -> int:
    r"""Compile the model into a release, the file that jobs read; errors of `check` stop it.

    By default it is written to .datasurface/releases/DIGEST.sqlite in the model folder.

    \b
    --json prints one document with the keys
      ok        whether a release was written
      digest    the release's address, or null
      path      the file, or null
      counts    platforms, streams, views
      findings  all findings of check
    """
    release, report = compile_model(session.folder, session.environment)
    path = keep_release(release, session.folder, output) if report.ok() else None
    if as_json:
        print_json(
            {
                "ok": path is not None,
                "digest": release.digest if path else None,
                "path": str(path) if path else None,
                "counts": _counts(release),
                "findings": [found.to_json() for found in report.findings],
            }
        )
    elif path is None:
        click.echo(report.to_text(), err=True)
        click.echo("no release: the model has errors", err=True)
    else:
        counts = ", ".join(f"{n} {what if n != 1 else what[:-1]}" for what, n in _counts(release).items())
        click.echo(f"release {release.digest}\nfile    {path}\nholds   {counts}")
        if report.warnings:
            click.echo(f"{len(report.warnings)} warnings: run `datasurface check`", err=True)
    return 0 if path else 1


def _counts(release: Release) -> dict[str, int]:
    return {
        "platforms": len(release.platforms),
        "streams": sum(len(p.jobs) for p in release.platforms),
        "views": sum(len(p.views) for p in release.platforms),
    }
