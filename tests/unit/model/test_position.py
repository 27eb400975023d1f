"""Where objects say they were made: relative to the model folder, at the line of the call."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import time
from pathlib import Path

from datasurface import (
    PII,
    BigInt,
    Column,
    Credential,
    Dataset,
    DatasetGroup,
    DatasetSink,
    Datastore,
    PostgresDatabase,
    Snapshot,
    YellowPlatform,
)
from datasurface.model.base import Noun
from datasurface.model.effective import all_datastores, all_workspaces
from datasurface.model.load import load
from datasurface.model.position import Position

ECO = """\
from datasurface import *
from parts.tables import table, more
from loose.place import LAST

crm = PostgresDatabase(
    "crm",
    host="h", database="d")

ecosystem = Ecosystem("e", owner=GitHubRepository("a/b"), zones=[
    GovernanceZone("z", teams=[
        Team(
            "t",
            datastores=[
                Datastore("s", capture=Snapshot(crm, credential="c"), datasets=[
                    table("one"),
                    *more(),
                    Dataset("cols", columns=[
                        Column(n, BigInt)
                        for n in ("a", "b")]),
                    LAST]),
            ],
            workspaces=[Workspace("w", groups=[
                DatasetGroup("g",
                    sinks=["s.one",
                           DatasetSink("s.cols")])])])])])
"""
TABLES = """\
from datasurface import *


def table(name):
    return Dataset(
        name, columns=[])


def more():
    return [Dataset(n, columns=[])
            for n in "xy"]
"""


def place(made: Noun) -> str:
    return str(made.declared_at)


def here(back: int = 0) -> int:
    """The line of the caller, or one so many before."""
    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    return frame.f_back.f_lineno - back


def test_places_of_a_whole_model(tmp_path: Path):
    for name, text in {
        "eco.py": ECO,
        "parts/__init__.py": "",
        "parts/tables.py": TABLES,
        "loose/place.py": "from datasurface import Dataset\nLAST = Dataset('last', columns=[])\n",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    made = load(tmp_path)
    zone, team = made.zones[0], made.zones[0].teams[0]
    (store,) = [placed.datastore for placed in all_datastores(made)]
    (workspace,) = [placed.workspace for placed in all_workspaces(made)]
    assert [place(noun) for noun in (made, zone, team, store)] == ["eco.py:9", "eco.py:10", "eco.py:11", "eco.py:14"]
    assert store.capture is not None
    assert place(store.capture.container) == "eco.py:5"
    assert [place(d) for d in store.datasets] == [
        "parts/tables.py:5", "parts/tables.py:10", "parts/tables.py:10", "eco.py:17", "loose/place.py:2",
    ]  # fmt: skip
    assert [place(c) for c in store.datasets[3].columns] == ["eco.py:18", "eco.py:18"]
    (group,) = workspace.groups
    assert place(group) == "eco.py:23"
    sinks = [s for s in group.sinks if isinstance(s, Noun)]
    assert [place(s) for s in sinks] == ["eco.py:23", "eco.py:25"]


def test_a_shorthand_is_where_its_object_is():
    crm = PostgresDatabase("crm", host="h", database="d")
    made = Snapshot(crm, credential="reader")
    assert isinstance(made.credential, Credential)
    assert made.credential.declared_at == made.declared_at == Position(__file__, here(2))
    group = DatasetGroup("g", sinks=["a.b"])
    assert isinstance(group.sinks[0], DatasetSink)
    assert group.sinks[0].declared_at == group.declared_at == Position(__file__, here(2))


def test_what_comes_from_datasurface_itself_has_no_place():
    assert PII.declared_at is None
    assert Column("a", BigInt).data_type.declared_at is None
    assert Datastore("s").guard.declared_at is None
    assert YellowPlatform("y").container.declared_at is None


def test_what_was_read_has_no_place_and_a_copy_has_its_originals():
    column = Column("a", BigInt)
    line = here(1)
    assert Column.from_json(column.to_json()).declared_at is None
    assert pickle.loads(pickle.dumps(column)).declared_at is None
    assert copy.deepcopy(column).declared_at == Position(__file__, line)


def test_a_replacement_is_where_it_was_replaced():
    column = Column("a", BigInt)
    assert dataclasses.replace(column, doc="x").declared_at == Position(__file__, here())


def test_a_place_is_no_part_of_equality_json_or_digest():
    one = Dataset("d", columns=[Column("a", BigInt)])
    two = Dataset("d", columns=[Column("a", BigInt)])
    assert one.declared_at != two.declared_at
    assert (one, one.to_json(), one.digest, hash(one)) == (two, two.to_json(), two.digest, hash(two))


def test_codes_that_differ_only_in_their_lines_are_told_apart():
    lines = []
    for gap in ("\n", "\n\n"):
        scope: dict[str, object] = {}
        exec(f"from datasurface import *\n[0,{gap}Column('a', Integer)]\nc = [0,{gap}Column('a', Integer)][1]", scope)
        made = scope["c"]
        assert isinstance(made, Column)
        assert made.declared_at is not None
        lines.append(made.declared_at.line)
    assert lines == [5, 7]


def test_asking_every_object_of_a_long_file_is_linear():
    def seconds(rows: int) -> float:
        scope: dict[str, list[Column]] = {}
        calls = "".join(f"  Column('c{n}', BigInt),\n" for n in range(rows))
        exec(f"from datasurface import *\ncolumns = [\n{calls}]", scope)
        started = time.process_time()
        lines = [column.declared_at.line for column in scope["columns"] if column.declared_at]
        spent = time.process_time() - started
        assert lines == list(range(3, rows + 3))
        return spent

    few = min(seconds(1000) for _ in range(3))
    assert seconds(16_000) < 16 * few * 6 + 0.05
