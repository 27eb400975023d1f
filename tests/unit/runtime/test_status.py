"""A stream's state and delay, from facts alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from datasurface import BigInt, Cron, External, Snapshot, SqliteDatabase
from datasurface.model.capture import Every
from datasurface.release.job import JobColumn, JobDataset, JobSpec
from datasurface.runtime.facts import StreamFacts
from datasurface.runtime.status import every_text, stream_status
from datasurface.store.ledger import BatchRow, BatchState, DatasetCounts

NOW = datetime(2024, 5, 1, 12, tzinfo=UTC)


def job(every: Every = "1 hour") -> JobSpec:
    dataset = JobDataset("orders", source_table="orders", columns=[JobColumn("id", BigInt(), key=True, source="id")])
    capture = Snapshot(SqliteDatabase("db", path="x"), every=every)
    return JobSpec("crm", platform="yellow", datastore="crm", datasets=[dataset], capture=capture)


def batch(state: BatchState, *, ago: float = 60, inserted: int = 0) -> BatchRow:
    return BatchRow(
        stream="crm",
        batch_id=7,
        state=state,
        started_at=NOW - timedelta(seconds=ago),
        finished_at=NOW - timedelta(seconds=ago),
        read_at=None,
        counts=DatasetCounts(inserted=inserted),
        model_digest="m",
        job_digest="j",
        candidate=None,
        error=None,
    )


@pytest.mark.parametrize(
    ("state", "inserted", "word"),
    [
        (BatchState.MERGED, 1, "merged"),
        (BatchState.MERGED, 0, "idle"),
        (BatchState.OPEN, 0, "interrupted"),
        (BatchState.STAGED, 0, "waiting"),
        (BatchState.PARKED, 0, "parked"),
        (BatchState.FAILED, 0, "failed"),
    ],
)
def test_state_of_a_stream_that_nobody_holds(state: BatchState, inserted: int, word: str) -> None:
    assert StreamFacts(stream="crm", last=batch(state, inserted=inserted)).state == word


def test_state_of_a_stream_that_is_held() -> None:
    assert StreamFacts(stream="crm", owner="process 1 on a", silent=3, last=batch(BatchState.OPEN)).state == "running"
    silent = StreamFacts(stream="crm", owner="process 1 on a", silent=31, last=batch(BatchState.OPEN))
    assert (silent.state, silent.stale) == ("interrupted", True)
    assert StreamFacts(stream="crm").state == "never"


def test_how_far_behind() -> None:
    facts = StreamFacts(stream="crm", last=batch(BatchState.MERGED, ago=7300), read_at=NOW - timedelta(seconds=7200))
    status = stream_status(job(), facts, NOW)
    assert status.behind == 7200
    assert status.next_due is not None
    assert status.overdue == pytest.approx((NOW - status.next_due).total_seconds())
    assert 3600 <= status.overdue <= 4000
    fresh = stream_status(job(), StreamFacts(stream="crm", last=batch(BatchState.MERGED, ago=60)), NOW)
    assert fresh.overdue == 0
    assert fresh.behind is None


def test_a_stream_that_runs_on_demand_is_never_due() -> None:
    status = stream_status(job(External()), StreamFacts(stream="crm"), NOW)
    assert (status.next_due, status.overdue, status.every) == (None, 0, "external")


def test_a_schedule_that_cannot_be_followed_does_not_end_the_answer() -> None:
    status = stream_status(job(Cron("not a schedule")), StreamFacts(stream="crm"), NOW)
    assert status.next_due is None
    assert every_text(Cron("0 6 * * *", tz="Europe/Berlin")) == "0 6 * * * (Europe/Berlin)"
