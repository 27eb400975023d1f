"""What checks are called, what their values mean for a column, and which values may stand in messages."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, time
from decimal import Decimal as Exact

import pytest

from datasurface import (
    CONFIDENTIAL,
    INTERNAL,
    PII,
    PUBLIC,
    AcceptedValues,
    BigInt,
    Binary,
    Boolean,
    Classification,
    Date,
    Decimal,
    FixedString,
    Float32,
    Float64,
    Freshness,
    InRange,
    Integer,
    Interval,
    Json,
    NotNull,
    OnFailure,
    RowCount,
    SqlCheck,
    String,
    Time,
    Timestamp,
    Unique,
    Uuid,
)
from datasurface.errors import ModelCallError
from datasurface.model.check import check_name, columns_of
from datasurface.model.check_values import value_for
from datasurface.model.classification import shown_in_messages
from datasurface.model.schema import Check
from datasurface.model.types import DataType

CHECKS: list[tuple[Check, str, tuple[str, ...]]] = [
    (NotNull("a"), "not_null(a)", ("a",)),
    (NotNull(["a", "b"], name="all"), "all", ("a", "b")),
    (Unique(["a", "b"]), "unique(a, b)", ("a", "b")),
    (AcceptedValues("a", ["x", 1, True, 1.5]), "accepted_values(a)", ("a",)),
    (InRange("a", at_least=1, below="2.50"), "in_range(a)", ("a",)),
    (RowCount(at_least=1), "row_count", ()),
    (Freshness("t", within="1 day", on_failure=OnFailure.WARN), "freshness(t)", ("t",)),
    (SqlCheck("SELECT * FROM {table}"), "sql_check", ()),
]


@pytest.mark.parametrize(("check", "name", "columns"), CHECKS, ids=lambda v: v if isinstance(v, str) else None)
def test_a_check_has_a_name_columns_and_a_json_form(check: Check, name: str, columns: tuple[str, ...]):
    assert (check_name(check), columns_of(check)) == (name, columns)
    assert type(check).from_json(check.to_json()) == check
    assert check.declared_at is not None


def test_a_wrong_call_is_refused_at_once():
    with pytest.raises(ModelCallError, match="values=…"):
        AcceptedValues("a", "open")  # type: ignore[arg-type]
    with pytest.raises(ModelCallError, match="on_failure=…"):
        NotNull("a", on_failure="warn")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "value", "meant"),
    [
        (BigInt(), 3, Exact(3)),
        (Integer(), 1.5, Exact("1.5")),
        (Decimal(10, 2), "0.10", Exact("0.10")),
        (Decimal(10, 2), 0.1, Exact("0.1")),
        (Float64(), "0.5", 0.5),
        (Date(), "2026-01-31", date(2026, 1, 31)),
        (Time(), "12:30", time(12, 30)),
        (Timestamp(), "2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
        (Timestamp(), "2026-01-31T12:00:00+02:00", datetime.fromisoformat("2026-01-31T12:00:00+02:00")),
        (Timestamp(tz=False), "2026-01-31T12:00:00+02:00", datetime(2026, 1, 31, 10)),  # noqa: DTZ001 - without zone
        (Interval(), "5 minutes", "5 minutes"),
        (String(5), "a ", "a "),
        (FixedString(5), "a ", "a"),
        (Boolean(), True, True),
        (Uuid(), "A0EEBC999C0B4EF8BB6D6BB9BD380A11", uuid.UUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")),
    ],
)
def test_values_mean_what_the_type_says(kind: DataType, value: str | float, meant: object):
    assert value_for(kind, value) == meant
    assert type(value_for(kind, value)) is type(meant)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (BigInt(), True),
        (BigInt(), "many"),
        (Decimal(5, 2), "NaN"),
        (Float32(), 1e300),
        (Date(), "31.1.2026"),
        (Date(), 20260131),
        (Time(), "noon"),
        (Timestamp(), "today"),
        (Interval(), "a while"),
        (String(), 5),
        (Boolean(), 1),
        (Uuid(), "x"),
        (Json(), "{}"),
        (Binary(), "x"),
    ],
)
def test_values_of_no_meaning_are_refused(kind: DataType, value: str | float):
    with pytest.raises(ValueError, match=r"such as|True or False|a UUID|no value"):
        value_for(kind, value)


def test_only_harmless_values_stand_in_messages():
    own = Classification("STAFF", level=1, scheme="acme")
    assert shown_in_messages()
    assert shown_in_messages(PUBLIC, INTERNAL)
    assert not shown_in_messages(INTERNAL, CONFIDENTIAL)
    assert not shown_in_messages(PII)
    assert not shown_in_messages(own)
    assert shown_in_messages(Classification("OPEN", scheme="acme"))
