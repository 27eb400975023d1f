from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from datasurface.demo.changes import DAY
from datasurface.demo.outcome import DatasetCount, Outcome
from datasurface.demo.questions import Answer

NOTHING = Answer(title="", sql="", columns=(), rows=())
FLIGHTS = DAY[0]
PLANES = next(change for change in DAY if change.action == "deleted")


def count(batch: int, dataset: str, read: int, inserted: int = 0, updated: int = 0, deleted: int = 0) -> DatasetCount:
    return DatasetCount(
        stream="nyc",
        batch_id=batch,
        dataset=dataset,
        rows_read=read,
        inserted=inserted,
        updated=updated,
        deleted=deleted,
    )


GOOD = Outcome(
    folder=Path("demo"),
    servers=(),
    seconds=1.0,
    loaded={"flights": 10, "planes": 5},
    changes=((FLIGHTS, 3), (FLIGHTS, 1), (PLANES, 1)),
    batches=(),
    datasets=(
        count(1, "flights", 10, inserted=10),
        count(1, "planes", 5, inserted=5),
        count(2, "flights", 10, updated=4),
        count(2, "planes", 4, deleted=1),
    ),
    audited={"nyc.flights": True, "nyc.planes": True},
    consumers=(),
    history=NOTHING,
    as_of=NOTHING,
    model=(),
)


def test_books_that_agree_are_exact() -> None:
    assert GOOD.exact


@pytest.mark.parametrize(
    "wrong",
    [
        replace(GOOD, changes=GOOD.changes[1:]),
        replace(GOOD, loaded={"flights": 11, "planes": 5}),
        replace(GOOD, datasets=(*GOOD.datasets[:3], count(2, "planes", 4))),
        replace(GOOD, datasets=(*GOOD.datasets[:3], count(2, "planes", 4, deleted=1, inserted=1))),
        replace(GOOD, datasets=(count(1, "flights", 11, inserted=10), *GOOD.datasets[1:])),
        replace(GOOD, audited={"nyc.flights": True, "nyc.planes": False}),
    ],
)
def test_any_difference_is_seen(wrong: Outcome) -> None:
    assert not wrong.exact


def test_the_json_is_one_document_with_the_documented_keys() -> None:
    document = json.loads(json.dumps(GOOD.to_json()))
    assert set(document) == set(
        "folder servers seconds loaded changes batches datasets audited consumers history as_of model exact".split()  # noqa: SIM905
    )
    assert document["changes"][2] == {
        "told": "1 plane is withdrawn: N258JB, which had flown more often than any other of JetBlue",
        "dataset": "nyc.planes",
        "action": "deleted",
        "rows": 1,
    }
