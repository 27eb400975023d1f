"""Trace contexts, as W3C Trace Context has them."""

from __future__ import annotations

import pytest

from datasurface.runtime.telemetry.trace import Scope, Trace, new_trace

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_a_batch_goes_on_with_the_trace_of_who_asked_for_it() -> None:
    trace = new_trace(PARENT)
    assert (trace.trace_id, trace.parent_id) == ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")
    assert trace.span_id not in ("", trace.parent_id)
    assert trace.header == f"00-{trace.trace_id}-{trace.span_id}-01"


def test_not_sampled_stays_so() -> None:
    trace = new_trace(PARENT[:-2] + "00")
    assert not trace.sampled
    assert trace.header.endswith("-00")


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "nonsense",
        PARENT.replace("4bf92f3577b34da6a3ce929d0e0e4736", "0" * 32),
        PARENT.replace("00f067aa0ba902b7", "0" * 16),
        "ff" + PARENT[2:],
        PARENT[:-3],
    ],
)
def test_what_is_malformed_begins_a_trace_of_its_own(header: str | None) -> None:
    one, other = new_trace(header), new_trace(header)
    assert one.parent_id == ""
    assert one.trace_id != other.trace_id
    assert len(one.trace_id) == 32


def test_a_later_version_may_say_more() -> None:
    assert new_trace("01" + PARENT[2:] + "-more").parent_id == "00f067aa0ba902b7"


def test_a_scope_knows_the_number_once_there_is_one() -> None:
    scope = Scope(platform="yellow", stream="crm", trace=Trace(trace_id="a" * 32, span_id="b" * 16))
    assert "batch" not in scope.fields()
    scope.batch = 7
    assert scope.fields() == {
        "platform": "yellow",
        "stream": "crm",
        "batch": 7,
        "trace_id": "a" * 32,
        "span_id": "b" * 16,
    }
