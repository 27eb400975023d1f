"""Cron expressions: whether one can be read, and how far apart its times are. Knows no clock and no time zone."""

from __future__ import annotations

from datetime import timedelta

__all__ = ["cron_fault", "longest_gap"]

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS: tuple[tuple[str, int, int, dict[str, int]], ...] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of the month", 1, 31, {}),
    ("month", 1, 12, {name: n + 1 for n, name in enumerate(_MONTHS)}),
    ("day of the week", 0, 7, {name: n for n, name in enumerate(_DAYS)}),
)
_LONGEST_MONTH = {1: 31, 2: 29, 3: 31, 4: 30, 5: 31, 6: 30, 7: 31, 8: 31, 9: 30, 10: 31, 11: 30, 12: 31}


class _BadFieldError(Exception):
    """A field cannot be read; the text says why."""


def cron_fault(expression: str) -> str:
    """Return what keeps an expression from being read as cron(8) does, or nothing."""
    try:
        _minutes, _hours, days, months, weekdays = _parse(expression)
    except _BadFieldError as error:
        return str(error)
    never = all(min(days) > _LONGEST_MONTH[m] for m in months)
    return "it names a day that no month of it has" if never and len(weekdays) == 7 else ""  # noqa: PLR2004 - a week


def longest_gap(expression: str) -> timedelta | None:
    """Return a time that certainly passes between some two times of the schedule, or None if it cannot be read."""
    try:
        minutes, hours, days, months, weekdays = _parse(expression)
    except _BadFieldError:
        return None
    gaps = [timedelta(minutes=_gap(minutes, 60)), timedelta(hours=_gap(hours, 24) - 1)]
    if len(hours) == 1:
        gaps.append(timedelta(days=1))
    every_weekday, every_day = len(weekdays) == 7, len(days) == 31  # noqa: PLR2004 - a week, a month
    if every_day and not every_weekday:
        gaps.append(timedelta(days=_gap(weekdays, 7) - (len(hours) > 1)))
    if every_weekday and not every_day:
        gaps.append(timedelta(days=_gap(days, 28) - 1))
    gaps.append(timedelta(days=28 * (_gap(months, 12) - 1)))
    return max(gaps)


def _gap(values: set[int], cycle: int) -> int:
    """Return the longest way from one value to the next, around the cycle."""
    ordered = sorted(values)
    return max([b - a for a, b in zip(ordered, [*ordered[1:], ordered[0] + cycle], strict=True)])


def _parse(expression: str) -> tuple[set[int], set[int], set[int], set[int], set[int]]:
    texts = expression.split()
    if len(texts) != len(_FIELDS):
        raise _BadFieldError(f"it has {len(texts)} fields where 5 belong: minute, hour, day, month, day of the week")
    minutes, hours, days, months, weekdays = [_values(text, *field) for text, field in zip(texts, _FIELDS, strict=True)]
    return minutes, hours, days, months, {d % 7 for d in weekdays}


def _values(text: str, kind: str, low: int, high: int, names: dict[str, int]) -> set[int]:
    found: set[int] = set()
    for part in text.split(","):
        body, slash, step = part.partition("/")
        stride = _number(step, kind, 1, high, {}) if slash else 1
        first, dash, last = body.partition("-")
        if body == "*":
            start, stop = low, high
        else:
            start = _number(first, kind, low, high, names)
            stop = _number(last, kind, low, high, names) if dash else (high if slash else start)
        if start > stop:
            raise _BadFieldError(f"the range {body!r} in its {kind} runs backwards")
        found.update(range(start, stop + 1, stride))
    return found


def _number(text: str, kind: str, low: int, high: int, names: dict[str, int]) -> int:
    named = names.get(text.lower())
    if named is not None:
        return named
    if not (text.isascii() and text.isdigit() and len(text) <= 3):  # noqa: PLR2004 - no value has more digits
        raise _BadFieldError(f"{text[:40]!r} in its {kind} is no number" if text else f"its {kind} has an empty part")
    number = int(text)
    if not low <= number <= high:
        raise _BadFieldError(f"{number} in its {kind} is not between {low} and {high}")
    return number
