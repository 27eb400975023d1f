"""Why a stream does not run now, in sentences."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

from datasurface.runtime.explain import now_sentences
from datasurface.runtime.facts import StreamFacts
from datasurface.runtime.status import StreamStatus
from datasurface.store.ledger import BatchRow, BatchState, DatasetCounts

NOW = datetime(2024, 5, 1, 12, tzinfo=UTC)
LAST = BatchRow(
    stream="crm",
    batch_id=7,
    state=BatchState.FAILED,
    started_at=NOW,
    finished_at=NOW,
    read_at=None,
    counts=DatasetCounts(),
    model_digest="m",
    job_digest="j",
    candidate=None,
    error="table orders is gone",
)


def said(facts: StreamFacts, *, due: datetime | None = NOW + timedelta(hours=1), overdue: float = 0) -> list[str]:
    status = StreamStatus(facts=facts, every="1 hour", next_due=due, behind=None, overdue=overdue)
    return list(now_sentences(status))


def test_not_due() -> None:
    assert said(StreamFacts(stream="crm")) == ["it has never run", "it is not due before 2024-05-01 13:00:00Z"]


def test_failed_with_its_reason() -> None:
    first = said(StreamFacts(stream="crm", last=LAST))[0]
    assert first == "batch 7 was failed at 2024-05-01 12:00:00Z: table orders is gone"


def test_parked_says_what_to_do() -> None:
    parked = dataclasses.replace(LAST, state=BatchState.PARKED, error="the source is empty")
    sentences = said(StreamFacts(stream="crm", last=parked))
    assert sentences[0] == "batch 7 is parked: the source is empty"
    assert "datasurface accept crm" in sentences[1]


def test_busy_says_by_whom() -> None:
    held = StreamFacts(stream="crm", owner="process 12 on box", silent=2.0, last=LAST)
    assert said(held) == ["it runs now: process 12 on box holds it, last heard of 2 s ago"]


def test_silent_owner_is_taken_over() -> None:
    sentences = said(StreamFacts(stream="crm", owner="process 12 on box", silent=99.0))
    assert "the next run takes it over" in sentences[0]


def test_overdue_asks_for_a_scheduler() -> None:
    assert "no `datasurface run` follows the schedule" in said(StreamFacts(stream="crm"), due=NOW, overdue=900)[-1]
    assert said(StreamFacts(stream="crm"), due=NOW, overdue=3)[-1] == "it is due now"
