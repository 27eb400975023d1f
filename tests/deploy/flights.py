"""The demonstration's model for a deployment test: short schedules, transformers, an environment of real databases.

It is a model folder beside the demonstration's own file, and the answers that its consumers must get, computed in
Python from the source.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from datasurface.demo import folder as demo_folder
from datasurface.demo.source import load_source

__all__ = ["KEPT_MONTH", "eco", "fill", "oracle", "seen", "write_model"]

KEPT_MONTH = 12
Rows = list[tuple[object, ...]]

_ECO = '''
import dataclasses

from datasurface import *
import flights

FAST = "{every}"


def faster(store):
    return dataclasses.replace(store, capture=dataclasses.replace(store.capture, every=FAST))


def derived(name, query, output, columns, sinks):
    """A workspace whose query makes one dataset of its output."""
    store = Datastore(output, datasets=[Dataset("rows", classification=[INTERNAL], columns=columns)])
    code = DataTransformer(name, code=SqlQueries({{"rows": query}}), output=store)
    return Workspace(name, groups=[DatasetGroup("used", sinks=sinks)], transformer=code)


cancelled = derived(
    "cancellations",
    "SELECT carrier, count(*) AS flights FROM nyc_flights WHERE dep_time IS NULL GROUP BY carrier",
    "cancelled",
    [Column("carrier", String(2), key=True), Column("flights", BigInt, nullable=False)],
    ["nyc.flights"],
)
named = derived(
    "naming",
    "SELECT c.carrier, a.name, c.flights FROM cancelled_rows c JOIN nyc_airlines a USING (carrier)",
    "named",
    [Column("carrier", String(2), key=True), Column("name", String(80)), Column("flights", BigInt)],
    ["cancelled.rows", "nyc.airlines"],
)
broken = derived(
    "breaking",
    "SELECT faa, 1 / (altitude - altitude) AS nothing FROM nyc_airports",
    "broken",
    [Column("faa", String(3), key=True), Column("nothing", Integer)],
    ["nyc.airports"],
)
readers = [
    Workspace("press", groups=[DatasetGroup("all", sinks=["cancelled.rows", "named.rows", "broken.rows"])]),
    {more}
]


def changed(team):
    stores = [faster(store) for store in team.datastores]
    return dataclasses.replace(team, datastores=stores, workspaces=[*team.workspaces, *added.get(team.name, [])])


added = {{"operations": [cancelled, named, broken, *readers]}}
zone = flights.ecosystem.zones[0]
merge = PostgresDatabase("merge", host="{host}", port={port}, database="{merge}", credential="merge")
airport = PostgresDatabase("airport", host="{host}", port={port}, database="{source}", credential="airport")
ecosystem = dataclasses.replace(
    flights.ecosystem,
    zones=[dataclasses.replace(zone, teams=[changed(team) for team in zone.teams])],
    environments=[
        Environment(
            "test",
            containers={{"airport": airport}},
            platforms=[YellowPlatform("yellow", container=merge)],
            releases="v*",
            release_store="{store}",
            deployments=[
                Airflow(
                    version="{version}",
                    tasks=TaskKind.PROCESS,
                    command={command},
                    folder="{folder}",
                    retries=4,
                    retry_delay="2 seconds",
                    longest_delay="4 seconds",
                    apply="15 seconds",
                    security="30 seconds",
                    audit="1 day",
                    look_again=None,
                )
            ],
        )
    ],
)
'''


def write_model(into: Path, *, source: str, merge: str, more: str = "", **values: object) -> None:
    """Write the model folder: the demonstration's own file, and one that deploys it."""
    (into / "flights.py").write_bytes((Path(demo_folder.__file__).parent / "model" / "eco.py").read_bytes())
    (into / "eco.py").write_text(eco(source=source, merge=merge, more=more, **values))


def eco(*, source: str, merge: str, more: str = "", **values: object) -> str:
    """Return the model's source code; `more` is source code of more workspaces."""
    parts = urlsplit(source)
    places = {"host": parts.hostname, "port": parts.port, "source": parts.path[1:], "merge": urlsplit(merge).path[1:]}
    return _ECO.format(more=more, **places, **values)


def fill(source: str) -> None:
    """Fill the source with the flights of one month, and with all that they name."""
    load_source(source)
    with psycopg.connect(source) as connection:
        connection.execute("DELETE FROM flights WHERE month <> %s", [KEPT_MONTH])


def oracle(source: str) -> Mapping[str, Rows]:
    """Return what each view must show, by its name, from what the source has."""
    with psycopg.connect(source) as connection:

        def rows(table: str) -> list[dict[str, object]]:
            cursor = connection.execute(f"SELECT * FROM {table}".encode())
            names = [column.name for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor]

        flights, airlines = rows("flights"), {row["carrier"]: row["name"] for row in rows("airlines")}
        airports, planes, hourly = rows("airports"), rows("planes"), rows('meteo."Hourly Readings"')
    cancelled: dict[object, int] = {}
    for flight in flights:
        if flight["dep_time"] is None:
            cancelled[flight["carrier"]] = cancelled.get(flight["carrier"], 0) + 1
    return {
        "board_live.nyc_flights": _sorted([_picked(flight, _FLIGHT) for flight in flights]),
        "delays_history.nyc_flights": _sorted([_picked(flight, _FLIGHT) for flight in flights]),
        "board_live.nyc_airlines": _sorted(list(airlines.items())),
        "board_live.nyc_airports": _sorted([_picked(a, "faa name lat lon alt tzone") for a in airports]),
        "fleet_live.nyc_planes": _sorted(
            [_picked(p, "tailnum year type manufacturer model engines seats") for p in planes]
        ),
        "delays_now.weather_hourly": _sorted([_picked(h, _HOUR) for h in hourly]),
        "press_all.cancelled_rows": _sorted(list(cancelled.items())),
        "press_all.named_rows": _sorted([(carrier, airlines[carrier], n) for carrier, n in cancelled.items()]),
    }


_FLIGHT = (
    "year month day carrier flight origin dest tailnum sched_dep_time dep_time dep_delay sched_arr_time arr_time "
    "arr_delay air_time distance time_hour"
)
_HOUR = "origin time_hour temp humid wind_dir wind_speed precip pressure visib"


def seen(merge: str, views: Mapping[str, Rows]) -> dict[str, Rows]:
    """Return what consumers see in these views."""
    with psycopg.connect(merge) as connection:
        return {view: _sorted(connection.execute(f"SELECT * FROM {view}".encode()).fetchall()) for view in views}


def _picked(row: Mapping[str, object], names: str) -> tuple[object, ...]:
    return tuple([row[name] for name in names.split()])


def _sorted(rows: Rows) -> Rows:
    return sorted(rows, key=repr)
