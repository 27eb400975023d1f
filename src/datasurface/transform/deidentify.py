"""De-identification: `DeIdentify`, which copies what changed of its inputs with disguised columns.

Everything it writes is verified as it is written: no value passes a disguise unchanged, none gets lost or appears, and
no two rows come to have one key. Messages name columns, never values.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from datasurface.errors import SourceError
from datasurface.model.deidentification import (
    HASH_KEY,
    DeIdentifiedDataset,
    DeIdentify,
    Generalise,
    KeyedHash,
    Tokenise,
)
from datasurface.model.transformer import Code
from datasurface.model.types import Array, Json, Map, Struct, Variant, Vector
from datasurface.transform.base import Launch, Place
from datasurface.transform.context import TransformerContext
from datasurface.transform.disguise import Disguise, disguise_of
from datasurface.transform.tokens import TokenisedColumn, Tokens, chunks, quoted, text_of

__all__ = ["DeIdentifyKind"]

_VERSION = "1"
"""Another one when the same value would get another hash, so that outputs are made anew."""
_CHUNK = 1000
_NESTED = (Array, Json, Map, Struct, Variant, Vector)
"""Types whose values are read and written as they are; they are kept or redacted."""


class DeIdentifyKind:
    """Runs in the platform's own interpreter, as any code does: in a process and under a login of its own."""

    secret_bound = True

    def version(self, code: Code, place: Place) -> str:
        """Return the version of what is done to values."""
        del code, place
        return _VERSION

    def launch(self, code: Code, place: Place) -> Launch:
        """Say that the interpreter is this one."""
        del code, place
        return Launch(python=Path(sys.executable))

    def perform(self, code: Code, context: TransformerContext) -> None:
        """Copy what changed of every dataset that somebody consumes.

        Raises:
            ConfigurationError: the key of the hashes is too short.
            SourceError: something was not disguised, or two rows would have one key.
        """
        if not isinstance(code, DeIdentify):
            raise TypeError(f"{code!r} is no DeIdentify")
        wanted = [d for d in code.datasets if context.output(d.name).columns]
        key = context.secrets[HASH_KEY].token if HASH_KEY in context.secrets else None
        copies = [_Copy(context, dataset, key) for dataset in wanted]
        tokens = None
        if code.mapping is not None:
            tokens = Tokens(context, code.mapping, [c for copy in copies for c in copy.tokenised.values()])
            context.log.info("%s tokens written, %s deleted", tokens.assign(), tokens.forget())
        for copy in copies:
            copy.write(tokens)


class _Copy:
    """One dataset and its de-identified copy."""

    def __init__(self, context: TransformerContext, dataset: DeIdentifiedDataset, key: str | None) -> None:
        self._context = context
        self._input = context.input(dataset.source)
        self._changes = self._input.changes
        self._output = context.output(dataset.name)
        self._name = dataset.name
        self._disguises: dict[str, Disguise] = {}
        self.tokenised: dict[str, TokenisedColumn] = {}
        for column in dataset.columns:
            if isinstance(column.method, Tokenise):
                self.tokenised[column.name] = TokenisedColumn(
                    input=self._input, changes=self._changes, name=column.name, domain=column.method.domain
                )
            else:
                self._disguises[column.name] = disguise_of(column.method, self._input.types[column.name], key)
        self._verified = {
            column.name
            for column in dataset.columns
            if isinstance(column.method, Tokenise | KeyedHash)
            or (isinstance(column.method, Generalise) and column.method.prefix is not None)
        }

    def write(self, tokens: Tokens | None) -> None:
        """Write what changed; what went comes first, so that a key may come back in the same run.

        Raises:
            SourceError: a value was not disguised, rows got lost, or two have one key.
        """
        output, changes = self._output, self._changes
        deleted = 0
        if not changes.complete:
            deleted = output.delete(self._rows(output.key, "ds_op = 'D'", tokens, known=True))
        written = output.insert(self._rows(output.columns, "ds_op <> 'D'", tokens))
        if changes.complete and written != self._input.count():
            raise SourceError(f"{self._name} has {written} rows, and its source another number")
        if doubles := output.doubles():
            raise SourceError(f"{doubles} keys of {self._name} stand for several rows once they are disguised")
        self._context.log.info("%s: %s rows written, %s deleted", self._name, written, deleted)

    def _rows(
        self, columns: Sequence[str], where: str, tokens: Tokens | None, *, known: bool = False
    ) -> Iterator[tuple[str | None, ...]]:
        types = self._input.types
        names = ", ".join(quoted(name) if isinstance(types[name], _NESTED) else text_of(name) for name in columns)
        rows = self._context.sql(f"SELECT {names} FROM {self._changes.relation} WHERE {where}")
        for some in chunks(rows, _CHUNK):
            by_column = zip(columns, zip(*some, strict=True), strict=True)
            turned = [self._turned(name, texts, tokens, known=known) for name, texts in by_column]
            yield from zip(*turned, strict=True)

    def _turned(
        self, name: str, texts: Sequence[str | None], tokens: Tokens | None, *, known: bool
    ) -> Sequence[str | None]:
        """Return what stands in place of some values of a column."""
        if name in self.tokenised and tokens is not None:
            found = _tokens(self.tokenised[name], texts, tokens, known=known)
        elif name in self._disguises:
            found = [self._disguises[name](text) for text in texts]
        else:
            return texts
        if name in self._verified:
            _verify(f"{self._name}.{name}", texts, found)
        return found


def _tokens(
    column: TokenisedColumn, texts: Sequence[str | None], tokens: Tokens, *, known: bool
) -> Sequence[str | None]:
    digests = [None if text is None else column.digest(text) for text in texts]
    found = tokens.find({digest for digest in digests if digest is not None}, known=known)
    return [None if digest is None else found[digest] for digest in digests]


def _verify(column: str, texts: Sequence[str | None], found: Sequence[str | None]) -> None:
    """Raise `SourceError` if a value passed as it was, or one is NULL that was not, or the other way round.

    An empty text may stay: nothing can be shorter.
    """
    for text, value in zip(texts, found, strict=True):
        if (text is None) != (value is None) or (text and text == value):
            raise SourceError(f"a value of {column} is not disguised")
