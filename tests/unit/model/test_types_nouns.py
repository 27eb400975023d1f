"""The types of columns: which there are, what they take, how they are written."""

from __future__ import annotations

from typing import Any

import pytest

import datasurface
from datasurface import (
    Array,
    BigInt,
    Binary,
    Column,
    Decimal,
    FixedString,
    Geography,
    Integer,
    Map,
    String,
    Struct,
    Timestamp,
    Vector,
)
from datasurface.errors import ModelCallError
from datasurface.model.base import NOUNS, field_names
from datasurface.model.types import DataType

PLAIN = (  # noqa: SIM905 - a list that is read like the contract's
    "Boolean TinyInt SmallInt Integer BigInt Float32 Float64 Date Time Interval Uuid Json Variant "
    "Float16 BFloat16 FP8E4M3 FP8E5M2 FP8E8M0 FP6E2M3 FP6E3M2 FP4E2M1"
).split()
WITH_ARGUMENTS: dict[str, tuple[str, ...]] = {
    "Decimal": ("precision", "scale"), "String": ("length",), "FixedString": ("length",), "Binary": ("length",),
    "Timestamp": ("tz",), "Array": ("element",), "Map": ("key", "value"), "Struct": ("fields",),
    "Vector": ("dimensions",), "Geography": ("srid",),
}  # fmt: skip


def test_there_are_exactly_the_types_of_the_contract():
    types = {name for name, cls in NOUNS.items() if issubclass(cls, DataType)}
    assert types == {*PLAIN, *WITH_ARGUMENTS}
    assert types <= set(datasurface.__all__)


@pytest.mark.parametrize("name", PLAIN)
def test_a_type_without_arguments(name: str):
    cls = getattr(datasurface, name)
    assert field_names(cls) == ()
    assert Column("a", cls) == Column("a", cls())
    assert cls().spelled() == name
    assert cls().to_json() == f'{{"is":"{name}"}}'
    assert len({cls().digest, BigInt().digest}) == (1 if cls is BigInt else 2)


@pytest.mark.parametrize(("name", "fields"), WITH_ARGUMENTS.items())
def test_a_type_with_arguments(name: str, fields: tuple[str, ...]):
    assert field_names(getattr(datasurface, name)) == fields


SPELLED: list[tuple[DataType, str]] = [
    (Decimal(10, 2), "Decimal(10, 2)"),
    (Decimal(10), "Decimal(10)"),
    (String(), "String"),
    (String(80), "String(80)"),
    (FixedString(3), "FixedString(3)"),
    (Binary(16), "Binary(16)"),
    (Timestamp(), "Timestamp"),
    (Timestamp(tz=False), "Timestamp(tz=False)"),
    (Vector(3), "Vector(3)"),
    (Geography(), "Geography"),
    (Geography(25832), "Geography(25832)"),
    (Array(Integer), "Array(Integer)"),
    (Map(String(2), Array(BigInt)), "Map(String(2), Array(BigInt))"),
    (Struct({"a": Integer, "b c": Struct({})}), "Struct({'a': Integer, 'b c': Struct({})})"),
]


@pytest.mark.parametrize(("made", "text"), SPELLED)
def test_a_type_is_spelled_as_a_model_writes_it(made: DataType, text: str):
    assert made.spelled() == text
    assert Column("a", eval(text, dict(vars(datasurface)))).type == made


@pytest.mark.parametrize("cls", [Decimal, FixedString, Array, Map, Struct, Vector])
def test_a_type_that_needs_arguments_cannot_be_written_bare(cls: Any):
    with pytest.raises(ModelCallError, match=rf"takes {cls.__name__}\(…\) with its arguments"):
        Column("a", cls)


def test_the_base_of_all_types_is_no_type():
    with pytest.raises(ModelCallError):
        Column("a", DataType)
