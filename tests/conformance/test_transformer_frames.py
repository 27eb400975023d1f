"""Rows in and out of a transformer's code in every form: every type that PostgreSQL holds comes back as it was."""

from __future__ import annotations

import gc
import resource
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal as Exact
from typing import Any

import pandas as pd
import polars as pl
import psycopg
import pyarrow as pa
import pytest

from conformance.test_engine_types import NAMES, VALUES
from datasurface import Array, BigInt, Binary, Date, Decimal, Integer, Interval, Json, String, Time, Timestamp, Uuid
from datasurface.databases.base import Login
from datasurface.databases.documents import JSON_NULL
from datasurface.databases.postgres.code import PostgresCode, PostgresSession
from datasurface.databases.postgres.types import canonical, physical_type
from datasurface.errors import MissingExtraError, SourceError
from datasurface.model.types import DataType
from datasurface.release.job import JobColumn
from datasurface.transform import arrow
from datasurface.transform.frames import rows_of
from datasurface.transform.inputs import Reader
from servers import Server
from workbench import container

FORMS: dict[str, Callable[[Reader], Any]] = {
    "tuples": lambda r: r.rows(),
    "mappings": lambda r: r.dicts(),
    "arrow": lambda r: r.arrow(),
    "arrow batches": lambda r: r.arrow_batches(2),
    "pandas": lambda r: r.pandas(),
    "polars": lambda r: r.polars(),
}
ROWS = ("tuples", "mappings")


@dataclass
class Bench:
    """Two tables of one shape, and the session of code between them."""

    own: psycopg.Connection[Any]
    login: Login
    sessions: list[PostgresSession] = field(default_factory=list)

    def table(self, columns: list[JobColumn], *rows: str) -> Reader:
        """Make the tables, put rows into the first, and return a reader of it."""
        self.close()
        shape = ", ".join(f'"{c.name}" {physical_type(c.type)}' for c in columns)
        for name in ("given", "taken"):
            self.own.execute(f"DROP TABLE IF EXISTS {name}".encode())
            self.own.execute(f"CREATE TABLE {name} ({shape})".encode())
        for row in rows:
            self.own.execute(f"INSERT INTO given VALUES ({row})".encode())
        self.sessions.append(PostgresCode().session(self.login, None))
        return Reader("public.given", columns, self.sessions[-1])

    def write(self, columns: list[JobColumn], data: Any) -> int:
        """Write data as an output does, and commit."""
        count = self.sessions[-1].write("public", "taken", columns, rows_of(data, columns))
        self.sessions[-1].commit()
        self.close()
        return count

    def close(self) -> None:
        while self.sessions:
            self.sessions.pop().close()

    def taken(self, expression: str = "*") -> list[tuple[Any, ...]]:
        return self.own.execute(f"SELECT {expression} FROM taken".encode()).fetchall()


@pytest.fixture(scope="module")
def database(server: Server) -> Iterator[str]:
    with server.database() as url:
        yield url


@pytest.fixture
def bench(database: str) -> Iterator[Bench]:
    with psycopg.connect(database, autocommit=True) as own:
        found = Bench(own, Login(container=container("db", database), user=own.info.user, password=own.info.password))
        yield found
        found.close()


def columns_of(*types: DataType | type[DataType]) -> list[JobColumn]:
    made = [t() if isinstance(t, type) else t for t in types]
    return [JobColumn("n", BigInt(), source="n"), *(JobColumn(f"v{i}", t, source=f"v{i}") for i, t in enumerate(made))]


@pytest.mark.parametrize("form", FORMS)
def test_every_value_comes_back_as_it_was(bench: Bench, form: str) -> None:
    wrong = []
    for number, (kind, groups) in enumerate(VALUES):
        texts = [text for text in (group[0] for group in groups) if _possible(kind, text, form)]
        columns = columns_of(kind)
        held = physical_type(kind)
        quoted = [s.replace("'", "''") for s in texts]
        reader = bench.table(columns, *[f"{i}, '{t}'::{held}" for i, t in enumerate(quoted)], "99, NULL")
        if form == "polars" and "Decimal(1000" in NAMES[number]:
            continue
        bench.write(columns, FORMS[form](reader))
        same = f"{canonical(kind, 'g.v0')} IS NOT DISTINCT FROM {canonical(kind, 't.v0')}"
        rows = bench.own.execute(
            f"SELECT g.v0::text, t.v0::text FROM given g FULL JOIN taken t ON g.n = t.n WHERE NOT ({same})".encode()
        ).fetchall()
        wrong += [(NAMES[number], *row) for row in rows]
    assert wrong == []


def _possible(kind: DataType, text: str, form: str) -> bool:
    """Tell whether a form has a value: Python has no infinite date, no year before Christ, no hour 24, no bounds."""
    inner = kind.element if isinstance(kind, Array) else kind
    if isinstance(inner, Date | Timestamp):
        year = text.lstrip('{"').split("-")[0]
        return "infinity" not in text and "BC" not in text and len(year) == 4
    if isinstance(inner, Time) and text.startswith("24"):
        return False
    if isinstance(kind, Array) and (text.startswith("[") or (form not in ROWS and text.startswith("{{"))):
        return False
    return form in ROWS or not (isinstance(inner, Decimal) and "NaN" in text)


def test_forms_have_the_types_that_hold_the_values(bench: Bench) -> None:
    columns = columns_of(Decimal(38, 6), Timestamp, Timestamp(tz=False), Json, Array(Integer), Binary, Uuid)
    row = """1, '12345678901234567890123456789012.000001', '2024-03-31 01:00:00+00', '2024-03-31 02:30:00',
        '{"a": [1, null, 0.1]}', '{1,NULL}', '\\x00ff', '00000000-0000-0000-0000-000000000001'"""
    reader = bench.table(columns, row, "2, NULL, NULL, NULL, NULL, NULL, NULL, NULL")
    first, second = reader.rows()
    assert second == (2, *[None] * 7)
    assert first[1] == Exact("12345678901234567890123456789012.000001")
    assert first[2] == datetime(2024, 3, 31, 1, tzinfo=UTC)
    assert first[3] == datetime(2024, 3, 31, 2, 30)  # noqa: DTZ001 - it has no zone
    assert first[4] == {"a": [1, None, Exact("0.1")]}
    assert first[5:7] == ([1, None], b"\x00\xff")
    table = reader.arrow()
    assert [str(t) for t in table.schema.types] == [
        "int64", "decimal128(38, 6)", "timestamp[us, tz=UTC]", "timestamp[us]", "string", "list<item: int32>", "binary",
        "string",
    ]  # fmt: skip
    assert table.column("v0")[0].as_py() == first[1]
    assert table.column("v3")[0].as_py() == '{"a": [1, null, 0.1]}'
    assert reader.pandas()["n"].dtype == pd.ArrowDtype(pa.int64())
    assert reader.polars().schema["v0"] == pl.Decimal(38, 6)


def test_documents_and_intervals_lose_nothing(bench: Bench) -> None:
    columns = columns_of(Json, Interval)
    reader = bench.table(columns, "1, 'null', '1 mon'", """2, '{"x": 1.10}', '36:00:00'""", "3, NULL, NULL")
    rows = list(reader.rows())
    assert rows == [(1, JSON_NULL, "1 mon"), (2, {"x": Exact("1.10")}, "36:00:00"), (3, None, None)]
    bench.write(columns, [*rows, (4, {"deep": [Exact("0.30"), JSON_NULL]}, timedelta(hours=2))])
    assert bench.taken("n, v0::text, v1::text") == [
        (1, "null", "1 mon"), (2, '{"x": 1.10}', "36:00:00"), (3, None, None),
        (4, '{"deep": [0.30, null]}', "02:00:00"),
    ]  # fmt: skip


def test_frames_as_people_make_them(bench: Bench) -> None:
    columns = columns_of(Integer, String, Json, Timestamp)
    given: dict[str, Any] = {
        "v3": pd.to_datetime(["2024-01-01T00:00:00Z", None]),
        "n": [1, 2],
        "v0": [1, None],
        "v1": ["a", None],
        "v2": pd.Series([{"a": 1}, None], dtype=object),
    }
    expected = [(1, 1, "a", {"a": 1}, datetime(2024, 1, 1, tzinfo=UTC)), (2, None, None, None, None)]
    bench.table(columns)
    bench.write(columns, pd.DataFrame(given))
    assert bench.taken() == expected
    bench.table(columns)
    lazy = pl.LazyFrame({"n": [1, 2], "v0": [1, None], "v1": ["a", None], "v2": ['{"a": 1}', None]})
    bench.write(columns, lazy.with_columns(v3=pl.Series([datetime(2024, 1, 1, tzinfo=UTC), None])))
    assert bench.taken() == expected
    bench.table(columns)
    reader = pa.RecordBatchReader.from_batches(
        pa.schema([("n", pa.int8())]), [pa.record_batch({"n": pa.array([n], pa.int8())}) for n in (1, 2)]
    )
    assert list(rows_of(reader, columns[:1])) == [(1,), (2,)]


def test_what_does_not_fit_is_refused_by_column(bench: Bench) -> None:
    moment = datetime(2024, 1, 1, tzinfo=UTC)
    cases: list[tuple[DataType, Any, str]] = [
        (Timestamp(tz=False), [(1, moment)], "column 'v0' is a Timestamp(tz=False), but 2024-01-01T00:00:00+00:00 has"),
        (Timestamp(tz=False), pa.table({"n": [1], "v0": [moment]}), "column 'v0' is a Timestamp(tz=False)"),
        (Integer(), pa.table({"n": [1], "v0": [2**40]}), "column 'v0' takes Integer"),
        (Integer(), pd.DataFrame({"n": [1], "v0": [1.5]}), "column 'v0' takes Integer"),
        (Integer(), pl.DataFrame({"n": [1]}), "the rows lack v0"),
        (Json(), [(1, {"x": float("nan")})], "Out of range float values are not JSON compliant"),
        (String(), ["ab"], "a row has 2 values where there are 2 columns"),
    ]
    for kind, data, message in cases:
        columns = columns_of(kind)
        bench.table(columns)
        with pytest.raises(ValueError, match=message.replace("(", r"\(").replace(")", r"\)").replace("+", r"\+")):
            bench.write(columns, data)
    bench.table(columns_of(Integer))
    with pytest.raises(ValueError, match=r"takes Integer, and a value of int64 does not fit$"):
        bench.write(columns_of(Integer), pa.table({"n": [1], "v0": [2**40]}))
    reader = bench.table(columns_of(Decimal(5, 2)), "1, 'NaN'")
    with pytest.raises(ValueError, match="column 'v0' has a value that Arrow's decimal128"):
        reader.arrow()
    reader = bench.table(columns_of(Timestamp), "1, 'infinity'")
    with pytest.raises(SourceError, match="infinity"):
        list(reader.rows())


@pytest.mark.parametrize("value", [1.239, "1.239", Exact("1.005"), 10_000, Exact("1e9"), "much"])
@pytest.mark.parametrize(
    "form", [list, pa.Table.from_pylist, pd.DataFrame, pl.DataFrame, lambda rows: pd.DataFrame(rows, dtype=object)]
)
def test_a_decimal_is_never_rounded(bench: Bench, form: Callable[[Any], Any], value: Any) -> None:
    columns = columns_of(Decimal(6, 2))
    bench.table(columns)
    rows = [{"n": 1, "v0": type(value)("1")}, {"n": 2, "v0": value}] if value != "much" else [{"n": 1, "v0": value}]
    place = f"row {len(rows)}: column 'v0' takes Decimal\\(6, 2\\), and a value of type \\w+ does not fit: it "
    with pytest.raises(ValueError, match=place) as caught:
        bench.write(columns, form(rows))
    assert str(value) not in str(caught.value)
    with pytest.raises(SourceError, match="nothing is kept"):
        bench.sessions[-1].commit()


@pytest.mark.parametrize("form", [list, pa.Table.from_pylist, pd.DataFrame, pl.DataFrame])
def test_a_decimal_that_fits_is_taken(bench: Bench, form: Callable[[Any], Any]) -> None:
    columns = columns_of(Decimal(6, 2), Array(Decimal(4, 1)))
    for value in (1.1, 9999.99, "1.100", " 12 ", 7, Exact("1.1000"), None):
        bench.table(columns)
        bench.write(columns, form([{"n": 1, "v0": value, "v1": [1.5, None]}]))
        expected = None if value is None else Exact(str(value).strip())
        assert bench.taken() == [(1, expected, [Exact("1.5"), None])]
    bench.table(columns)
    with pytest.raises(ValueError, match="column 'v1' takes Decimal"):
        bench.write(columns, form([{"n": 1, "v0": 1, "v1": [1.25]}]))


@pytest.mark.parametrize(
    ("kind", "value", "why"),
    [
        (String(5), "sesame street", "it is too long"),
        (BigInt(), 'open "sesame"', "it is not written as one"),
        (Integer(), "9999999999", "it is out of range"),
        (Date(), "2024-02-31", "the column's type has no such value"),
    ],
)
def test_what_the_server_refuses_is_told_by_place_and_never_shown(
    bench: Bench, kind: DataType, value: str, why: str
) -> None:
    columns = columns_of(String, kind)
    bench.table(columns)
    with pytest.raises(SourceError) as caught:
        bench.write(columns, [(1, "a", None), (2, ", column v0: b", value)])
    told = f"output 'taken', row 2: column 'v1' takes {kind.spelled()}, and the value given does not fit: {why}"
    assert caught.value.message == told
    bench.table(columns)
    with pytest.raises(SourceError) as caught:
        bench.sessions[-1].execute(f"SELECT '{value}'::{physical_type(kind)}::int")
    assert value not in caught.value.message


def test_a_failed_write_is_never_committed(bench: Bench) -> None:
    """Code that swallows the error of a write must not publish what was lost with it."""
    columns = columns_of(Integer)
    bench.table(columns)
    session = bench.sessions[-1]
    session.write("public", "taken", columns, [(1, 1)])
    with pytest.raises(SourceError):
        session.write("public", "taken", columns, [(2, "no number")])
    with pytest.raises(SourceError, match="nothing is kept"):
        session.commit()
    bench.close()
    assert bench.taken() == []


@pytest.mark.parametrize("query", ["SELECT 1/0", "SELECT 1 / (20000 - g) FROM generate_series(1, 30000) g", "SELEC"])
def test_a_failed_read_is_never_committed(bench: Bench, query: str) -> None:
    """Code that swallows the error of a read must not publish what it made without these rows."""
    columns = columns_of(Integer)
    bench.table(columns)
    session = bench.sessions[-1]
    session.write("public", "taken", columns, [(1, 1)])
    with pytest.raises(SourceError):
        list(session.query(query).batches)
    with pytest.raises(SourceError, match="could not be read, although the code went on; nothing is kept"):
        session.commit()
    bench.close()
    assert bench.taken() == []


def test_a_million_rows_stay_small(bench: Bench) -> None:
    columns = columns_of(String)
    bench.table(columns)
    bench.close()
    bench.own.execute("INSERT INTO given SELECT g, repeat('x', 100) FROM generate_series(1, 1000000) g")
    bench.sessions.append(PostgresCode().session(bench.login, None))
    session = bench.sessions[-1]
    reader = Reader("public.given", columns, session)
    list(zip(range(20_000), reader.rows(), strict=False))
    gc.collect()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert session.write("public", "taken", columns, rows_of(reader.rows(), columns)) == 1_000_000
    assert sum(b.num_rows for b in reader.arrow_batches()) == 1_000_000
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 40_000, f"{grown} KiB more for a million rows"


@pytest.mark.parametrize(("module", "extra"), [("pyarrow", "arrow"), ("pandas", "pandas"), ("polars", "polars")])
def test_what_is_not_installed_is_said_with_its_command(
    monkeypatch: pytest.MonkeyPatch, module: str, extra: str
) -> None:
    def absent(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(arrow.importlib, "import_module", absent)
    with pytest.raises(MissingExtraError) as caught:
        arrow.required(module)
    assert f'pip install "datasurface[{extra}]"' in str(caught.value)
