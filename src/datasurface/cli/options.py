"""Options that several verbs share and that are not about where the model is."""

from __future__ import annotations

import click

__all__ = ["platform_option"]

platform_option = click.option("--platform", "platform_name", metavar="NAME", help="Only this platform of the model.")
