"""How rows differ from those expected, in words that a failing test shows. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["difference"]

_SHOWN = 20
_Row = Mapping[str, Any]


def difference(found: Sequence[_Row], expected: Sequence[_Row], key: Sequence[str]) -> str:
    """Return what is missing, not expected and different, a line each; empty if both have the same rows.

    Rows are matched by `key`; without one, each is there or not, as often as it is.
    """
    missing, extra = _minus(expected, found), _minus(found, expected)
    changed = []
    if key:
        by_key = {_same(row, key): row for row in extra}
        for row in list(missing):
            other = by_key.pop(_same(row, key), None)
            if other is not None:
                changed.append(_changed(other, row, key))
                missing.remove(row)
                extra.remove(other)
    lines = [
        *(f"missing       {_shown(row)}" for row in missing),
        *(f"not expected  {_shown(row)}" for row in extra),
        *(f"different     {line}" for line in changed),
    ]
    more = [f"and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
    return "\n".join(f"  {line}" for line in [*lines[:_SHOWN], *more])


def _minus(rows: Sequence[_Row], others: Sequence[_Row]) -> list[_Row]:
    left = Counter(_same(row, list(row)) for row in others)
    found = []
    for row in rows:
        token = _same(row, list(row))
        if left[token]:
            left[token] -= 1
        else:
            found.append(row)
    return found


def _same(row: _Row, names: Sequence[str]) -> tuple[Any, ...]:
    return tuple([_token(row[name]) for name in names])


def _token(value: Any) -> Any:
    """Return something that is equal for equal values, can be hashed, and tells yes from one."""
    if isinstance(value, dict | list):
        return json.dumps(value, sort_keys=True, default=str)
    if isinstance(value, float) and value != value:  # noqa: PLR0124 - NaN equals NaN here
        return "NaN"
    return (bool, value) if isinstance(value, bool) else value


def _changed(found: _Row, expected: _Row, key: Sequence[str]) -> str:
    where = _shown({name: found[name] for name in key})
    pairs = [(n, found[n], expected[n]) for n in found if _token(found[n]) != _token(expected[n])]
    return f"{where}: {', '.join(f'{n} is {a!r}, expected {b!r}' for n, a, b in pairs)}"


def _shown(row: _Row) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in row.items())
