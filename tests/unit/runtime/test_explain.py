"""Why a stream does not run now, in sentences."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

from datasurface.runtime.explain import now_sentences
from datasurface.runtime.facts import StreamFacts
from datasurface.runtime.releases.memory import Known
from datasurface.runtime.releases.standing import ReleaseStanding
from datasurface.runtime.releases.waiting import waiting_sentences
from datasurface.runtime.status import StreamStatus
from datasurface.store.following import Following, Origin, Pending, Pin, Seen
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


def test_overdue_tells_what_the_ledger_knows_of_the_scheduler() -> None:
    def overdue(idle: float | None) -> str:
        facts = StreamFacts(stream="crm")
        status = StreamStatus(facts=facts, every="1 hour", next_due=NOW, behind=None, overdue=900)
        return list(now_sentences(status, idle=idle))[-1]

    assert overdue(None).startswith("it has been due for 900 s: no scheduler has ever started a batch on this platform")
    assert "no scheduler has started a batch of any stream for 7200 s" in overdue(7200)
    assert "a scheduler starts other streams" in overdue(5)
    assert said(StreamFacts(stream="crm"), due=NOW, overdue=3)[-1] == "it is due now"


def test_failures_are_counted() -> None:
    status = StreamStatus(
        facts=StreamFacts(stream="crm", last=LAST), every="1 hour", next_due=NOW, behind=None, overdue=0
    )
    assert "its last 4 batches failed" in list(now_sentences(status, failures=4))
    assert not any("its last" in sentence for sentence in now_sentences(status, failures=1))


def test_who_holds_it_since_when() -> None:
    held = StreamFacts(stream="crm", owner="process 12 on box", silent=2.0, held_since=NOW, last=LAST)
    (sentence,) = said(held)
    assert sentence.startswith("it runs now: process 12 on box holds it since 2024-05-01 12:00:00Z")


SEEN = Seen(at=NOW, rule="v*", store="/srv/releases", digest="d" * 64, ref="v2", since=NOW)
ACTIVE = Known(enrolled=True, active="a" * 64)


def waiting(following: Following, known: Known = ACTIVE, rule: str | None = "v*") -> list[str]:
    known = dataclasses.replace(known, following=following)
    standing = ReleaseStanding(model="m" * 64, rule=rule, store="/srv/releases", known=known)
    return list(waiting_sentences(standing))


def test_a_stream_of_a_release_that_waits_says_for_what() -> None:
    assert waiting(Following(), rule=None) == ["run `datasurface apply`"]
    assert waiting(Following())[0] == "the environment follows v* in /srv/releases"
    assert "nobody has looked there yet" in waiting(Following())[1]
    nothing = dataclasses.replace(SEEN, digest=None, ref=None)
    assert "the rule selected nothing there" in waiting(Following(seen=nothing))[1]
    away = dataclasses.replace(SEEN, error="no route to host")
    assert "could not be looked at, last at 2024-05-01 12:00:00Z: no route to host" in waiting(Following(seen=away))[1]
    assert "v2 was selected at" in waiting(Following(seen=SEEN))[1]
    active = dataclasses.replace(ACTIVE, active=SEEN.digest)
    assert "publish a newer release that has it" in waiting(Following(seen=SEEN), active)[1]
    pending = Pending(digest="d" * 64, ref="tag v2", reason="the key changes", since=NOW, tried_at=NOW, tries=3)
    assert (
        waiting(Following(seen=SEEN, pending=pending))[1]
        == "tag v2 is pending since 2024-05-01 12:00:00Z: the key changes"
    )
    pin = Pin(at=NOW, who="ann", to="a" * 64, left="d" * 64, left_origin=Origin(who="ci"), left_at=NOW)
    assert "ann rolled back from dddddddddddd" in waiting(Following(seen=SEEN, pin=pin))[1]
