"""The pure parts of the engine: which steps a run takes, what the guard parks, what a plan's line says."""

from __future__ import annotations

import itertools
import json

import pytest

from datasurface import Guard
from datasurface.databases.merge import DeltaCounts
from datasurface.engine.batch import BatchResult, Outcome, Situation, Step, steps
from datasurface.engine.guard import verdict
from datasurface.engine.operation import Operation
from datasurface.store.ledger import BatchState, DatasetCounts

FINAL = (None, BatchState.MERGED, BatchState.FAILED, BatchState.ABANDONED)
SITUATIONS = [
    Situation(last=last, same_job=same, intact=intact, accepting=accepting)
    for last in (None, *BatchState)
    for same, intact, accepting in itertools.product((True, False), repeat=3)
]


@pytest.mark.parametrize(
    ("situation", "expected"),
    [
        (Situation(last=None), "open stage merge"),
        (Situation(last=BatchState.MERGED), "open stage merge"),
        (Situation(last=BatchState.MERGED, same_job=False), "open stage merge"),
        (Situation(last=BatchState.FAILED), "open clear stage merge"),
        (Situation(last=BatchState.ABANDONED), "open clear stage merge"),
        (Situation(last=BatchState.OPEN), "clear stage merge"),
        (Situation(last=BatchState.OPEN, same_job=False), "abandon open stage merge"),
        (Situation(last=BatchState.STAGED, intact=True), "merge"),
        (Situation(last=BatchState.STAGED, intact=False), "clear stage merge"),
        (Situation(last=BatchState.STAGED, intact=True, same_job=False), "abandon open stage merge"),
        (Situation(last=BatchState.PARKED), "abandon open stage merge"),
        (Situation(last=BatchState.PARKED, intact=True, accepting=True), "merge"),
        (Situation(last=BatchState.PARKED, accepting=True, same_job=False), "abandon open stage merge"),
    ],
)
def test_the_steps_of_a_run(situation: Situation, expected: str):
    assert " ".join(steps(situation)) == expected


@pytest.mark.parametrize("situation", SITUATIONS, ids=str)
def test_what_holds_for_the_steps_of_every_run(situation: Situation):
    taken = steps(situation)
    assert taken[-1] is Step.MERGE
    assert len(set(taken)) == len(taken)
    unfinished = situation.last not in FINAL
    assert (Step.OPEN in taken) == (not unfinished or Step.ABANDON in taken), "one batch at a time"
    assert Step.ABANDON not in taken or unfinished, "only what is unfinished is given up"
    if unfinished and not situation.same_job:
        assert taken[0] is Step.ABANDON, "what was staged for another job is never merged"
    if Step.STAGE not in taken:
        assert situation.last in (BatchState.STAGED, BatchState.PARKED), "only what was staged is merged unread"
    if Step.CLEAR in taken:
        assert taken.index(Step.CLEAR) < taken.index(Step.STAGE)


@pytest.mark.parametrize(
    ("guard", "rows", "deleted", "inserted", "parked"),
    [
        (Guard(), 0, 0, 5, False),
        (Guard(), 10, 10, 0, False),
        (Guard(), 11, 11, 0, True),
        (Guard(), 11, 11, 1, False),
        (Guard(), 11, 10, 0, False),
        (Guard(allow_empty=True), 11, 11, 0, False),
        (Guard(allow_empty=True), 1001, 1001, 0, True),
        (Guard(allow_empty=True, max_deleted=1.0), 1001, 1001, 0, False),
        (Guard(), 1000, 999, 0, False),
        (Guard(), 1001, 500, 0, False),
        (Guard(), 1001, 501, 0, True),
        (Guard(), 1002, 501, 0, False),
        (Guard(), 1001, 501, 10_000, True),
        (Guard(max_deleted=0), 1001, 1, 0, True),
        (Guard(max_deleted=0), 1001, 0, 7, False),
        (Guard(above_rows=0), 1, 1, 1, True),
    ],
)
def test_the_guard_at_its_edges(guard: Guard, rows: int, deleted: int, inserted: int, parked: bool):
    reason = verdict(guard, "orders", rows, DeltaCounts(inserted=inserted, updated=3, deleted=deleted))
    assert (reason is not None) is parked
    if reason:
        assert reason.startswith("orders: ")
        assert str(deleted) in reason
        assert str(rows) in reason


def test_an_operation_reads_as_one_line():
    assert Operation(action="create", target="table crm.orders").sentence() == "create table crm.orders"
    grown = Operation(action="change", target="table t", detail="widens a", rewrites=2_500_000)
    assert grown.sentence() == "change table t: widens a, rewrites 2.5 MB"
    assert Operation(action="drop", target="view v", refused="no").sentence() == "drop view v REFUSED: no"
    assert Operation(action="drop", target="view v", blocked="x.y").sentence() == "drop view v BLOCKED: x.y"


def test_an_operation_as_json():
    shown = Operation(action="create", target="view v", statements=("a", "b")).to_json()
    assert json.loads(json.dumps(shown)) == {
        "action": "create", "target": "view v", "detail": "", "statements": ["a", "b"], "stream": None,
        "rewrites_bytes": 0, "refused": None, "blocked": None, "destructive": False,
    }  # fmt: skip


@pytest.mark.parametrize("outcome", list(Outcome))
def test_a_result_is_well_only_when_consumers_see_what_was_read(outcome: Outcome):
    result = BatchResult(stream="s", batch_id=1, outcome=outcome, counts=DatasetCounts(), seconds=0.1)
    assert result.ok is (outcome is Outcome.MERGED)
