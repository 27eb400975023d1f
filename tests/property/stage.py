"""Datasets of adversarial values, a source that holds what a test says, and what consumers see of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psycopg

from datasurface import (
    Array,
    BigInt,
    Binary,
    Boolean,
    Column,
    Dataset,
    Date,
    Decimal,
    Float32,
    Float64,
    Integer,
    Interval,
    Json,
    String,
    Time,
    Timestamp,
    Uuid,
)
from datasurface.databases.postgres.types import physical_type
from datasurface.model.types import DataType
from property.oracle import Row

Group = tuple[str, ...]
"""Spellings of one value, as PostgreSQL literals without their quotes."""

TEXTS: list[Group] = [
    ("",), ("1",), ("23",), ("12",), ("3",), ("1,23",), ("NULL",), ("null",), ("\\N",), ("\\\\N",), ("it's",),
    ('"',), ("a\tb",), ("a\nb",), ("a\r\nb",), (" ",), ("a ",), ("a",), ("A",), ("é",), ("e\u0301",), ("😀",), ("ß",),
    ("\u200b",), ("\x01",), ("{}",), ("%s",), ("%(x)s",), (":x",), ("$1",), ("x" * 9000,), ("x" * 8999 + "y",),
    ("".join(chr(0x4E00 + i * 7 % 20000) for i in range(4000)),),
]  # fmt: skip
NUMBERS: list[Group] = [
    ("0", "0.000000", "-0"), ("1", "1.0", "1.00", "1e0"), ("10",), ("-1",), ("0.000001",), ("-0.000001",), ("NaN",),
    ("99999999999999999999999999999999.999999",), ("-99999999999999999999999999999999.999999",), ("0.1", ".10"),
]  # fmt: skip
FLOATS: list[Group] = [
    ("0", "-0", "0.0"), ("1", "1.0"), ("NaN",), ("Infinity", "inf"), ("-Infinity",), ("5e-324",), ("1e308", "1.0e308"),
    ("0.1", "0.1000000000000000055"), ("0.30000000000000004",), ("0.3",), ("9007199254740993", "9007199254740992"),
]  # fmt: skip
MOMENTS: list[Group] = [
    ("infinity",), ("-infinity",), ("4713-01-01 00:00:00+00 BC",), ("294276-12-31 23:59:59.999999+00",),
    ("2024-03-31 01:00:00+00", "2024-03-31 03:00:00+02"), ("2024-10-27 00:30:00+00", "2024-10-26 20:30:00-04"),
    ("1970-01-01 00:00:00+00",), ("1970-01-01 00:00:00.000001+00",), ("0001-01-01 00:00:00+00 BC",),
]  # fmt: skip
LOCALS: list[Group] = [("infinity",), ("-infinity",), ("4713-01-01 00:00:00 BC",), ("2024-10-27 02:30:00",)]
DATES: list[Group] = [("infinity",), ("-infinity",), ("4714-11-24 BC",), ("5874897-12-31",), ("2000-02-29",)]
INTERVALS: list[Group] = [
    ("1 mon", "1 month"), ("30 days",), ("720:00:00", "720 hours"), ("1 day",), ("24:00:00",), ("0",),
    ("-1 mon +30 days",), ("178000000 years",), ("00:00:00.000001",),
]  # fmt: skip
DOCUMENTS: list[Group] = [
    ('{"a": 1, "b": [1, 2]}', '{"b":[1,2],  "a":1.0}', '{"a":1,"a":1,"b":[1,2.00]}'), ("null",), ("{}",), ("[]",),
    ('"null"',), ('{"a": null}',), ("1", "1.0", "1e0"), ("12345678901234567890123456789.01",), ("[[1], 2]",),
    ('{"k": "\\u00e9"}', '{"k": "é"}'), ('{"k": "\\\\"}',),
]  # fmt: skip
ARRAYS: list[Group] = [
    ("{}",), ("{NULL}",), ("{1,NULL,2}",), ("{1,2}", " { 1 , 2 } "), ("{{1,2}}",), ("[0:1]={1,2}",), ("{2,1}",),
]  # fmt: skip
WORDS: list[Group] = [("{}",), ("{NULL}",), ('{"NULL"}',), ('{""}',), ('{"a,b"}',), ("{a,b}",), ('{"\\\\N"}',)]
SPANS: list[Group] = [('{"1 mon"}',), ('{"30 days"}',), ("{NULL}",), ("{}",)]
BYTES: list[Group] = [("\\x",), ("\\x00",), ("\\x0000",), ("\\x5c4e", "\\\\N"), ("\\xff" + "ab" * 3000,)]
UUIDS: list[Group] = [
    ("00000000-0000-0000-0000-000000000000",),
    ("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "{A0EEBC999C0B4EF8BB6D6BB9BD380A11}"),
]
BIGS: list[Group] = [("9223372036854775807",), ("-9223372036854775808",), ("0", "-0"), ("1", "01")]
TIMES: list[Group] = [("00:00:00", "00:00"), ("24:00:00",), ("23:59:59.999999",)]
TRUTHS: list[Group] = [("t", "true", "on"), ("f", "no")]


@dataclass(frozen=True)
class Field:
    """A column and the values it may take."""

    name: str
    type: DataType
    values: list[Group]


TABLES: dict[str, tuple[int, list[Field]]] = {
    "pairs": (2, [Field("a", String(), TEXTS), Field("b", String(12000), TEXTS), Field("v", String(), TEXTS)]),
    "amounts": (
        2,
        [
            Field("n", Decimal(38, 6), NUMBERS),
            Field("f", Float64(), FLOATS),
            Field("i", Interval(), INTERVALS),
            Field("j", Json(), DOCUMENTS),
            Field("l", Array(Integer), ARRAYS),
            Field("t", Time(), TIMES),
        ],
    ),
    "moments": (
        3,
        [
            Field("t", Timestamp(), MOMENTS),
            Field("d", Date(), DATES),
            Field("u", Uuid(), UUIDS),
            Field("b", Binary(), BYTES),
            Field("s", Timestamp(tz=False), LOCALS),
            Field("w", Array(String), WORDS),
            Field("k", Boolean(), TRUTHS),
        ],
    ),
    "notes": (
        0,
        [
            Field("x", BigInt(), BIGS),
            Field("y", String(), TEXTS[:6]),
            Field("z", Interval(), INTERVALS),
            Field("j", Json(), DOCUMENTS),
            Field("f", Float32(), [("0", "-0"), ("NaN",), ("0.1", "0.100000001")]),
            Field("a", Array(Interval), SPANS),
        ],
    ),
}


def dataset(name: str) -> Dataset:
    keys, fields = TABLES[name]
    return Dataset(name, columns=[Column(f.name, f.type, key=i < keys) for i, f in enumerate(fields)])


@dataclass
class Spelled:
    """A row of the source: for each column which value it has and which of its spellings, or None for NULL."""

    values: tuple[int | None, ...]
    spelling: int

    def literals(self, fields: Sequence[Field]) -> list[str | None]:
        groups = [None if v is None else f.values[v] for f, v in zip(fields, self.values, strict=True)]
        return [None if g is None else g[self.spelling % len(g)] for g in groups]


class SourceTables:
    """The source's tables, filled anew by each step, and the texts by which the server shows each value."""

    def __init__(self, connection: psycopg.Connection[tuple[object, ...]]) -> None:
        self._connection = connection
        self._shown: dict[tuple[str, str], dict[str, int]] = {}
        for name, (_, fields) in TABLES.items():
            columns = ", ".join(f'"{f.name}" {physical_type(f.type)}' for f in fields)
            connection.execute(f"CREATE TABLE {name} ({columns})".encode())
            for f in fields:
                self._shown[name, f.name] = self._texts(f)

    def _texts(self, f: Field) -> dict[str, int]:
        cast = physical_type(f.type)
        found: dict[str, int] = {}
        for number, group in enumerate(f.values):
            for spelling in group:
                row = self._connection.execute(f"SELECT %s::{cast}::text".encode(), [spelling]).fetchone()
                assert row is not None
                assert found.setdefault(str(row[0]), number) == number, f"{f.name}: {spelling!r} is in two groups"
        return found

    def fill(self, rows: Mapping[str, Sequence[Spelled]]) -> None:
        """Replace what the tables hold, in one transaction."""
        with self._connection.transaction():
            for name, spelled in rows.items():
                fields = TABLES[name][1]
                self._connection.execute(f"DELETE FROM {name}".encode())
                if spelled:
                    one = "(" + ", ".join(f"%s::{physical_type(f.type)}" for f in fields) + ")"
                    literals = [text for row in spelled for text in row.literals(fields)]
                    values = ", ".join([one] * len(spelled))
                    self._connection.execute(f"INSERT INTO {name} VALUES {values}".encode(), literals)

    def identities(self, name: str, texts: Sequence[object]) -> Row:
        """Return which values a row's texts show."""
        fields = TABLES[name][1]
        return tuple(
            None if text is None else self._shown[name, f.name][str(text)]
            for f, text in zip(fields, texts, strict=True)
        )

    def columns(self, name: str) -> str:
        return ", ".join(f'"{f.name}"::text' for f in TABLES[name][1])


def counted(rows: Sequence[Spelled]) -> Counter[Row]:
    return Counter([row.values for row in rows])
