"""Keeps what was learned from changing by noise: coarse steps, and a former value that is still about right. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

__all__ = ["steadied"]

_MIB = 1024 * 1024
_STEP = 64 * _MIB
_FACTOR = 2.0
"""A former value stands as long as it is neither exceeded nor more than so many times the new one."""

Learned = Mapping[str, Any]


def steadied(found: Mapping[str, Learned], former: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what is known of each stream: what a former file says of it where that is still about right.

    Args:
        found: By stream `batches`, `seconds` and `memory`, as the ledger has them.
        former: The same, as an earlier call has returned it; what is not understood counts as absent.
    """
    return {stream: _one(dict(new), former.get(stream)) for stream, new in found.items()}


def _one(new: dict[str, Any], old: object) -> dict[str, Any]:
    coarse = {**new, "seconds": _seconds(float(new["seconds"])), "memory": _memory(new["memory"])}
    if not isinstance(old, Mapping):
        return coarse
    stays = {name: old.get(name) for name in ("seconds", "memory") if _stands(coarse[name], old.get(name))}
    return dict(old) if len(stays) == len(("seconds", "memory")) else {**coarse, **stays}


def _stands(new: float | None, old: object) -> bool:
    if new is None or old is None:
        return new is None and old is None
    return isinstance(old, int | float) and new <= old <= new * _FACTOR


def _seconds(value: float) -> float:
    """Return the next power of the square root of two, from an eighth of a second on."""
    steps = math.ceil(2 * math.log2(max(value, 0.125)))
    return round(math.pow(2, steps / 2), 3)


def _memory(value: int | None) -> int | None:
    return None if value is None else -(-value // _STEP) * _STEP
