"""Legal identifiers, and physical names that fit into what a database allows."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasurface.names import group_schema, is_identifier, platform_schema, shorten, view_name


@pytest.mark.parametrize("name", ["a", "_", "_id", "Order", "value", "A9", "x" * 128])
def test_identifiers(name: str):
    assert is_identifier(name)


@pytest.mark.parametrize("name", ["", "9a", "a b", "a.b", "a-b", "é", "a\n", "\0", "x" * 129, "a\u0301", "\uff41", "٣"])
def test_what_is_no_identifier(name: str):
    assert not is_identifier(name)


def test_a_name_that_fits_stays():
    assert shorten("x" * 63, 63) == "x" * 63
    assert group_schema("reports", "live", 63) == "reports_live"
    assert view_name("crm", "orders", 63) == "crm_orders"
    assert view_name("crm", "orders", 63, history=True) == "crm_orders_history"
    assert platform_schema("yellow", 63) == "ds_yellow"


def test_a_name_that_does_not_fit_is_a_prefix_and_a_digest_of_the_whole():
    name = "x" * 64
    assert shorten(name, 63) == "x" * 54 + "_" + hashlib.sha256(name.encode()).hexdigest()[:8]
    assert shorten(name, 63) != shorten(name + "x", 63)
    assert view_name("s" * 40, "d" * 40, 63) != view_name("s" * 40, "d" * 40, 63, history=True)


@given(name=st.text(max_size=200) | st.just("\ud800" * 50), limit=st.integers(10, 128))
def test_a_short_name_never_exceeds_its_limit_in_bytes(name: str, limit: int):
    short = shorten(name, limit)
    assert len(short.encode(errors="surrogatepass")) <= limit
    assert shorten(name, limit) == short
    assert short == name or short[-9] == "_"
