"""Many streams of small tables, each due every minute, on the embedded default: `datasurface run` for some minutes.

Judged from the outside: by the ledger, the operating system's clocks and the sizes of tables.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg
from psycopg import sql

from benchmarks.lines import Line
from benchmarks.meter import bare_interpreter, server_cpu
from benchmarks.model import small_tables_model
from datasurface.runtime.local import LocalServer, ensure_database, folder_for, start, stop
from datasurface.runtime.schedule import offset

__all__ = ["main", "measure"]

_SOURCE, _MERGE = "items", "bench"
_CONTAINER, _SCHEMA = "local", "ds_yellow"
_ROWS = 100
_INTERVAL = 60.0
_LATE_SECONDS = 5.0
"""A batch is on time if it starts within this time of its place on the stream's own grid of minutes."""
_WARM_UP = 60.0
_SETTLED = 0.4
"""The share of the time after which tables must not grow any more."""
_SETTLING = 90.0
"""Seconds that a change needs at most to reach consumers: its stream's next turn, and some to spare."""
_CATALOG_GROWTH = 2 * 1024 * 1024
"""Allowed. Five minutes of tables made and dropped by 500 streams would take four times as much."""
_GROWTH_A_STREAM = 16 * 1024
"""Allowed: two pages, or a first page of history. Tables that are never cleared would grow by one with each batch."""
_WORK_LIMIT = 128 * 1024
"""Allowed for the tables in which a stream's rows wait. They are vacuumed after some ten fills, then grow no more."""
_FILLED = 15 * 60.0
"""Seconds after which every such table has been vacuumed: only a run that is settled by then judges growth."""
_TOLD = 4
_LEDGER = ("ledger", "ledger_datasets")
_MB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Bytes of a merge database."""

    catalog: int
    ledger: int
    rest: int
    work: int
    """Of `rest`, the tables in which rows wait for their merge."""
    batches: int
    tables: Mapping[str, int]
    """Of each table, by its name with schema."""

    def growth_since(self, before: Sizes, schema: str) -> str:
        """Say which tables of a schema have grown, the most grown first."""
        grown = {
            name: size - before.tables.get(name, 0)
            for name, size in self.tables.items()
            if name.startswith(f"{schema}.") and name.partition(".")[2] not in _LEDGER
        }
        most = sorted((-size, name) for name, size in grown.items() if size > 0)
        told = [f"{name.partition('.')[2]} +{-size // 1024} kB" for size, name in most[:_TOLD]]
        more = [f"{len(most) - _TOLD} more"] if len(most) > _TOLD else []
        return ", ".join(told + more) or "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What the clocks and tables said at one moment; seconds of the wall are the database's."""

    wall: float
    client: float
    server: float
    sizes: Sizes


def measure(*, minutes: float, number: int, say: Callable[[str], None]) -> list[Line]:
    """Run the streams and return the lines of the result."""
    with tempfile.TemporaryDirectory(prefix="datasurface-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        home = folder / "home"
        with _server(home) as server:
            say(f"streams: making {number} tables of {_ROWS} rows")
            _make_tables(server, number)
            model = small_tables_model(
                folder / "model", host=server.host, port=server.port, source=_SOURCE, streams=number
            )
            environment = _environment(server, home)
            say("streams: apply, and first loads")
            _command(environment, "apply", "-m", str(model), "--yes")
            _command(environment, "run", "--once", "-m", str(model))
            return _watch(server, model, environment, minutes * 60, number, say)


@contextmanager
def _server(home: Path) -> Iterator[LocalServer]:
    """Run the embedded server that the model's platform finds at `home`."""
    home.mkdir(mode=0o711)
    place = folder_for(home, _CONTAINER, {"DATASURFACE_HOME": str(home)})
    try:
        yield start(place)
    finally:
        stop(place)


def _environment(server: LocalServer, home: Path) -> dict[str, str]:
    secret = {"DATASURFACE_BENCH_USER": server.user, "DATASURFACE_BENCH_PASSWORD": server.password}
    return {**os.environ, **secret, "DATASURFACE_HOME": str(home)}


def _command(environment: Mapping[str, str], *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "datasurface", *arguments], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise SystemExit(f"datasurface {arguments[0]} failed (exit {done.returncode}):\n{done.stdout}{done.stderr}")


def _connect(server: LocalServer, database: str) -> psycopg.Connection[Any]:
    return psycopg.connect(server.uri(database), autocommit=True)


def _store(number: int) -> str:
    return f"store_{number:04}"


def _make_tables(server: LocalServer, number: int) -> None:
    ensure_database(server, _SOURCE)
    with _connect(server, _SOURCE) as connection, connection.transaction():
        for table in map(_store, range(number)):
            connection.execute(
                f"CREATE TABLE {table} AS SELECT i AS id, ('item ' || i)::varchar(40) AS name, "
                f"i::numeric(10,2) AS price, TIMESTAMPTZ '2024-01-01 00:00:00+00' AS updated_at "
                f"FROM generate_series(1, {_ROWS}) AS i"
            )
            connection.execute(f"ALTER TABLE {table} ADD PRIMARY KEY (id)")


def _watch(
    server: LocalServer,
    model: Path,
    environment: Mapping[str, str],
    seconds: float,
    number: int,
    say: Callable[[str], None],
) -> list[Line]:
    """Let the scheduler run, look at it after the warm-up and at the end, and change rows in between."""
    log = model / "run.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "datasurface", "run", "-m", str(model)],
            env=environment,
            stderr=output,
            stdout=output,
        )
        try:
            _sleep(process, _WARM_UP, log)
            say(f"streams: warm; watching {number} for {seconds / 60:g} minutes")
            before = _look(server, process.pid)
            ends = max(0.5 * seconds, seconds - _SETTLING)
            _sleep(process, _SETTLED * seconds, log)
            # By now all tables have been filled, emptied and vacuumed: what still grows would grow for ever.
            settled = _look(server, process.pid).sizes
            changed = _trickle(server, number, ends - _SETTLED * seconds)
            _sleep(process, seconds - ends, log)
            after = _look(server, process.pid)
            memory = _peak(process.pid)
            process.send_signal(signal.SIGTERM)
            code = process.wait(timeout=60)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    if code != 0:
        raise SystemExit(f"datasurface run ended with {code}:\n{_tail(log)}")
    stale = _stale(server, number) if seconds - ends >= _SETTLING else None
    return _lines(server, before, settled, after, number=number, memory=memory, changed=changed, stale=stale)


def _sleep(process: subprocess.Popen[bytes], seconds: float, log: Path) -> None:
    """Wait, but not longer than the scheduler lives."""
    try:
        code = process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        return
    raise SystemExit(f"datasurface run ended by itself with {code}:\n{_tail(log)}")


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:])


def _trickle(server: LocalServer, number: int, seconds: float) -> int:
    """Change a few rows of a few tables each second; return how many tables were changed."""
    dice = random.Random(1)
    until = time.monotonic() + seconds
    touched: set[str] = set()
    with _connect(server, _SOURCE) as connection:
        while time.monotonic() < until:
            table, row = _store(dice.randrange(number)), dice.randint(1, _ROWS)
            touched.add(table)
            name = sql.Identifier(table)
            connection.execute(
                sql.SQL("UPDATE {} SET price = price + 1, updated_at = now() WHERE id = %s").format(name), [row]
            )
            connection.execute(sql.SQL("DELETE FROM {} WHERE id = %s").format(name), [dice.randint(1, _ROWS)])
            time.sleep(1)
    return len(touched)


def _look(server: LocalServer, client: int) -> Moment:
    times = psutil.Process(client).cpu_times()
    with _connect(server, _MERGE) as connection:
        wall = connection.execute("SELECT extract(epoch FROM clock_timestamp())::float8").fetchone()
        sizes = _sizes(connection)
    return Moment(
        wall=wall[0] if wall else 0.0, client=times.user + times.system, server=server_cpu(server.pid), sizes=sizes
    )


def _sizes(connection: psycopg.Connection[Any]) -> Sizes:
    query = (
        "SELECT n.nspname, c.relname, pg_total_relation_size(c.oid) FROM pg_class c JOIN pg_namespace n "
        "ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'm') AND n.nspname IN ('pg_catalog', %s)"
    )
    found = {(schema, name): int(size) for schema, name, size in connection.execute(query, [_SCHEMA])}
    batches = connection.execute(f"SELECT count(*) FROM {_SCHEMA}.batches").fetchone()
    return Sizes(
        catalog=sum(size for (schema, _), size in found.items() if schema == "pg_catalog"),
        ledger=sum(found.get((_SCHEMA, name), 0) for name in _LEDGER),
        rest=sum(size for (schema, name), size in found.items() if schema == _SCHEMA and name not in _LEDGER),
        work=sum(size for (_, name), size in found.items() if name.endswith((".staging", ".delta"))),
        batches=int(batches[0]) if batches else 0,
        tables={f"{schema}.{name}": size for (schema, name), size in found.items()},
    )


def _peak(client: int) -> int:
    try:
        lines = Path(f"/proc/{client}/status").read_text(encoding="ascii").splitlines()
        peak = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        peak = int(psutil.Process(client).memory_info().rss)
    return max(0, peak - bare_interpreter())


def _stale(server: LocalServer, number: int) -> int:
    """Return how many tables consumers do not see as they are at the source."""
    query = "SELECT id, name, price, updated_at FROM {} ORDER BY id"
    stale = 0
    with _connect(server, _SOURCE) as source, _connect(server, _MERGE) as merge:
        for index, store in enumerate(map(_store, range(number))):
            group = "reports_live" if index % 2 == 0 else "reports_audit"
            wanted = source.execute(sql.SQL(query).format(sql.Identifier(store))).fetchall()
            found = merge.execute(sql.SQL(query).format(sql.Identifier(group, f"{store}_items"))).fetchall()
            stale += wanted != found
    return stale


def _lateness(server: LocalServer, before: Moment, after: Moment, number: int) -> tuple[list[float], int, int]:
    """Return how late each batch started, how many places on the grid have none, and how many batches failed."""
    query = (
        "SELECT stream, extract(epoch FROM started_at)::float8, state FROM "
        f"{_SCHEMA}.batches WHERE started_at BETWEEN to_timestamp(%s) AND to_timestamp(%s)"
    )
    starts: dict[str, list[float]] = {_store(i): [] for i in range(number)}
    failed = 0
    with _connect(server, _MERGE) as connection:
        for stream, started, state in connection.execute(query, [before.wall, after.wall]):
            starts[stream].append(started)
            failed += state not in ("merged", "open", "staged")
    late: list[float] = []
    missing = 0
    for stream, found in starts.items():
        shift = offset(stream, "1 minute").total_seconds()
        place = before.wall + (shift - before.wall) % _INTERVAL
        # The last place counts only if its batch had time to start.
        while place + _LATE_SECONDS < after.wall:
            behind = [s - place for s in found if 0 <= s - place < _INTERVAL]
            late += behind[:1]
            missing += not behind
            place += _INTERVAL
    return late, missing, failed


def _lines(
    server: LocalServer,
    before: Moment,
    settled: Sizes,
    after: Moment,
    *,
    number: int,
    memory: int,
    changed: int,
    stale: int | None,
) -> list[Line]:
    late, missing, failed = _lateness(server, before, after, number)
    if not late:
        raise SystemExit("no batch was due while watching: more minutes, please")
    seconds = after.wall - before.wall
    batches = after.sizes.batches - before.sizes.batches
    client, served = after.client - before.client, after.server - before.server
    ordered = sorted(late)
    wrong = missing + failed + (stale or 0)
    freshness = "" if stale is None else f", {stale} of {changed} changed tables not up to date"
    facts: dict[str, object] = {
        "before": {**asdict(before), "sizes": None},
        "after": {**asdict(after), "sizes": None},
        "changed": changed,
        "stale": stale,
    }
    title = f"{number} streams each minute"
    return [
        Line(
            group="DataSurface",
            case=f"{title}, latest start",
            unit="s",
            # A place without a batch or a wrong table misses the budget, however punctual the others were.
            values=[ordered[-1] if not wrong else max(ordered[-1], _INTERVAL)],
            limit=_LATE_SECONDS,
            memory=memory,
            note=f"{len(late)} on the grid, {missing} missing, {failed} failed, median {_share(ordered, 0.5):.2f} s, "
            f"99 % {_share(ordered, 0.99):.2f} s{freshness}",
            facts={**facts, "missing": missing, "failed": failed},
        ),
        Line(
            group="DataSurface",
            case=f"{title}, CPU of the client",
            unit="cores",
            values=[client / seconds],
            note=f"server {served / seconds:.2f} cores; a batch: client {1000 * client / batches:.1f} ms, "
            f"server {1000 * served / batches:.1f} ms",
            facts={"client_cpu": client, "server_cpu": served, "seconds": seconds, "batches": batches},
        ),
        Line(
            group="DataSurface",
            case=f"{title}, growth of the catalog",
            unit="MB",
            values=[(after.sizes.catalog - settled.catalog) / _MB],
            limit=_CATALOG_GROWTH / _MB,
            note=after.sizes.growth_since(settled, "pg_catalog"),
        ),
        Line(
            group="DataSurface",
            case=f"{title}, growth of tables",
            unit="MB",
            values=[(after.sizes.rest - settled.rest) / _MB],
            limit=number * _GROWTH_A_STREAM / _MB,
            judged=_WARM_UP + _SETTLED * seconds >= _FILLED,
            note=f"of {settled.rest / _MB:.0f} MB ({after.sizes.growth_since(settled, _SCHEMA)}); ledger apart: "
            f"{(after.sizes.ledger - settled.ledger) / max(1, after.sizes.batches - settled.batches):.0f} B a batch",
        ),
        Line(
            group="DataSurface",
            case=f"{title}, staging and delta tables of a stream",
            unit="kB",
            values=[after.sizes.work / number / 1024],
            limit=_WORK_LIMIT / 1024,
        ),
    ]


def _share(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def main() -> int:
    """Measure this alone; 1 if a budget is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.streams", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--streams", type=int, default=500)
    options = parser.parse_args()
    lines = measure(minutes=options.minutes, number=options.streams, say=_say)
    for line in lines:
        verdict = "" if line.limit is None or not line.judged else "missed" if line.missed else "met"
        sys.stdout.write(f"{line.case}: {line.value:.2f} {line.unit} {verdict} ({line.note})\n")
    return 1 if any(line.missed for line in lines) else 0


if __name__ == "__main__":
    sys.exit(main())
