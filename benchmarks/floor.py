"""The floor: the same rows through a bare binary COPY pipe into an unindexed, logged table. A process of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import psycopg

from benchmarks.data import COLUMNS, TABLE
from benchmarks.meter import Meter, Sample, report, run_child
from benchmarks.server import Server
from datasurface.databases.postgres.copy import BUFFER

__all__ = ["DATABASE", "measure_floor"]

DATABASE = "bench_floor"
_NAMES = ", ".join(COLUMNS)


def measure_floor(server: Server, source: str) -> Sample:
    """Pipe the source's table once into the database `bench_floor`."""
    environment = {"BENCH_SOURCE": server.url(source), "BENCH_TARGET": server.url(DATABASE)}
    with server.connect(DATABASE) as connection:
        kinds = ", ".join(f"{name} {kind} NOT NULL" for name, kind in COLUMNS.items())
        connection.execute(f"DROP TABLE IF EXISTS {TABLE}")
        connection.execute(f"CREATE TABLE {TABLE} ({kinds})")
    server.settle()
    return run_child("floor", environment=environment)[0][0]


def main() -> None:
    """Pipe, with the two ends connected before the clock starts."""
    source, target = psycopg.connect(os.environ["BENCH_SOURCE"]), psycopg.connect(os.environ["BENCH_TARGET"])
    with source, target, Meter() as meter:
        with target.cursor() as cursor, cursor.copy(f"COPY {TABLE} ({_NAMES}) FROM STDIN (FORMAT BINARY)") as copy:
            for block in _blocks(source):
                copy.write(block)
        target.commit()
    report([meter])


def _blocks(source: psycopg.Connection[Any]) -> Iterator[bytes]:
    """Yield what the source sends, in blocks of the engine's size."""
    statement = f"COPY (SELECT {_NAMES} FROM {TABLE}) TO STDOUT (FORMAT BINARY)"
    with source.cursor() as cursor, cursor.copy(statement) as copy:
        gathered: list[bytes | bytearray | memoryview] = []
        size = 0
        for piece in copy:
            gathered.append(piece)
            size += len(piece)
            if size >= BUFFER:
                yield b"".join(gathered)
                gathered.clear()
                size = 0
        yield b"".join(gathered)


if __name__ == "__main__":
    main()
