"""Results of checks by batch, and which of them still hold: those of rows that no batch has changed since."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, delete, exists, func, insert, or_, select, update

from datasurface.store.ledger import BatchState
from datasurface.store.tables import bind, checks, ledger, ledger_datasets

__all__ = ["CheckResult", "forget_knowledge", "known_results", "latest_results", "results_of", "save_results"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What one check said of one batch.

    Attributes:
        check: Its name.
        kind: The class that declares it, such as `NotNull`.
        on_failure: `park` or `warn`.
        ok: Whether it holds.
        failing_rows: How many rows are wrong; None where it is not about single rows.
        detail: What is wrong, in words; what was found, if that is worth it.
        newest: The newest moment that a `Freshness` found, if it may be shown.
        definition: The digest of the check; the result is another's if that differs.
        batch_id: The batch, once it is saved.
    """

    dataset: str
    check: str
    kind: str
    on_failure: str
    ok: bool
    failing_rows: int | None
    detail: str
    newest: datetime | None
    definition: str
    batch_id: int = 0

    def to_json(self) -> dict[str, object]:
        """Return what `--json` prints."""
        return {
            "dataset": self.dataset,
            "check": self.check,
            "kind": self.kind,
            "on_failure": self.on_failure,
            "ok": self.ok,
            "failing_rows": self.failing_rows,
            "detail": self.detail,
        }

    def sentence(self) -> str:
        """Return it in one line: where, which check, and what is wrong."""
        return f"{self.dataset}: {self.check}: {self.detail}"


def save_results(
    connection: Connection, schema: str, stream: str, batch_id: int, results: Iterable[CheckResult]
) -> None:
    """Write what the checks said of a batch, in place of what they said of an earlier attempt of it."""
    rows = [
        {
            "stream": stream,
            "batch_id": batch_id,
            "dataset": r.dataset,
            "check_name": r.check,
            "kind": r.kind,
            "on_failure": r.on_failure,
            "ok": r.ok,
            "failing_rows": r.failing_rows,
            "detail": r.detail,
            "newest": r.newest,
            "definition": r.definition,
        }
        for r in results
    ]
    if rows:
        bound = bind(connection, schema)
        bound.execute(delete(checks).where(checks.c.stream == stream, checks.c.batch_id == batch_id))
        bound.execute(insert(checks), rows)


def _read(connection: Connection, schema: str, query: Select[Any]) -> list[tuple[str, CheckResult]]:
    query = query.order_by(checks.c.stream, checks.c.batch_id, checks.c.dataset, checks.c.check_name)
    return [
        (
            row.stream,
            CheckResult(
                dataset=row.dataset,
                check=row.check_name,
                kind=row.kind,
                on_failure=row.on_failure,
                ok=row.ok,
                failing_rows=row.failing_rows,
                detail=row.detail,
                newest=row.newest,
                definition=row.definition,
                batch_id=row.batch_id,
            ),
        )
        for row in bind(connection, schema).execute(query)
    ]


def results_of(connection: Connection, schema: str, stream: str, since: int) -> Sequence[CheckResult]:
    """Return what checks said of the batches from `since` on."""
    query = select(checks).where(checks.c.stream == stream, checks.c.batch_id >= since)
    return [result for _, result in _read(connection, schema, query)]


def known_results(connection: Connection, schema: str, stream: str) -> dict[tuple[str, str], CheckResult]:
    """Return by dataset and check what was said of the rows that are current now: nothing has changed them since."""
    changed = (
        select(ledger_datasets.c.dataset, func.max(ledger_datasets.c.batch_id).label("batch_id"))
        .join(
            ledger,
            and_(
                ledger.c.stream == ledger_datasets.c.stream,
                ledger.c.batch_id == ledger_datasets.c.batch_id,
                ledger.c.state == BatchState.MERGED.value,
            ),
        )
        .where(
            ledger_datasets.c.stream == stream,
            or_(ledger_datasets.c.inserted > 0, ledger_datasets.c.updated > 0, ledger_datasets.c.deleted > 0),
        )
        .group_by(ledger_datasets.c.dataset)
    )
    last = {row.dataset: row.batch_id for row in bind(connection, schema).execute(changed)}
    found = _newest(connection, schema, checks.c.stream == stream)
    return {(r.dataset, r.check): r for _, r in found if r.batch_id >= last.get(r.dataset, 0)}


def latest_results(connection: Connection, schema: str) -> dict[str, list[CheckResult]]:
    """Return by stream what each check said last of a merged batch."""
    found: dict[str, list[CheckResult]] = {}
    for stream, result in _newest(connection, schema):
        found.setdefault(stream, []).append(result)
    return found


def _newest(connection: Connection, schema: str, *where: ColumnElement[bool]) -> list[tuple[str, CheckResult]]:
    """Return the last result of each check of a merged batch."""
    merged = exists().where(
        ledger.c.stream == checks.c.stream,
        ledger.c.batch_id == checks.c.batch_id,
        ledger.c.state == BatchState.MERGED.value,
    )
    newest = (
        select(checks.c.stream, checks.c.dataset, checks.c.check_name, func.max(checks.c.batch_id).label("batch_id"))
        .where(merged, *where)
        .group_by(checks.c.stream, checks.c.dataset, checks.c.check_name)
        .subquery()
    )
    same = [checks.c[name] == newest.c[name] for name in ("stream", "dataset", "check_name", "batch_id")]
    return _read(connection, schema, select(checks).join(newest, and_(*same)))


def forget_knowledge(connection: Connection, schema: str, stream: str) -> None:
    """Have every check of a stream look at all rows again: its tables were changed by no batch."""
    bind(connection, schema).execute(update(checks).where(checks.c.stream == stream).values(definition=""))
