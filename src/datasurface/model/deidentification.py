"""What is done to columns so that their values identify nobody, as the model declares it: methods and their code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field

from datasurface.model.base import Noun, noun
from datasurface.model.classification import Classification
from datasurface.model.schema import Column
from datasurface.model.transformer import Code
from datasurface.model.types import (
    BigInt,
    Binary,
    DataType,
    Date,
    Decimal,
    FixedString,
    Float32,
    Float64,
    Integer,
    SmallInt,
    String,
    Time,
    Timestamp,
    TinyInt,
    Uuid,
)

__all__ = [
    "HASH_KEY",
    "KEY_DIGITS",
    "LONGEST_HASH",
    "NUMBERS",
    "PERIODS",
    "PSEUDONYMISED_TYPES",
    "SHORTEST_HASH",
    "TOKEN_LENGTH",
    "DeIdentification",
    "DeIdentifiedColumn",
    "DeIdentifiedDataset",
    "DeIdentify",
    "Generalise",
    "Keep",
    "KeyedHash",
    "Redact",
    "Tokenise",
    "output_column",
]

HASH_KEY = "key"
"""The name under which the code knows the secret of keyed hashes."""
TOKEN_LENGTH = 30
"""The characters of a token: `tok_`, and 128 random bits in base 32."""
SHORTEST_HASH, LONGEST_HASH = 16, 64
"""The hexadecimal digits of a hash."""
KEY_DIGITS = 32
"""The fewest digits of a hash that is part of a key: 128 bits, so that no two values are expected ever to meet."""
PERIODS = ("day", "month", "quarter", "year")
NUMBERS: tuple[type[DataType], ...] = (TinyInt, SmallInt, Integer, BigInt, Decimal, Float32, Float64)
PSEUDONYMISED_TYPES: tuple[type[DataType], ...] = (
    TinyInt,
    SmallInt,
    Integer,
    BigInt,
    Decimal,
    String,
    FixedString,
    Binary,
    Date,
    Time,
    Timestamp,
    Uuid,
)
"""What has one spelling for each value, so that a token or a hash can stand for it."""


class DeIdentification(Noun):
    """What is done to the values of a column."""

    __slots__ = ()


@noun
class Keep(DeIdentification):
    """Leaves values as they are: for a column that a classification would have disguised."""


@noun
class Tokenise(DeIdentification):
    """Puts a random token in place of each value: `tok_` and 26 characters.

    The same value has the same token in all columns of a domain, as long as any row has the value.

    Attributes:
        domain: Columns of one domain can be joined; those of different domains cannot.
    """

    domain: str = "values"


@noun
class KeyedHash(DeIdentification):
    """Puts HMAC-SHA-256 of the value under a secret key in its place, in hexadecimal digits.

    Attributes:
        length: How many digits are kept, 16 to 64; a key needs 32.
    """

    length: int = 32


@noun
class Redact(DeIdentification):
    """Puts one value in place of all: NULL, or a constant of the column's type, also for what was NULL."""

    to: str | bool | int | float | None = field(default=None, kw_only=False)


@noun
class Generalise(DeIdentification):
    """Keeps less of a value; exactly one of the attributes says how much.

    Attributes:
        period: Of a date or timestamp the first day of its `"month"`, `"quarter"` or `"year"`; of a timestamp also the
            beginning of its `"day"`. In UTC.
        width: Of a number the lower end of its range; ranges of this width begin at 0.
        prefix: Of a text its first characters, and always one less than it has.
    """

    period: str | None = None
    width: int | float | None = None
    prefix: int | None = None


@noun
class DeIdentifiedColumn(Noun):
    """A column of an output whose values are disguised.

    Attributes:
        name: The column, of the output and of what it is made of.
        method: What is done to its values.
        replaces: The classifications that it has no more.
    """

    name: str = field(kw_only=False)
    method: DeIdentification
    replaces: Sequence[Classification] = ()


@noun
class DeIdentifiedDataset(Noun):
    """A dataset of the output, and what it is made of; columns that are not listed are as in the source.

    Attributes:
        name: The dataset of the output.
        source: `store.dataset`, an input of the workspace.
        columns: What is done to which columns.
    """

    name: str = field(kw_only=False)
    source: str
    columns: Sequence[DeIdentifiedColumn] = ()


@noun
class DeIdentify(Code):
    """Copies datasets with disguised values; `deidentified` makes the whole workspace.

    Attributes:
        datasets: What is made of what, and how.
        mapping: The output that holds the tokens, as `store.dataset`, which the workspace reads too; None if nothing is
            tokenised.
    """

    datasets: Sequence[DeIdentifiedDataset]
    mapping: str | None = None


def output_column(column: Column, method: DeIdentification) -> tuple[DataType, bool]:
    """Return the type that a column has in the output, and whether it may be NULL there."""
    if isinstance(method, Tokenise):
        return String(TOKEN_LENGTH), column.nullable
    if isinstance(method, KeyedHash):
        return String(method.length), column.nullable
    if isinstance(method, Redact):
        return column.data_type, (method.to is None and not column.key) or column.nullable
    if isinstance(method, Generalise) and method.prefix is not None and isinstance(column.type, FixedString):
        return String(column.type.length), column.nullable
    return column.data_type, column.nullable
