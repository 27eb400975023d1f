"""What runs it: the program is started beside the database session, and its lines become the output."""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
import sys
from pathlib import Path

from datasurface.errors import ConfigurationError
from datasurface.model.transformer import Code
from datasurface.transform.base import Launch, Place
from datasurface.transform.context import TransformerContext
from datasurface_csv_filter import CsvFilter

__all__ = ["CsvFilterKind"]


class CsvFilterKind:
    """Runs a program of this machine."""

    def version(self, code: Code, place: Place) -> str:
        """Return nothing: the command stands in the model."""
        del code, place
        return ""

    def launch(self, code: Code, place: Place) -> Launch:
        """Make sure that the program is there."""
        del place
        program = _code(code).command[0]
        if shutil.which(program) is None:
            raise ConfigurationError(f"there is no program {program!r}", hint="install it where jobs run")
        return Launch(python=Path(sys.executable))

    def perform(self, code: Code, context: TransformerContext) -> None:
        """Give the program its input, and write what it answers."""
        (given,) = [found for group in context.inputs.values() for found in group.values()]
        (output,) = context.outputs.values()
        lines = io.StringIO(newline="")
        csv.writer(lines).writerows(given.rows())
        done = subprocess.run(  # noqa: S603 - the model says what is run
            _code(code).command, input=lines.getvalue(), stdout=subprocess.PIPE, text=True, check=True
        )
        rows = csv.reader(io.StringIO(done.stdout, newline=""))
        output.write([value or None for value in row] for row in rows)


def _code(code: Code) -> CsvFilter:
    if not isinstance(code, CsvFilter):
        raise TypeError(f"{code!r} is no CsvFilter")
    return code
