"""Random changes over many batches, in any physical order: consumers see what doing them one by one leaves behind."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasurface import OutputMode, Snapshot
from datasurface.databases.postgres.types import physical_type
from datasurface.engine.batch import BatchResult, Outcome
from datasurface.engine.capture import snapshot
from property.oracle import Row
from property.stage import TABLES, SourceTables, Spelled, dataset
from property.test_histories import GUARD, NUMBERS, SETTINGS, Op, Stage, Stream
from workbench import Workbench, container, environ, model, workbench

KEYED = sorted(name for name, (keys, _) in TABLES.items() if keys)


@dataclass(frozen=True)
class Event:
    """A change of one row; `place` is where it physically is among the others."""

    op: Op
    place: int


@dataclass(frozen=True)
class Batch:
    events: list[Event]
    accept: bool
    gap: int


EVENTS = st.builds(
    Event, st.builds(Op, st.sampled_from(KEYED), st.sampled_from("IIUUD"), NUMBERS), st.integers(0, 1000)
)
CLEAR = st.builds(lambda name: [Event(Op(name, "clear", (0,) * 8), 0)], st.sampled_from(KEYED))
BATCHES = st.lists(
    st.builds(Batch, st.one_of(*[st.lists(EVENTS, max_size=12)] * 4, CLEAR), st.booleans(), st.integers(1, 5)),
    min_size=2,
    max_size=8,
)


class Changes(Stage):
    """A platform whose stream stages changes of the datasets that have a key."""

    def __init__(
        self,
        bench: Workbench,
        source: SourceTables,
        connections: tuple[psycopg.Connection[tuple[object, ...]], psycopg.Connection[tuple[object, ...]]],
    ) -> None:
        self.producer, target = connections
        super().__init__(bench, source, target, split=False)
        for name in KEYED:
            self.producer.execute(f"ALTER TABLE {name} ADD ds_op text, ADD ds_seq bigint".encode())

    def names(self) -> list[str]:
        return KEYED

    def run(self, *, accept: bool = False) -> BatchResult:
        job, digest = self.bench.running.job("shop")
        return self.bench.runner.run(dataclasses.replace(job, mode=OutputMode.CHANGES), digest, accept=accept)

    def enact(self, batches: list[Batch]) -> None:
        self.forget()
        (stream,) = self.streams()
        for batch in batches:
            if batch.accept and stream.waiting is not None:
                number, read = stream.waiting, self.events_read(stream, stream.waiting)
                assert self.run(accept=True).outcome is Outcome.MERGED
                stream.accept()
                self.correct(stream, number, read)
                self.verify(stream)
            events = [e for given in batch.events for e in self.expanded(stream, given)]
            self.fill(events, batch.gap)
            before = self.addresses(stream)
            result = self.run()
            expected = stream.read({n: after(stream, n, events) for n in KEYED}, wrong=False)
            self.correct(stream, stream.batch, {n: sum(e.op.table == n for e in events) for n in KEYED})
            assert result.outcome is expected, result
            self.verify(stream)
            if expected is Outcome.MERGED and stream.idle() and before:
                assert before == self.addresses(stream), "an idle batch wrote rows"

    def expanded(self, stream: Stream, event: Event) -> list[Event]:
        """Return an event, or for one that clears a table the deletes of all its rows."""
        if event.op.kind != "clear":
            return [event]
        name, keys = event.op.table, TABLES[event.op.table][0]
        found = []
        for row in stream.tables[name].rows:
            numbers = (*[n for n in row[:keys] if isinstance(n, int)], *(0,) * (8 - keys))
            found.append(Event(Op(name, "D", numbers), 0))
        return found

    def fill(self, events: list[Event], gap: int) -> None:
        """Let the source's tables hold the events, each numbered by its place in the list."""
        numbered = sorted(enumerate(events), key=lambda pair: pair[1].place)
        with self.producer.transaction():
            for name in KEYED:
                self.producer.execute(f"DELETE FROM {name}".encode())
            for number, event in numbered:
                fields = TABLES[event.op.table][1]
                row = ", ".join(f"%s::{physical_type(f.type)}" for f in fields)
                self.producer.execute(
                    f"INSERT INTO {event.op.table} VALUES ({row}, %s, %s)".encode(),
                    [*event.op.row().literals(fields), event.op.kind, number * gap - 3],
                )

    @staticmethod
    def events_read(stream: Stream, number: int) -> dict[str, int]:
        return {name: counts[0] for name, counts in stream.books[number][1].items()}

    @staticmethod
    def correct(stream: Stream, number: int, read: dict[str, int]) -> None:
        """Write into the oracle's books that changes were read, not rows."""
        state, counts = stream.books[number]
        stream.books[number] = (state, {n: (read[n], *c[1:]) for n, c in counts.items()})


def after(stream: Stream, name: str, events: list[Event]) -> Counter[Row]:
    """Return the rows that a table holds once all events are done, one by one."""
    keys = TABLES[name][0]
    rows = {row[:keys]: row for row in stream.tables[name].rows}
    for event in events:
        if event.op.table != name:
            continue
        row: Spelled = event.op.row()
        if event.op.kind == "D":
            rows.pop(row.values[:keys], None)
        else:
            rows[row.values[:keys]] = row.values
    return Counter(rows.values())


@contextmanager
def enacted(urls: tuple[str, str], folder: Path) -> Iterator[Changes]:
    source_url, target_url = urls
    with (
        psycopg.connect(source_url, autocommit=True) as connection,
        psycopg.connect(target_url, autocommit=True) as target,
    ):
        for each in (connection, target):
            each.execute("SET timezone = 'UTC'")
            each.execute(f"ALTER DATABASE {each.info.dbname} SET synchronous_commit = off".encode())
        source = SourceTables(connection)
        database = container("src", source_url)
        ecosystem = model(
            database,
            container("dst", target_url),
            [dataset(name) for name in KEYED],
            capture=Snapshot(database, every="1 minute"),
            guard=GUARD,
        )
        with workbench(ecosystem, target_url, folder, environ(src=source_url, dst=target_url)) as bench:
            yield Changes(bench, source, (connection, target))


@pytest.fixture
def changes(two_databases: tuple[str, str], tmp_path: Path) -> Iterator[Changes]:
    with enacted(two_databases, tmp_path) as stage:
        yield stage


@pytest.fixture
def large(two_databases: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Changes]:
    monkeypatch.setattr(snapshot, "SMALL_ROWS", 0)
    with enacted(two_databases, tmp_path) as stage:
        yield stage


@SETTINGS
@given(batches=BATCHES)
def test_changes_equal_the_oracle(changes: Changes, batches: list[Batch]) -> None:
    changes.enact(batches)


@SETTINGS
@given(batches=BATCHES)
def test_many_changes_equal_the_oracle(large: Changes, batches: list[Batch]) -> None:
    large.enact(batches)
