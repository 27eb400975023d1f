"""Data checks: what each says of the rows that a batch is to publish, and which rows it has to look at for that.

Rows that no batch has changed since a check found them right are not read again. Whether a table is fresh is judged in
every batch, from what is known already. What was said of the rows that are current, and published, is not said again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from datasurface.databases.checks import Checker, Judged, Measure, Rows
from datasurface.databases.merge import StagingKind
from datasurface.engine.context import BatchContext
from datasurface.engine.work import Work
from datasurface.model.check import (
    AcceptedValues,
    Freshness,
    InRange,
    NotNull,
    RowCount,
    SqlCheck,
    Unique,
    check_name,
    columns_of,
)
from datasurface.model.effective import duration
from datasurface.model.schema import Check
from datasurface.model.vocabulary import OnFailure
from datasurface.release.job import JobChecks
from datasurface.store.checks import CheckResult, known_results

__all__ = ["judge", "reasons", "warnings"]

_ROW_BY_ROW = (NotNull, AcceptedValues, InRange)
_Known = Mapping[tuple[str, str], CheckResult]


def judge(
    context: BatchContext, connection: Connection, work: Sequence[Work], read_at: datetime
) -> tuple[CheckResult, ...]:
    """Return what the checks say of the rows that a batch is to publish; one that has nothing new to look at, nothing.

    Args:
        context: What it works with.
        connection: The transaction that is to publish the batch.
        work: Its datasets, their deltas found.
        read_at: When the source was read.

    Raises:
        BatchFailedError: a user's query cannot be run.
    """
    declared = {c.dataset: c for c in context.job.checks}
    if not declared:
        return ()
    known = known_results(connection, context.schema, context.job.stream)
    results: list[CheckResult] = []
    for w in work:
        if w.dataset.name in declared:
            judged = Judged(
                tables=context.tables(w.dataset), dataset=w.dataset, staging=w.staging, mode=context.job.mode
            )
            checker = context.store.checker(connection, judged)
            results += _Judge(checker, declared[w.dataset.name], w, known, read_at).results()
    return tuple(results)


def reasons(results: Sequence[CheckResult]) -> list[str]:
    """Return why a batch must be parked; nothing if it may be merged."""
    return [r.sentence() for r in results if not r.ok and r.on_failure == OnFailure.PARK]


def warnings(results: Sequence[CheckResult]) -> tuple[str, ...]:
    """Return what is to be told of a batch that is published all the same."""
    return tuple([r.sentence() for r in results if not r.ok and r.on_failure == OnFailure.WARN])


@dataclass(frozen=True, slots=True)
class _Judge:
    """Judges one dataset."""

    checker: Checker
    declared: JobChecks
    work: Work
    known: _Known
    read_at: datetime

    def results(self) -> list[CheckResult]:
        """Return the results in the order of declaration."""
        found: dict[int, CheckResult] = {}
        groups: dict[Rows, list[int]] = {Rows.CHANGED: [], Rows.WHOLE: []}
        for place, check in enumerate(self.declared.checks):
            if isinstance(check, RowCount):
                found[place] = self._row_count(check)
            elif self._unchanged(check):
                if isinstance(check, Freshness):
                    found[place] = self._fresh(check, None)
            elif isinstance(check, SqlCheck):
                found[place] = self._query(check)
            else:
                groups[self._rows(check)].append(place)
        for rows, places in groups.items():
            checks = [self.declared.checks[place] for place in places]
            for place, measure in zip(places, self.checker.measure(checks, rows) if checks else (), strict=True):
                found[place] = self._measured(self.declared.checks[place], rows, measure)
        return [found[place] for place in sorted(found) if self._is_news(self.declared.checks[place], found[place])]

    def _is_news(self, check: Check, result: CheckResult) -> bool:
        """Tell whether a batch without changes finds anything else than was known, and published, before."""
        known = self._known(check)
        return known is None or not self.work.delta.empty or (known.ok, known.detail) != (result.ok, result.detail)

    def _known(self, check: Check) -> CheckResult | None:
        """Return what the check said of the rows that are current; a first load makes all rows new."""
        if self.work.staging.kind is StagingKind.FIRST:
            return None
        found = self.known.get((self.work.dataset.name, check_name(check)))
        return found if found is not None and found.definition == check.digest else None

    def _unchanged(self, check: Check) -> bool:
        known = self._known(check)
        if known is None or not self.work.delta.empty:
            return False
        return not isinstance(check, Freshness) or known.newest is not None

    def _rows(self, check: Check) -> Rows:
        """Return which rows a check must look at: the changed ones are enough if it found all others right."""
        known, delta = self._known(check), self.work.delta
        if known is None:
            return Rows.WHOLE
        if isinstance(check, Freshness):
            only_new = known.newest is not None and not (delta.updated or delta.deleted)
            return Rows.CHANGED if only_new else Rows.WHOLE
        return Rows.CHANGED if isinstance(check, _ROW_BY_ROW) and known.failing_rows == 0 else Rows.WHOLE

    def _measured(self, check: Check, rows: Rows, measure: Measure) -> CheckResult:
        if isinstance(check, Freshness):
            return self._fresh(check, measure.newest)
        keys = self.checker.failing_keys(check, rows) if measure.failing and self._may_show_keys() else ()
        return self._result(check, failing=measure.failing, detail=self._wrong(_what(check), measure.failing, keys))

    def _query(self, check: SqlCheck) -> CheckResult:
        failing, keys = self.checker.query(check, keys=self._may_show_keys())
        return self._result(check, failing=failing, detail=self._wrong("found by its query", failing, keys))

    def _row_count(self, check: RowCount) -> CheckResult:
        rows = self.work.rows_after
        few = check.at_least is not None and rows < check.at_least
        many = check.at_most is not None and rows > check.at_most
        bound = f", at least {check.at_least} wanted" if few else f", at most {check.at_most} wanted" if many else ""
        return self._result(check, ok=not (few or many), detail=f"{_rows(rows)}{bound}")

    def _fresh(self, check: Freshness, measured: datetime | None) -> CheckResult:
        """Judge the newest moment of all: that of the rows just read, and that known of those that stay."""
        known = self._known(check)
        kept = known.newest if known is not None and not (self.work.delta.updated or self.work.delta.deleted) else None
        newest = max((moment for moment in (measured, kept) if moment is not None), default=None)
        limit = duration(check.within)
        if newest is None:
            return self._result(check, ok=False, detail=f"no row has a moment in {check.column}")
        ok = limit is None or self.read_at - newest <= limit
        hidden = check.column in self.declared.hidden
        words = "its newest moment" if hidden else f"the newest moment, {newest:%Y-%m-%d %H:%M:%S} UTC,"
        detail = f"{words} is {'not ' if ok else ''}older than {check.within}"
        return self._result(check, ok=ok, detail=detail, newest=None if hidden else newest)

    def _may_show_keys(self) -> bool:
        return not any(c.name in self.declared.hidden for c in self.work.dataset.key_columns)

    def _wrong(self, what: str, failing: int, keys: Sequence[str]) -> str:
        """Return how many rows are wrong, and their keys unless these are classified."""
        if not failing:
            return ""
        text = f"{_rows(failing)} {what}"
        if not self._may_show_keys():
            return f"{text} (keys are not shown: they are classified)"
        more = f"; and {failing - len(keys)} more" if keys and failing > len(keys) else ""
        return f"{text}: {'; '.join(keys)}{more}" if keys else text

    def _result(
        self,
        check: Check,
        *,
        detail: str,
        failing: int | None = None,
        ok: bool | None = None,
        newest: datetime | None = None,
    ) -> CheckResult:
        return CheckResult(
            dataset=self.work.dataset.name,
            check=check_name(check),
            kind=type(check).__name__,
            on_failure=check.on_failure.value,
            ok=not failing if ok is None else ok,
            failing_rows=failing,
            detail=detail,
            newest=newest,
            definition=check.digest,
        )


def _what(check: Check) -> str:
    """Return in words what is wrong with a row that fails."""
    columns = ", ".join(columns_of(check))
    if isinstance(check, NotNull):
        return f"with NULL in {columns}"
    if isinstance(check, Unique):
        return f"not unique in {columns}"
    return f"with another value in {columns}" if isinstance(check, AcceptedValues) else f"out of range in {columns}"


def _rows(number: int) -> str:
    return f"{number} row" if number == 1 else f"{number} rows"
