"""What models say: a transformer whose code is a program that filters CSV lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field

from datasurface.model.base import noun
from datasurface.model.transformer import Code

__all__ = ["CsvFilter"]


@noun
class CsvFilter(Code):
    """A program that reads the rows of one input as CSV lines and writes those of one output: `CsvFilter(["sort"])`."""

    command: Sequence[str] = field(kw_only=False)
