"""Random histories of adversarial values over many batches: after every batch consumers see what plain Python says."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice, product
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from datasurface import Consistency, Guard, History, Snapshot
from datasurface.engine.batch import Outcome
from datasurface.engine.capture import snapshot
from property.oracle import Row, Table, Version
from property.stage import TABLES, SourceTables, Spelled, counted, dataset
from workbench import Workbench, container, environ, model, workbench

MAX_DELETED, ABOVE_ROWS = 0.5, 3
GUARD = Guard(max_deleted=MAX_DELETED, above_rows=ABOVE_ROWS)
SETTINGS = settings(
    max_examples=int(os.environ.get("DATASURFACE_TEST_EXAMPLES", "12")),
    deadline=None,
    derandomize="CI" in os.environ or "DATASURFACE_TEST_EXAMPLES" not in os.environ,
    database=None,
    # Shrinking plays hundreds of histories; who looks for a cause asks for it.
    phases=[Phase.generate, *([Phase.shrink] if "DATASURFACE_TEST_SHRINK" in os.environ else [])],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


@dataclass(frozen=True)
class Op:
    """One change of the source. `numbers` choose values; where they are large they choose NULL."""

    table: str
    kind: str
    numbers: tuple[int, ...]

    def row(self, *, like: Sequence[int | None] = ()) -> Spelled:
        keys, fields = TABLES[self.table]
        chosen: list[int | None] = list(like)
        for place, f in list(enumerate(fields))[len(like) :]:
            number = self.numbers[place]
            # Keys come from few values, so that they meet again.
            chosen.append(number % min(5, len(f.values)) if place < keys else _chosen(number, len(f.values)))
        return Spelled(tuple(chosen), self.numbers[-1])


def _chosen(number: int, of: int) -> int | None:
    return None if number >= 36 else number % of


KINDS = ["put"] * 6 + ["drop"] * 3 + ["copy", "respell", "fill", "clear"]
NUMBERS = st.tuples(*[st.integers(0, 40)] * 8)
OPS = st.builds(Op, st.sampled_from(sorted(TABLES)), st.sampled_from(KINDS), NUMBERS)


@dataclass(frozen=True)
class Step:
    """What happens before a batch, whether a parked one is accepted first, and what is wrong with the source."""

    ops: list[Op]
    accept: bool
    wrong: tuple[str, str, int] | None


STEPS = st.lists(
    st.builds(
        Step,
        st.lists(OPS, max_size=8),
        st.booleans(),
        st.one_of(
            st.none(),
            st.none(),
            st.none(),
            st.none(),
            st.tuples(
                st.sampled_from(["duplicate", "null"]),
                st.sampled_from([n for n, (k, _) in TABLES.items() if k]),
                st.integers(0, 9),
            ),
        ),
    ),
    min_size=2,
    max_size=8,
)


class Producer:
    """The source as it should be."""

    def __init__(self) -> None:
        self.rows: dict[str, list[Spelled]] = {name: [] for name in TABLES}

    def do(self, op: Op) -> None:
        rows, keys = self.rows[op.table], TABLES[op.table][0]
        match op.kind:
            case "clear":
                rows.clear()
            case "fill":
                sizes = [min(5, len(f.values)) for f in TABLES[op.table][1][: keys or 1]]
                for choice in islice(product(*map(range, sizes)), 20):
                    self._put(op.table, op.row(like=choice))
                    if not keys:
                        self.rows[op.table] += [op.row(like=choice)] * (op.numbers[0] % 5)
            case "put":
                self._put(op.table, op.row())
            case _ if not rows:
                self._put(op.table, op.row())
            case "drop":
                rows.pop(op.numbers[0] % len(rows))
            case "copy" if not keys:
                rows.append(rows[op.numbers[0] % len(rows)])
            case _:
                place = op.numbers[0] % len(rows)
                rows[place] = Spelled(rows[place].values, op.numbers[1])

    def _put(self, table: str, row: Spelled) -> None:
        keys = TABLES[table][0]
        if keys:
            self.rows[table] = [r for r in self.rows[table] if r.values[:keys] != row.values[:keys]]
        self.rows[table].append(row)

    def with_fault(self, wrong: tuple[str, str, int] | None) -> dict[str, list[Spelled]]:
        shown = {name: list(rows) for name, rows in self.rows.items()}
        if wrong is None:
            return shown
        kind, table, number = wrong
        keys = TABLES[table][0]
        some = shown[table][number % len(shown[table])] if shown[table] else Op(table, "put", (number,) * 8).row()
        if kind == "duplicate":
            other = [None] * (len(some.values) - keys) if number % 2 else some.values[keys:]
            shown[table] = [
                *[r for r in shown[table] if r is not some],
                some,
                Spelled((*some.values[:keys], *other), 1),
            ]
        else:
            values = [None if place == number % keys else v for place, v in enumerate(some.values)]
            shown[table].append(Spelled(tuple(values), 0))
        return shown


@dataclass
class Stream:
    """A stream as plain Python says it is."""

    name: str
    tables: dict[str, Table]
    batch: int = 0
    waiting: int | None = None
    books: dict[int, tuple[str, dict[str, tuple[int, int, int, int]]]] = field(default_factory=dict)

    def read(self, source: Mapping[str, Counter[Row]], *, wrong: bool) -> Outcome:
        self.batch += 1
        if self.waiting is not None:
            self.books[self.waiting] = ("abandoned", self.books[self.waiting][1])
            self.waiting = None
        if wrong:
            self.books[self.batch] = ("failed", {})
            return Outcome.FAILED
        reads = {name: source[name] for name in self.tables}
        counts = {name: table.counts(reads[name]) for name, table in self.tables.items()}
        if any(t.loaded and t.suspicious(reads[n], MAX_DELETED, ABOVE_ROWS) for n, t in self.tables.items()):
            for name, table in self.tables.items():
                table.parked = reads[name]
            self.waiting = self.batch
            self.books[self.batch] = ("parked", {n: (c[0], 0, 0, 0) for n, c in counts.items()})
            return Outcome.PARKED
        for name, table in self.tables.items():
            table.merge(reads[name], self.batch)
        self.books[self.batch] = ("merged", counts)
        return Outcome.MERGED

    def idle(self) -> bool:
        """Tell whether the newest batch changed nothing."""
        return not any(any(counts[1:]) for counts in self.books[self.batch][1].values())

    def accept(self) -> None:
        assert self.waiting is not None
        counts = {}
        for name, table in self.tables.items():
            assert table.parked is not None
            counts[name] = table.counts(table.parked)
            table.merge(table.parked, self.waiting)
        self.books[self.waiting] = ("merged", counts)
        self.waiting = None


class Stage:
    """A platform on which one example after the other is played."""

    def __init__(
        self, bench: Workbench, source: SourceTables, connection: psycopg.Connection[tuple[object, ...]], *, split: bool
    ) -> None:
        self.bench = bench
        self.source = source
        self.connection = connection
        self.split = split
        self.history = bench.release.platforms[0].views[0].history is History.FULL

    def names(self) -> list[str]:
        return list(TABLES)

    def streams(self) -> list[Stream]:
        names = {f"shop.{n}": [n] for n in TABLES} if self.split else {"shop": self.names()}
        return [Stream(name, {n: Table(TABLES[n][0]) for n in found}) for name, found in names.items()]

    def forget(self) -> None:
        """Bring the platform back to where nothing was ever loaded."""
        names = self.names()
        tables = [f'"shop.{n}"' for n in names] + [f'"shop.{n}.history"' for n in names if self.history]
        self.connection.execute(
            (
                "SET search_path = ds_yellow; TRUNCATE ledger, ledger_datasets, streams, "
                f"{', '.join(tables)}; UPDATE datasets SET loaded = false, rows = 0, last_read = 0, "
                "history_from = NULL, history_from_at = NULL; RESET search_path"
            ).encode()
        )

    def play(self, steps: list[Step]) -> None:
        self.forget()
        producer, streams = Producer(), self.streams()
        for step in steps:
            for op in step.ops:
                producer.do(op)
            shown = producer.with_fault(step.wrong)
            self.source.fill(shown)
            reads = {name: counted(rows) for name, rows in shown.items()}
            for stream in streams:
                if step.accept and stream.waiting is not None:
                    assert self.bench.run(stream.name, accept=True).outcome is Outcome.MERGED
                    stream.accept()
                    self.verify(stream)
                wrong = step.wrong is not None and step.wrong[1] in stream.tables
                before = self.addresses(stream)
                result = self.bench.run(stream.name)
                expected = stream.read(reads, wrong=wrong)
                assert result.outcome is expected, result
                assert result.batch_id == stream.batch
                self.verify(stream)
                if stream.idle() and before:
                    assert before == self.addresses(stream), "an idle batch wrote rows"

    def addresses(self, stream: Stream) -> dict[str, list[tuple[object, ...]]]:
        """Return where each current row is and which transaction wrote it, once all is loaded."""
        if not all(t.loaded for t in stream.tables.values()):
            return {}
        return {
            name: self.query(f'SELECT ctid::text, xmin::text FROM ds_yellow."shop.{name}" ORDER BY ctid')
            for name in stream.tables
        }

    def query(self, text: str) -> list[tuple[object, ...]]:
        return self.connection.execute(text.encode()).fetchall()

    def verify(self, stream: Stream) -> None:
        for name, table in stream.tables.items():
            view = f"reports_all.shop_{name}"
            rows = self.query(f"SELECT {self.source.columns(name)} FROM {view}")
            assert Counter([self.source.identities(name, row) for row in rows]) == table.rows
            if self.history:
                self.verify_history(stream, name, table, f"{view}_history")
        self.verify_books(stream)

    def verify_history(self, stream: Stream, name: str, table: Table, view: str) -> None:
        width = len(TABLES[name][1])
        found: Counter[Version] = Counter()
        for row in self.query(f"SELECT {self.source.columns(name)}, ds_batch_in, ds_batch_out FROM {view}"):
            first, last = row[width:]
            assert isinstance(first, int)
            assert last is None or isinstance(last, int)
            found[self.source.identities(name, row[:width]), first, last] += 1
        assert found == table.versions()
        wrong_times = self.query(
            f"SELECT h.ds_batch_in, h.ds_batch_out, h.ds_valid_from, h.ds_valid_to FROM {view} h "
            f"JOIN ds_yellow.ledger i ON i.stream = '{stream.name}' AND i.batch_id = h.ds_batch_in "
            f"LEFT JOIN ds_yellow.ledger o ON o.stream = '{stream.name}' AND o.batch_id = h.ds_batch_out "
            "WHERE h.ds_valid_from IS DISTINCT FROM i.read_at OR h.ds_valid_to IS DISTINCT FROM o.read_at "
            "OR h.ds_valid_to < h.ds_valid_from OR h.ds_batch_out <= h.ds_batch_in"
        )
        assert wrong_times == []

    def verify_books(self, stream: Stream) -> None:
        where = f"WHERE stream = '{stream.name}'"
        found: dict[int, tuple[str, dict[str, tuple[int, int, int, int]]]] = {}
        sums = {}
        columns = "rows_read, inserted, updated, deleted"
        for batch, state, *counts in self.query(f"SELECT batch_id, state, {columns} FROM ds_yellow.batches {where}"):
            assert isinstance(batch, int)
            found[batch] = (str(state), {})
            sums[batch] = tuple(counts)
        details = self.query(f"SELECT batch_id, dataset, {columns} FROM ds_yellow.batch_datasets {where}")
        for batch, name, read, inserted, updated, deleted in details:
            assert isinstance(batch, int)
            found[batch][1][str(name)] = (read, inserted, updated, deleted)  # type: ignore[assignment]
        split = {b: tuple(map(sum, zip(*(d.values() or [(0, 0, 0, 0)]), strict=True))) for b, (_, d) in found.items()}
        assert split == sums
        for batch, (state, counts_of) in stream.books.items():
            assert found[batch][0] == state
            if state == "failed":
                assert sums[batch][1:] == (0, 0, 0)
            else:
                assert found[batch][1] == counts_of
        times = self.query(f"SELECT read_at FROM ds_yellow.ledger {where} AND state = 'merged' ORDER BY batch_id")
        assert times == sorted(times)


@contextmanager
def staged(
    urls: tuple[str, str], folder: Path, *, history: History = History.FULL, split: bool = False
) -> Iterator[Stage]:
    source_url, target_url = urls
    consistency = Consistency.DATASET if split else Consistency.DATASTORE
    with (
        psycopg.connect(source_url, autocommit=True) as connection,
        psycopg.connect(target_url, autocommit=True) as target,
    ):
        for each in (connection, target):
            each.execute("SET timezone = 'UTC'")
            each.execute(f"ALTER DATABASE {each.info.dbname} SET synchronous_commit = off".encode())
        source = SourceTables(connection)
        database = container("src", source_url)
        capture = Snapshot(database, every="1 minute", consistency=consistency)
        ecosystem = model(
            database,
            container("dst", target_url),
            [dataset(name) for name in TABLES],
            history=history,
            capture=capture,
            guard=GUARD,
        )
        with workbench(ecosystem, target_url, folder, environ(src=source_url, dst=target_url)) as bench:
            yield Stage(bench, source, target, split=split)


@pytest.fixture
def milestoned(two_databases: tuple[str, str], tmp_path: Path) -> Iterator[Stage]:
    with staged(two_databases, tmp_path) as stage:
        yield stage


@pytest.fixture
def live(two_databases: tuple[str, str], tmp_path: Path) -> Iterator[Stage]:
    with staged(two_databases, tmp_path, history=History.LIVE) as stage:
        yield stage


@pytest.fixture
def split(two_databases: tuple[str, str], tmp_path: Path) -> Iterator[Stage]:
    with staged(two_databases, tmp_path, split=True) as stage:
        yield stage


@pytest.fixture
def large(two_databases: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Treat every table as a large one: staging and delta of each batch's own, loaded in parallel."""
    monkeypatch.setattr(snapshot, "SMALL_ROWS", 0)
    with staged(two_databases, tmp_path) as stage:
        yield stage


@SETTINGS
@given(steps=STEPS)
def test_live_and_history_equal_the_oracle(milestoned: Stage, steps: list[Step]) -> None:
    milestoned.play(steps)


@SETTINGS
@given(steps=STEPS)
def test_live_alone_equals_the_oracle(live: Stage, steps: list[Step]) -> None:
    live.play(steps)


@SETTINGS
@given(steps=STEPS)
def test_each_dataset_as_a_stream_of_its_own_equals_the_oracle(split: Stage, steps: list[Step]) -> None:
    split.play(steps)


@SETTINGS
@given(steps=STEPS)
def test_large_tables_equal_the_oracle(large: Stage, steps: list[Step]) -> None:
    large.play(steps)
