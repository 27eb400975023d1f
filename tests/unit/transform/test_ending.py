"""What the end of a run means for its batch, and what a run may use."""

from __future__ import annotations

from typing import Any

import pytest

from datasurface import Hint, PythonModule
from datasurface.errors import SourceError, TransientError
from datasurface.release.job import TransformerSpec
from datasurface.transform.ending import limits_of, require_success
from datasurface.transform.process import Ended


def spec(**resources: Any) -> TransformerSpec:
    return TransformerSpec("add", workspace="adding", code=PythonModule("a:b"), resources=Hint(**resources))


def message(ended: Ended, **resources: Any) -> str:
    with pytest.raises(SourceError) as caught:
        require_success(spec(**resources), ended, lambda text: text.replace("hunter2", "***"))
    return caught.value.message


def ended(code: int, result: dict[str, object] | None = None, *tail: str, **more: Any) -> Ended:
    return Ended(code=code, result=result, tail=tail, **more)


def test_limits_are_as_declared_and_a_day_without():
    found = limits_of(spec(memory="512M", timeout="5 minutes"), None)
    assert (found.memory, found.seconds) == (512_000_000, 300.0)
    found = limits_of(TransformerSpec("add", workspace="adding", code=PythonModule("a:b")), None)
    assert (found.memory, found.seconds) == (None, 86_400.0)


def test_only_a_result_is_success():
    require_success(spec(), ended(0, {"ok": True}), str)
    assert "ended with exit code 0 without a result" in message(ended(0))
    assert "ended with exit code 3 without a result" in message(ended(3, {"ok": True}))
    said = message(ended(-11, None, "one", "two"))
    assert said == (
        "transformer 'add' of workspace 'adding' was ended by signal 11 (SIGSEGV) without a result; its last words: two"
    )


def test_an_error_has_its_reason_and_place_and_no_secret():
    told: dict[str, object] = {"error": "ValueError: no hunter2", "where": "/m/a.py:7"}
    assert message(ended(1, told)) == "transformer 'add' of workspace 'adding' failed: ValueError: no *** at /m/a.py:7"
    with pytest.raises(TransientError):
        require_success(spec(), ended(1, {**told, "transient": True}), str)


def test_time_and_memory_are_named():
    assert "was ended after its time limit of 1 minute" in message(ended(-9, timed_out=True), timeout="1 minute")
    assert "was ended after its time limit of 1 day" in message(ended(-9, timed_out=True))
    for found in (
        ended(-9, out_of_memory=True),
        ended(1, {"error": "MemoryError", "memory": True}),
        ended(-6, None, "terminate called after throwing an instance of 'std::bad_alloc'"),
    ):
        assert "exceeded its memory limit of 512M" in message(found, memory="512M")
    assert "failed: MemoryError" in message(ended(1, {"error": "MemoryError", "memory": True})), "no limit, no excess"
    assert "signal 6" in message(ended(-6, None, "assertion failed"), memory="512M")
