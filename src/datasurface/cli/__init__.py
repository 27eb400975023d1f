"""The command line: parse, call, render. One file a verb; no logic."""

from datasurface.cli.app import main

__all__ = ["main"]
