"""Options that several verbs share and that are not about where the model is."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["platform_option", "release_option"]

platform_option = click.option("--platform", "platform_name", metavar="NAME", help="Only this platform of the model.")

release_option = click.option(
    "--release",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="A release file, as `build` writes it, in place of the model folder; no code of a model runs.",
)
