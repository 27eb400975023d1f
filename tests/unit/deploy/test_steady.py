"""What was learned stays as it is until it is wrong: generated files do not change by noise."""

from __future__ import annotations

import random

from datasurface.deploy.steady import steadied

_MIB = 1024 * 1024


def _known(seconds: float, memory: int | None, batches: int = 50) -> dict[str, object]:
    return {"batches": batches, "seconds": seconds, "memory": memory}


def test_values_are_coarse_and_never_too_low() -> None:
    found = steadied({"a": _known(3.1, 100 * _MIB), "b": _known(0.01, None)}, {})
    assert found == {"a": _known(4.0, 128 * _MIB), "b": _known(0.125, None)}


def test_noise_changes_nothing() -> None:
    numbers = random.Random(7)
    first = steadied({"a": _known(3.1, 400 * _MIB)}, {})
    for number in range(200):
        seconds, memory = numbers.uniform(2.9, 3.9), numbers.randint(300 * _MIB, 440 * _MIB)
        assert steadied({"a": _known(seconds, memory, number)}, first) == first


def test_more_than_was_known_is_learned_at_once_and_much_less_too() -> None:
    first = steadied({"a": _known(3.1, 400 * _MIB)}, {})
    assert steadied({"a": _known(3.1, 500 * _MIB)}, first)["a"]["memory"] == 512 * _MIB
    assert steadied({"a": _known(9.0, 400 * _MIB)}, first)["a"]["seconds"] == 11.314
    assert steadied({"a": _known(1.0, 100 * _MIB)}, first)["a"] == _known(1.0, 128 * _MIB)


def test_what_is_not_understood_counts_as_absent() -> None:
    assert steadied({"a": _known(1.0, None)}, {"a": "?"}) == {"a": _known(1.0, None)}
    assert steadied({"a": _known(1.0, None)}, {"a": _known(1.0, _MIB)}) == {"a": _known(1.0, None)}
