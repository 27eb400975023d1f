"""Counters of a platform that never fall: what every stream's batches came to, those that the ledger forgot included.

Ended batches are added up in a table of their own before the ledger may forget them; what ended since is counted in
the ledger. So a counter is exact at any time, and costs no batch anything.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, case, extract, func, insert, select, update

from datasurface.store.tables import bind, ledger, platform, totals

__all__ = ["StreamTotals", "add_up", "batch_totals"]

_ENDED = ("merged", "failed", "abandoned")
_SUMS = ("batches", "rows_read", "inserted", "updated", "deleted", "seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamTotals:
    """What the batches of a stream that ended in one way came to.

    Attributes:
        outcome: `merged`, `idle` (merged without a change), `failed` or `abandoned`.
        seconds: From their starts to their ends.
        through: The number of the last batch that is counted.
    """

    stream: str
    outcome: str
    batches: int
    rows_read: int
    inserted: int
    updated: int
    deleted: int
    seconds: float
    through: int


def batch_totals(connection: Connection, schema: str) -> list[StreamTotals]:
    """Return the totals of all streams that ever had a batch, sorted by stream and outcome."""
    bound = bind(connection, schema)
    found: dict[tuple[str, str], StreamTotals] = {}
    for row in (*bound.execute(select(totals)), *bound.execute(_since())):
        read = _totals(row)
        known = found.get((read.stream, read.outcome))
        found[read.stream, read.outcome] = _sum(known, read) if known else read
    return [found[key] for key in sorted(found)]


def add_up(connection: Connection, schema: str) -> None:
    """Add what has ended to the totals, in the transaction that is open; no other does so at the same time."""
    bound = bind(connection, schema)
    bound.execute(select(platform.c.name).with_for_update())
    known = {(row.stream, row.outcome): _totals(row) for row in bound.execute(select(totals))}
    for row in bound.execute(_since()).all():
        _save(bound, known.get((row.stream, row.outcome)), _totals(row))


def _since() -> Select[Any]:
    """Return the query for what ended after the batches that the totals hold."""
    counted = select(totals.c.stream, func.max(totals.c.through).label("through")).group_by(totals.c.stream).subquery()
    unchanged = and_(ledger.c.state == "merged", ledger.c.inserted == 0, ledger.c.updated == 0, ledger.c.deleted == 0)
    outcome = case((unchanged, "idle"), else_=ledger.c.state).label("outcome")
    return (
        select(
            ledger.c.stream,
            outcome,
            func.count().label("batches"),
            *(func.sum(ledger.c[name]).label(name) for name in ("rows_read", "inserted", "updated", "deleted")),
            func.sum(extract("epoch", ledger.c.finished_at - ledger.c.started_at)).label("seconds"),
            func.max(ledger.c.batch_id).label("through"),
        )
        .select_from(ledger.outerjoin(counted, counted.c.stream == ledger.c.stream))
        .where(ledger.c.state.in_(_ENDED), ledger.c.batch_id > func.coalesce(counted.c.through, 0))
        .group_by(ledger.c.stream, outcome)
    )


def _totals(row: Row[Any]) -> StreamTotals:
    return StreamTotals(
        stream=row.stream,
        outcome=row.outcome,
        batches=int(row.batches),
        rows_read=int(row.rows_read),
        inserted=int(row.inserted),
        updated=int(row.updated),
        deleted=int(row.deleted),
        seconds=float(row.seconds or 0),
        through=int(row.through),
    )


def _sum(one: StreamTotals, other: StreamTotals) -> StreamTotals:
    added = {name: getattr(one, name) + getattr(other, name) for name in _SUMS}
    return StreamTotals(stream=one.stream, outcome=one.outcome, through=max(one.through, other.through), **added)


def _save(bound: Connection, known: StreamTotals | None, more: StreamTotals) -> None:
    now = _sum(known, more) if known else more
    values = {name: getattr(now, name) for name in (*_SUMS, "through")}
    key = {"stream": now.stream, "outcome": now.outcome}
    if known is None:
        bound.execute(insert(totals).values(**key, **values))
    else:
        where: Iterable[Any] = [totals.c[name] == value for name, value in key.items()]
        bound.execute(update(totals).where(*where).values(**values))
