"""Standard output kept for the one document of a `--json` call, whatever else the process or its children print.

It must not know what the document says.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

__all__ = ["keep_for_document", "wants_document", "write_document"]

_kept: list[int] = []
"""The duplicate of standard output, once `keep_for_document` has made it."""


def wants_document(arguments: Sequence[str]) -> bool:
    """Tell whether a command line asks for a JSON document, and not for help."""
    return "--json" in arguments and not {"-h", "--help", "--version"}.intersection(arguments)


def keep_for_document() -> None:
    """From here to the end of the process only `write_document` writes to standard output; the rest goes to the error.

    Nothing is done where `sys.stdout` is not the process's standard output: there somebody else collects what is said.
    """
    out = sys.__stdout__
    if _kept or out is None or sys.stdout is not out or out.fileno() != 1:
        return
    out.flush()
    _kept.append(os.dup(1))
    try:
        os.dup2(2, 1)
    except OSError:  # standard error is closed
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.close(nowhere)


def write_document(text: str) -> None:
    """Write a document and the end of its line to standard output."""
    if not _kept:
        click.echo(text)
        return
    rest = memoryview(f"{text}\n".encode(errors="backslashreplace"))
    while rest:
        rest = rest[os.write(_kept[0], rest) :]
