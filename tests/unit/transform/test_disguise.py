"""How single values are disguised: equal ones stay equal, different ones different, and none passes unchanged."""

from __future__ import annotations

import hashlib
import hmac
from decimal import Decimal as Number

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasurface import (
    BigInt,
    Binary,
    Boolean,
    Date,
    Decimal,
    FixedString,
    Float64,
    Generalise,
    Integer,
    KeyedHash,
    Redact,
    SmallInt,
    String,
    Timestamp,
    Uuid,
)
from datasurface.errors import ConfigurationError
from datasurface.model.deidentification import TOKEN_LENGTH
from datasurface.model.types import DataType
from datasurface.transform.disguise import canonical, digest_of, disguise_of, keyed_hash, token_of

KEY = "0123456789abcdef"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("1", BigInt()), ("1", SmallInt())),
        (("1", BigInt()), ("1.00", Decimal(5, 2))),
        (("0", Integer()), ("0.000", Decimal(5, 3))),
        (("-100", Integer()), ("-100.0", Decimal(5, 1))),
        (("ab", String()), ("ab   ", FixedString(5))),
        (("", String()), ("   ", FixedString(3))),
    ],
)
def test_equal_values_of_comparable_types_are_one(one: tuple[str, DataType], other: tuple[str, DataType]):
    assert canonical(*one) == canonical(*other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("1", BigInt()), ("1", String())),
        (("10", BigInt()), ("1", BigInt())),
        (("100", Decimal(3)), ("1", Decimal(3))),
        (("ab", String()), ("ab ", String())),
        (("2026-01-01", Date()), ("2026-01-01", String())),
        (("2026-01-01 00:00:00", Timestamp(tz=False)), ("2026-01-01 00:00:00", Timestamp())),
        (("\\x61", Binary()), ("\\x61", String())),
        (("\u00e9", String()), ("e\u0301", String())),
        (("a", String()), ("A", String())),
    ],
)
def test_different_values_are_two(one: tuple[str, DataType], other: tuple[str, DataType]):
    assert canonical(*one) != canonical(*other)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4), st.integers(0, 5))
def test_a_number_is_one_in_any_spelling(value: Number, zeros: int):
    plain = format(value, "f")
    spelled = f"{plain}{'0' * zeros}" if "." in plain else plain
    assert canonical(spelled, Decimal(60, 12)) == canonical(plain, Decimal(60, 12))


@given(st.integers(-(10**30), 10**30), st.integers(-(10**30), 10**30))
def test_only_equal_numbers_are_one(one: int, other: int):
    assert (canonical(str(one), Decimal(60)) == canonical(str(other), Decimal(60))) == (one == other)


def test_a_hash_is_hmac_sha_256_of_the_canonical_value():
    expected = hmac.new(KEY.encode(), b"n17", hashlib.sha256).hexdigest()
    assert keyed_hash(canonical("17.0", Decimal(5, 1)), KEY.encode(), 64) == expected
    assert disguise_of(KeyedHash(length=20), Integer(), KEY)("17") == expected[:20]
    assert disguise_of(KeyedHash(), Integer(), KEY)(None) is None


@pytest.mark.parametrize("key", [None, "", "fifteen bytes.."])
def test_a_short_key_is_refused(key: str | None):
    with pytest.raises(ConfigurationError, match="at least 16 bytes"):
        disguise_of(KeyedHash(), Integer(), key)


def test_tokens_differ_by_value_domain_and_run():
    digests = [digest_of(d, canonical(v, String())) for d in ("a", "b") for v in ("x", "y", "")]
    tokens = {token_of(digest, nonce) for digest in digests for nonce in (b"one", b"other")}
    assert len(tokens) == 12
    assert {len(token) for token in tokens} == {TOKEN_LENGTH}
    assert all(token.startswith("tok_") for token in tokens)


@pytest.mark.parametrize(
    ("method", "kind", "value", "expected"),
    [
        (Redact(), Date(), "2026-01-01", None),
        (Redact("gone"), String(), "x", "gone"),
        (Redact("gone"), String(), None, "gone"),
        (Redact(to=True), Boolean(), "false", "true"),
        (Redact(0), Integer(), "5", "0"),
        (Generalise(period="month"), Date(), "2026-11-26", "2026-11-01"),
        (Generalise(period="quarter"), Date(), "2026-12-31", "2026-10-01"),
        (Generalise(period="quarter"), Date(), "2026-03-31", "2026-01-01"),
        (Generalise(period="year"), Date(), "12026-11-26", "12026-01-01"),
        (Generalise(period="year"), Date(), "0044-03-15 BC", "0044-01-01 BC"),
        (Generalise(period="year"), Date(), "infinity", "infinity"),
        (Generalise(period="day"), Timestamp(), "2026-11-26 23:59:59.999999+00", "2026-11-26 00:00:00+00"),
        (Generalise(period="month"), Timestamp(tz=False), "2026-11-26 01:02:03", "2026-11-01 00:00:00"),
        (Generalise(width=10), Integer(), "19", "10"),
        (Generalise(width=10), Integer(), "-1", "-10"),
        (Generalise(width=10), SmallInt(), "-32768", "-32768"),
        (Generalise(width=1000), BigInt(), "9223372036854775807", "9223372036854775000"),
        (Generalise(width=0.5), Decimal(4, 1), "-999.9", "-999.9"),
        (Generalise(width=0.1), Float64(), "0.3", "0.3"),
        (Generalise(width=10), Float64(), "NaN", "NaN"),
        (Generalise(width=10), Float64(), "-Infinity", "-Infinity"),
        (Generalise(width=10), Float64(), "1e+20", "100000000000000000000"),
        (Generalise(prefix=3), String(), "EC1A 1BB", "EC1"),
        (Generalise(prefix=3), String(), "EC", "E"),
        (Generalise(prefix=3), String(), "", ""),
        (Generalise(prefix=3), FixedString(8), "EC1     ", "EC"),
        (Generalise(prefix=1), String(), "\U0001f469\U0001f4bb", "\U0001f469"),
        (Generalise(width=10), Integer(), None, None),
    ],
)
def test_what_stands_in_place_of_a_value(method: object, kind: DataType, value: str | None, expected: str | None):
    assert disguise_of(method, kind, None)(value) == expected  # type: ignore[arg-type]


@given(st.text(), st.integers(1, 5))
def test_a_prefix_never_is_the_whole_text(text: str, length: int):
    found = disguise_of(Generalise(prefix=length), String(), None)(text)
    assert found is not None
    assert text.startswith(found)
    assert found != text or not text


@given(st.integers(-(2**31), 2**31 - 1), st.integers(1, 10**6))
def test_a_range_begins_at_a_multiple_of_its_width(value: int, width: int):
    found = int(disguise_of(Generalise(width=width), Integer(), None)(str(value)) or "")
    assert found <= value < found + width
    assert found % width == 0 or found == -(2**31)


def test_uuids_are_values_of_their_own():
    text = "6f1c1f2e-8f6b-4b8e-9d8d-0c1f5f0a7b11"
    assert canonical(text, Uuid()) != canonical(text, String())
