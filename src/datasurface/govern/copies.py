"""What the columns of de-identified copies are made of: known exactly, because the model says it."""

from __future__ import annotations

from collections.abc import Iterator

from datasurface.model.deidentification import DeIdentify, Tokenise
from datasurface.model.ecosystem import Ecosystem
from datasurface.model.effective import all_workspaces
from datasurface.model.transformer import DataTransformer

__all__ = ["copied_columns"]

_OF_VALUES = ("digest", "value", "token")
"""The columns of the mapping that are made of values."""


def copied_columns(ecosystem: Ecosystem) -> Iterator[tuple[str, str]]:
    """Yield which column each column of a copy is made of, as pairs `store.dataset.column`; redacted ones too."""
    for where in all_workspaces(ecosystem):
        transformer = where.workspace.transformer
        if transformer is not None and isinstance(transformer.code, DeIdentify):
            yield from _of(transformer, transformer.code)


def _of(transformer: DataTransformer, code: DeIdentify) -> Iterator[tuple[str, str]]:
    output = transformer.output
    columns = {d.name: [c.name for c in d.columns] for d in output.datasets}
    for copied in code.datasets:
        for name in columns.get(copied.name, ()):
            yield f"{copied.source}.{name}", f"{output.name}.{copied.name}.{name}"
        for done in copied.columns:
            if isinstance(done.method, Tokenise) and code.mapping is not None:
                yield from ((f"{copied.source}.{done.name}", f"{code.mapping}.{name}") for name in _OF_VALUES)
