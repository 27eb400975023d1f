from __future__ import annotations

import json
import os
import sqlite3
import threading
import uuid
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal as Number
from pathlib import Path

import pytest

from datasurface import (
    Array,
    BigInt,
    Binary,
    Boolean,
    Date,
    Decimal,
    FixedString,
    Float32,
    Float64,
    Integer,
    Json,
    SmallInt,
    SqliteDatabase,
    String,
    Time,
    Timestamp,
    Uuid,
)
from datasurface.databases.base import Login, RowFeed
from datasurface.databases.sqlite import ADAPTER
from datasurface.databases.sqlite.source import SqliteSource
from datasurface.errors import SourceError, TransientError
from datasurface.model.types import DataType
from datasurface.release.job import JobColumn, JobDataset


def source_of(path: Path) -> SqliteSource:
    source = ADAPTER.source(Login(container=SqliteDatabase("s", path=path.name), folder=path.parent))
    assert isinstance(source, SqliteSource)
    return source


def dataset(table: str, columns: dict[str, DataType], keys: Sequence[str] = ()) -> JobDataset:
    made = [JobColumn(n, t, key=n in keys, nullable=n not in keys, source=n) for n, t in columns.items()]
    return JobDataset("d", source_table=table, columns=made)


def rows_of(source: SqliteSource, wanted: JobDataset) -> list[tuple[object, ...]]:
    with source.reading([wanted], connections=4) as reading, reading.feed(wanted) as feed:
        assert isinstance(feed, RowFeed)
        return [row for batch in feed.batches for row in batch]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "it's 100% odd? #1.db"


@pytest.fixture
def writer(path: Path):
    connection = sqlite3.connect(path, isolation_level=None)
    yield connection
    connection.close()


def test_reads_exact_values_by_the_models_types(path: Path, writer: sqlite3.Connection):
    some = uuid.uuid4()
    values = {
        "i": (Integer(), -(2**31), -(2**31)),
        "i2": (SmallInt(), 3.0, 3),
        "b": (BigInt(), 2**63 - 1, 2**63 - 1),
        "f": (Float64(), 5, 5.0),
        "f4": (Float32(), 0.5, 0.5),
        "d": (Decimal(10, 2), "12345678.90", Number("12345678.9")),
        "d2": (Decimal(10, 2), 0.1, Number("0.1")),
        "d3": (Decimal(40, 10), "123456789012345678901234567890.0000000001", None),
        "s": (String(4), "größ", "größ"),
        "c": (FixedString(3), "ab     ", "ab"),
        "empty": (String(), "", ""),
        "y": (Binary(), b"\x00\xff", b"\x00\xff"),
        "u": (Uuid(), str(some), some),
        "u2": (Uuid(), some.bytes, some),
        "t": (Boolean(), 1, True),
        "t2": (Boolean(), "false", False),
        "day": (Date(), "2024-02-29 00:00:00", date(2024, 2, 29)),
        "clock": (Time(), "23:59:59.5", time(23, 59, 59, 500000)),
        "ts": (Timestamp(tz=False), "2024-02-29T01:02:03.123456", datetime(2024, 2, 29, 1, 2, 3, 123456)),  # noqa: DTZ001
        "tz": (Timestamp(), "2024-02-29 01:02:03+02:00", datetime(2024, 2, 28, 23, 2, 3, tzinfo=UTC)),
        "unix": (Timestamp(), 0, datetime(1970, 1, 1, tzinfo=UTC)),
        "j": (Json(), '{"a": [1, null]}', '{"a": [1, null]}'),
    }
    values["d3"] = (values["d3"][0], values["d3"][1], Number("123456789012345678901234567890.0000000001"))
    writer.execute(f"CREATE TABLE t ({', '.join(values)})")
    writer.execute(f"INSERT INTO t VALUES ({', '.join('?' * len(values))})", [v for _, v, _ in values.values()])
    writer.execute(f"INSERT INTO t VALUES ({', '.join(['NULL'] * len(values))})")
    wanted = dataset("t", {name: t for name, (t, _, _) in values.items()})
    first, nulls = rows_of(source_of(path), wanted)
    assert list(first) == [expected for _, _, expected in values.values()]
    assert [type(v) for v in first] == [type(expected) for _, _, expected in values.values()]
    assert nulls == (None,) * len(values)


@pytest.mark.parametrize(
    ("t", "value", "says"),
    [
        (Integer(), "abc", "holds text, the model says Integer"),
        (Integer(), 2**31, "more than 32 bits"),
        (SmallInt(), 1.5, "holds a real"),
        (BigInt(), b"1", "holds a blob"),
        (Float64(), 2**53 + 1, "too many digits"),
        (Float32(), 0.1, "32 bits"),
        (Decimal(5, 2), "1.234", "more digits"),
        (Decimal(5, 2), 1000, "more digits"),
        (Decimal(5, 2), "NaN", "no finite number"),
        (Decimal(5, 2), 0.1 + 0.2, "more digits"),
        (Decimal(5, 2), "1_0", "holds text"),
        (String(2), "abc", "text of 3 characters"),
        (String(), "a\0b", "NUL"),
        (String(), 5, "holds an integer"),
        (Binary(1), b"ab", "2 bytes"),
        (Binary(), "ab", "holds text"),
        (Boolean(), 2, "neither true nor false"),
        (Uuid(), "x", "no UUID"),
        (Date(), "2024-02-30", "not in the calendar"),
        (Date(), "2024-02-28 10:00", "no date"),
        (Date(), "20240228", "no date"),
        (Time(), "24:00", "not on the clock"),
        (Timestamp(), "2024-02-28 10:00", "without zone"),
        (Timestamp(tz=False), "2024-02-28 10:00Z", "with zone"),
        (Timestamp(tz=False), "2024-02-28 10:00:00.1234567", "no ISO 8601"),
        (Timestamp(), 1_700_000_000_000, "seconds since 1970"),
        (Timestamp(), 2460000.5, "holds a real"),
        (Json(), "{'a': 1}", "not JSON"),
        (Json(), '["\\ud800"]', "half a character"),
        (Json(), '["\\u0000"]', "NUL"),
        (Json(), "[NaN]", "no JSON numbers"),
        (Json(), "[1e999999]", "too many digits"),
        (Json(), "[" * 100_000, "not JSON"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_and_named(
    path: Path, writer: sqlite3.Connection, t: DataType, value: object, says: str
):
    writer.execute('CREATE TABLE "odd ""t" (k, "the col")')
    writer.execute('INSERT INTO "odd ""t" (rowid, k, "the col") VALUES (1, 1, NULL), (77, 2, ?)', [value])
    with pytest.raises(SourceError) as caught:
        rows_of(source_of(path), dataset('odd "t', {"the col": t}))
    message = str(caught.value)
    assert says in message
    assert "column 'the col' of table 'odd \"t'" in message
    assert "(rowid 77)" in message


def test_rows_without_number_are_named_by_key(path: Path, writer: sqlite3.Connection):
    writer.execute("CREATE TABLE t (a, rowid, PRIMARY KEY (a, rowid)) WITHOUT ROWID")
    writer.execute("INSERT INTO t VALUES (1, 'x')")
    with pytest.raises(SourceError, match=r"\(key a=1\)"):
        rows_of(source_of(path), dataset("t", {"a": BigInt(), "rowid": Integer()}, keys=["a"]))


def test_text_that_is_not_utf8_is_refused_without_being_shown(path: Path, writer: sqlite3.Connection):
    writer.execute("CREATE TABLE t (secret)")
    writer.execute("INSERT INTO t VALUES (CAST(x'68656c6c6fff' AS TEXT))")
    with pytest.raises(SourceError, match=r"column 'secret' .*not UTF-8") as caught:
        rows_of(source_of(path), dataset("t", {"secret": String()}))
    assert "hello" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_never_creates_a_file(tmp_path: Path):
    with pytest.raises(SourceError, match=r"no SQLite file .*none\.db"):
        source_of(tmp_path / "none.db")
    with pytest.raises(SourceError, match="no SQLite file"):
        source_of(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_database_is_said_so(tmp_path: Path):
    (tmp_path / "x.db").write_bytes(b"hello " * 1000)
    with pytest.raises(SourceError, match="not a database"):
        source_of(tmp_path / "x.db")


def test_a_locked_file_is_a_passing_fault(path: Path, writer: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("datasurface.databases.sqlite.connect._WAIT_SECONDS", 0.05)
    writer.execute("CREATE TABLE t (a)")
    source = source_of(path)
    writer.execute("BEGIN EXCLUSIVE")
    with pytest.raises(TransientError, match="locked"):
        rows_of(source, dataset("t", {"a": BigInt()}))
    with pytest.raises(TransientError, match="locked"):
        source_of(path)
    writer.execute("COMMIT")
    assert rows_of(source, dataset("t", {"a": BigInt()})) == []


def test_absent_tables_and_columns_are_refused_all_at_once(path: Path, writer: sqlite3.Connection):
    writer.execute("CREATE TABLE t (a, arr)")
    source = source_of(path)
    with pytest.raises(SourceError, match="there is no table 'x'"):
        source.verify(dataset("x", {"a": BigInt()}))
    wrong = dataset("t", {"a": BigInt(), "b": BigInt(), "c": BigInt(), "arr": Array(BigInt)})
    with pytest.raises(SourceError, match=r"no column 'b'; no column 'c'; column 'arr' cannot be Array\(BigInt\)"):
        source.verify(wrong)
    with pytest.raises(SourceError, match="no column 'b'"):
        rows_of(source, wrong)
    source.verify(dataset("T", {"A": BigInt()}))


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_all_tables_are_read_at_one_point(path: Path, mode: str):
    writer = sqlite3.connect(path, isolation_level=None, timeout=0)
    writer.execute(f"PRAGMA journal_mode = {mode}")
    writer.executescript("CREATE TABLE a (n INTEGER); CREATE TABLE b (n INTEGER)")
    writer.executescript("INSERT INTO a VALUES (1); INSERT INTO b VALUES (1)")
    a, b = (JobDataset(n, source_table=n, columns=[JobColumn("n", BigInt(), source="n")]) for n in "ab")
    source = source_of(path)
    with source.reading([a, b], connections=4) as reading:
        with reading.feed(a) as feed:
            assert isinstance(feed, RowFeed)
            assert [list(x) for x in feed.batches] == [[(1,)]]
        if mode == "wal":
            writer.execute("UPDATE b SET n = 2")
        else:
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                writer.execute("UPDATE b SET n = 2")
        with reading.feed(b) as feed:
            assert isinstance(feed, RowFeed)
            assert [list(x) for x in feed.batches] == [[(1,)]]
    writer.execute("UPDATE b SET n = 3")
    with source.reading([b], connections=1) as reading, reading.feed(b) as feed:
        assert isinstance(feed, RowFeed)
        assert [list(x) for x in feed.batches] == [[(3,)]]
    writer.close()


def test_feeds_of_several_threads_take_turns(path: Path, writer: sqlite3.Connection):
    wanted = []
    for name in "abcd":
        writer.execute(f"CREATE TABLE {name} (n INTEGER PRIMARY KEY, s TEXT)")
        writer.execute(
            f"WITH RECURSIVE x(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM x WHERE i < 7000)"
            f" INSERT INTO {name} SELECT i, '{name}' || i FROM x"
        )
        columns = [JobColumn("n", BigInt(), source="n"), JobColumn("s", String(9), source="s")]
        wanted.append(JobDataset(name, source_table=name, columns=columns))
    found: dict[str, list[tuple[object, ...]]] = {}
    with source_of(path).reading(wanted, connections=4) as reading:

        def read(one: JobDataset) -> None:
            with reading.feed(one) as feed:
                assert isinstance(feed, RowFeed)
                found[one.name] = [row for batch in feed.batches for row in batch]

        threads = [threading.Thread(target=read, args=[one]) for one in wanted]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert found == {n: [(i, f"{n}{i}") for i in range(1, 7001)] for n in "abcd"}


def test_batches_are_bounded_by_rows_and_bytes(path: Path, writer: sqlite3.Connection):
    writer.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, y BLOB)")
    writer.execute("BEGIN")
    writer.executemany("INSERT INTO t (y) VALUES (?)", [(b"x",)] * 5000 + [(b"y" * 3_000_000,)] * 5)
    writer.execute("COMMIT")
    wanted = dataset("t", {"y": Binary()})
    with source_of(path).reading([wanted], connections=1) as reading, reading.feed(wanted) as feed:
        assert isinstance(feed, RowFeed)
        sizes = [(len(batch), sum(len(y) for (y,) in batch if isinstance(y, bytes))) for batch in feed.batches]
    assert sum(n for n, _ in sizes) == 5005
    assert max(n for n, _ in sizes) <= 2000
    assert max(b for _, b in sizes) < 7_000_001


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_the_position_tells_that_the_content_may_have_changed(path: Path, mode: str):
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute(f"PRAGMA journal_mode = {mode}")
    writer.execute("CREATE TABLE t (n INTEGER)")
    writer.execute("INSERT INTO t VALUES (1)")
    source, wanted = source_of(path), dataset("t", {"n": BigInt()})

    def position() -> str:
        with source.reading([wanted], connections=1) as reading:
            assert abs((reading.read_at - datetime.now(UTC)).total_seconds()) < 10
            return json.dumps(reading.position, sort_keys=True)

    seen = [position()]
    for number in range(20):
        writer.execute("UPDATE t SET n = ?", [number])
        seen.append(position())
    assert len(set(seen)) == len(seen)
    writer.close()
    for part in (path, path.with_name(path.name + "-wal")):
        if part.exists():
            os.utime(part, (1_700_000_000, 1_700_000_000))
    assert position() == position()
    assert position() not in seen


def test_lists_tables_and_views_as_declared(path: Path, writer: sqlite3.Connection):
    writer.executescript("""
        CREATE TABLE "Order Details" ("id" INTEGER PRIMARY KEY AUTOINCREMENT, "Unit Price" DECIMAL(10,2) NOT NULL,
            name VARCHAR(80), free NUMERIC, plain, ts DATETIME, twice INT GENERATED ALWAYS AS (id * 2) VIRTUAL);
        CREATE TABLE pair (b TEXT, a INT, PRIMARY KEY (a, b)) WITHOUT ROWID;
        CREATE VIEW v AS SELECT id, name, id + 1 AS more FROM "Order Details";
        CREATE VIEW broken AS SELECT * FROM pair;
        CREATE TABLE other (x INT);
        CREATE VIEW broken2 AS SELECT nowhere FROM other;
        INSERT INTO "Order Details" ("Unit Price") VALUES ('1.50');
    """)
    source = source_of(path)
    tables = {t.name: t for t in source.tables(None)}
    assert sorted(tables) == ["Order Details", "broken", "other", "pair", "v"]
    details = tables["Order Details"]
    assert {c.name: c.type for c in details.columns} == {
        "id": BigInt(),
        "Unit Price": Decimal(10, 2),
        "name": String(80),
        "free": None,
        "plain": None,
        "ts": Timestamp(tz=False),
        "twice": BigInt(),
    }
    assert [(c.name, c.key_position) for c in tables["pair"].columns] == [("b", 2), ("a", 1)]
    assert [c.nullable for c in details.columns] == [False, False, True, True, True, True, True]
    assert {c.name: c.type for c in tables["v"].columns} == {"id": BigInt(), "name": String(80), "more": None}
    assert source.table(None, "Order Details") == details
    assert source.table("main", "order details") == details
    assert source.table("other", "Order Details") is None
    assert source.table(None, "nothing") is None
    assert rows_of(source, dataset("Order Details", {"Unit Price": Decimal(10, 2), "twice": Integer()})) == [
        (Number("1.5"), 2)
    ]
    assert rows_of(source, dataset("v", {"more": BigInt()})) == [(2,)]


def test_a_missing_column_is_never_read_as_a_text(path: Path, writer: sqlite3.Connection):
    writer.execute("CREATE TABLE t (a TEXT)")
    writer.execute("INSERT INTO t VALUES ('x')")
    with pytest.raises(SourceError, match="no column 'b'"):
        rows_of(source_of(path), dataset("t", {"b": String()}))


def test_reading_leaves_other_connections_locks_alone(path: Path, writer: sqlite3.Connection):
    """A second handle of the file, closed, would drop this process's locks and let a stranger write."""
    writer.execute("CREATE TABLE t (a)")
    writer.execute("BEGIN IMMEDIATE")
    source = source_of(path)
    with source.reading([dataset("t", {"a": BigInt()})], connections=1):
        pass
    pid = os.fork()
    if pid == 0:
        stranger = sqlite3.connect(path, isolation_level=None, timeout=0)
        try:
            stranger.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            os._exit(7)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
