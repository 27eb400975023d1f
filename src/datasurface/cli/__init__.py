"""The command line: parse, call, render. One file a verb; no logic."""

import sys

from datasurface.cli.handover import hide_secrets

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its code; without arguments, with those of this process."""
    if arguments is None:
        hide_secrets(sys.argv[1:])
    from datasurface.cli import app  # noqa: PLC0415 - a process that starts itself again does so before its imports

    app.main(arguments)
