"""Which methods fit which columns, and who may see tokens."""

from __future__ import annotations

import dataclasses

import pytest

from datasurface import (
    Array,
    BigInt,
    Boolean,
    Date,
    Decimal,
    DeIdentify,
    Float64,
    Generalise,
    Json,
    KeyedHash,
    Redact,
    SmallInt,
    String,
    Time,
    Timestamp,
    Tokenise,
    Uuid,
)
from datasurface.govern.rules.disguises import unfit
from datasurface.model.deidentification import DeIdentification
from datasurface.model.types import DataType


@pytest.mark.parametrize(
    ("method", "kind"),
    [
        (Tokenise(), BigInt()),
        (KeyedHash(length=16), Uuid()),
        (Redact(), Json()),
        (Redact("x"), String(1)),
        (Redact(to=True), Boolean()),
        (Redact(-32768), SmallInt()),
        (Redact(9.5), Decimal(2, 1)),
        (Redact(1), Float64()),
        (Redact("1900-01-01"), Date()),
        (Redact("00:00"), Time()),
        (Redact("1900-01-01 00:00:00+00:00"), Timestamp()),
        (Redact("6f1c1f2e-8f6b-4b8e-9d8d-0c1f5f0a7b11"), Uuid()),
        (Generalise(period="day"), Timestamp()),
        (Generalise(width=0.25), Decimal(5, 2)),
        (Generalise(width=0.25), Float64()),
        (Generalise(prefix=1), String()),
    ],
)
def test_fits(method: DeIdentification, kind: DataType):
    assert unfit(method, kind) is None


@pytest.mark.parametrize(
    ("method", "kind", "says"),
    [
        (Tokenise(), Json(), "not tokenised or hashed"),
        (Tokenise(), Float64(), "not tokenised or hashed"),
        (KeyedHash(), Array(BigInt), "not tokenised or hashed"),
        (KeyedHash(length=15), String(), "a hash has no 15 digits"),
        (KeyedHash(length=65), String(), "a hash has no 65 digits"),
        (Tokenise(domain=""), String(), "domain is empty"),
        (Redact("xy"), String(1), "cannot hold 'xy'"),
        (Redact("x\0"), String(), "cannot hold"),
        (Redact(1), Boolean(), "cannot hold 1"),
        (Redact(to=True), BigInt(), "cannot hold True"),
        (Redact(32768), SmallInt(), "cannot hold 32768"),
        (Redact(1.5), SmallInt(), "cannot hold 1.5"),
        (Redact(10), Decimal(2, 1), "cannot hold 10"),
        (Redact(0.25), Decimal(3, 1), "cannot hold 0.25"),
        (Redact("2026-02-30"), Date(), "cannot hold"),
        (Redact("{}"), Json(), "cannot hold"),
        (Generalise(), Date(), "not said by what"),
        (Generalise(width=1, prefix=1), String(), "not said by what"),
        (Generalise(period="day"), Date(), "no period 'day'"),
        (Generalise(period="month"), String(), "has no month"),
        (Generalise(width=0), BigInt(), "no range is 0 wide"),
        (Generalise(width=-1), BigInt(), "no range is -1 wide"),
        (Generalise(width=0.5), BigInt(), "cannot hold"),
        (Generalise(width=0.25), Decimal(5, 1), "cannot hold"),
        (Generalise(width=1), String(), "has no ranges"),
        (Generalise(prefix=0), String(), "no character would be left"),
        (Generalise(prefix=1), BigInt(), "has no first characters"),
    ],
)
def test_does_not_fit(method: DeIdentification, kind: DataType, says: str):
    problem = unfit(method, kind)
    assert problem is not None
    assert says in problem[0]
    assert problem[1]


def test_no_field_of_the_code_is_left_out_of_its_json():
    code = DeIdentify(datasets=[], mapping="a.b")
    assert {f.name for f in dataclasses.fields(code)} == {"datasets", "mapping"}  # type: ignore[arg-type]
    assert DeIdentify.from_json(code.to_json()) == code
