"""The tokens of a de-identification: found in the mapping, made for new values, forgotten with a value's last row."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from datasurface.errors import SourceError
from datasurface.model.types import DataType
from datasurface.transform.context import TransformerContext
from datasurface.transform.disguise import canonical, digest_of, token_of
from datasurface.transform.inputs import Changes, Input

__all__ = ["TokenisedColumn", "Tokens", "chunks", "quoted", "text_of"]

_T = TypeVar("_T")
_CHUNK = 1000
_NUMBER = b"n"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenisedColumn:
    """A column of an input whose values get tokens."""

    input: Input
    changes: Changes
    name: str
    domain: str

    @property
    def type(self) -> DataType:
        """Its type, as the model has it."""
        return self.input.types[self.name]

    def digest(self, text: str) -> str:
        """Return under which digest the mapping has a value."""
        return digest_of(self.domain, canonical(text, self.type))

    @property
    def family(self) -> bytes:
        """What its values can be equal to: the first byte of their canonical form."""
        return canonical("0", self.type)[:1]

    def compared(self, table: str) -> str:
        """Return its values as SQL text in a form in which those of one family are equal if they are one value."""
        column = f"{table}.{quoted(self.name)}"
        return column if self.family == _NUMBER else f"CAST({column} AS text)"


class Tokens:
    """The tokens of one run.

    A token for a new value is derived from a random number that is made for this run and never kept, so the same value
    gets the same one wherever the run meets it, without a list of all values in memory.

    Args:
        context: The run.
        mapping: The dataset that holds the tokens, as `store.dataset`.
        columns: What is tokenised.
    """

    def __init__(self, context: TransformerContext, mapping: str, columns: Sequence[TokenisedColumn]) -> None:
        self._context = context
        self._kept = context.input(mapping)
        self._output = context.output(mapping.partition(".")[2])
        self._columns = tuple(columns)
        self._rebuild = context.rebuild
        self._nonce = secrets.token_bytes(32)

    def assign(self) -> int:
        """Give every new value a token and return how many entries are written; a rebuild writes all in use again."""
        return self._output.insert(entry for column in self._columns for entry in self._entries(column))

    def forget(self) -> int:
        """Delete the entries of values that no row of any column of their domain has any longer; return how many."""
        return self._output.delete((digest,) for column in self._columns for digest in self._gone(column))

    def find(self, digests: Collection[str], *, known: bool = False) -> dict[str, str]:
        """Return the tokens of values by their digest.

        Args:
            digests: Of the values.
            known: Whether all of them must have been there before this run.

        Raises:
            SourceError: one that must have been there was not.
        """
        found: dict[str, str] = {}
        if self._kept.batch is not None:
            for some in chunks(sorted(digests), _CHUNK):
                found.update(self._look_up(some))
        if known and len(found) < len(digests):
            raise SourceError(
                "the mapping has no token for a key that is to be deleted",
                hint="`datasurface resnapshot` makes the whole output anew",
            )
        return {digest: found.get(digest) or token_of(digest, self._nonce) for digest in digests}

    def _look_up(self, digests: Iterable[str]) -> Iterator[tuple[str, str]]:
        listed = ", ".join(f"'{digest}'" for digest in digests)
        query = f"SELECT digest, token FROM {self._kept.relation} WHERE digest IN ({listed})"
        yield from ((str(digest), str(token)) for digest, token in self._context.sql(query))

    def _entries(self, column: TokenisedColumn) -> Iterator[tuple[str, str, str, str]]:
        name = quoted(column.name)
        query = (
            f"SELECT DISTINCT {text_of(column.name)} FROM {column.changes.relation} "
            f"WHERE ds_op <> 'D' AND {name} IS NOT NULL"
        )
        for some in chunks((str(text) for (text,) in self._context.sql(query)), _CHUNK):
            texts = {column.digest(text): text for text in some}
            kept = self.find(texts) if self._rebuild else dict(self._missing(texts))
            for digest, token in kept.items():
                yield digest, column.domain, texts[digest], token

    def _missing(self, digests: Collection[str]) -> Iterator[tuple[str, str]]:
        """Yield tokens for those values that have none yet."""
        known = dict(self._look_up(sorted(digests))) if self._kept.batch is not None else {}
        yield from ((d, token_of(d, self._nonce)) for d in digests if d not in known)

    def _gone(self, column: TokenisedColumn) -> Iterator[str]:
        """Yield the digests of values that ended in a column and are in none of its domain's now."""
        before = column.changes.before
        if before is None:
            return
        like = [c for c in self._columns if c.domain == column.domain and c.family == column.family]
        absent = " AND ".join(
            f"NOT EXISTS (SELECT 1 FROM {c.input.relation} AS n WHERE {c.compared('n')} = {column.compared('o')})"
            for c in like
        )
        texts = f"CAST(o.{quoted(column.name)} AS text)"
        ended = f"(SELECT * FROM {before.relation}) AS o"
        query = f"SELECT DISTINCT {texts} FROM {ended} WHERE {texts} IS NOT NULL AND {absent}"
        for (text,) in self._context.sql(query):
            yield column.digest(str(text))


def quoted(name: str) -> str:
    """Return a column's name as SQL text."""
    return '"' + name.replace('"', '""') + '"'


def text_of(name: str) -> str:
    """Return SQL text for a column's values as texts."""
    return f"CAST({quoted(name)} AS text)"


def chunks(items: Iterable[_T], size: int) -> Iterator[list[_T]]:
    """Yield the items in lists of at most `size`."""
    source = iter(items)
    while some := list(islice(source, size)):
        yield some
