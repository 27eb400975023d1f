"""The cases of the speed budget, each in turns with the floor: floor, case, floor, case …; a ratio for each pair."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.client import apply_model, run_batches
from benchmarks.data import Change, change_of, checksum, make_source, show_version
from benchmarks.floor import DATABASE as FLOOR
from benchmarks.floor import measure_floor
from benchmarks.lines import BUDGET_ROWS, Line, limit_of
from benchmarks.meter import Sample
from benchmarks.model import orders_model
from benchmarks.server import Server

__all__ = ["SOURCE", "Bench", "idle", "memory", "speed"]

SOURCE = "bench_source"
_TARGET = "bench_target"
_IDLE_ROWS = 100
_IDLE_LIMIT_MS = 20.0
_MEMORY_LIMIT_MB = 150.0
_MB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What a run works with."""

    server: Server
    rows: int
    runs: int
    folder: Path
    say: Callable[[str], None]

    def prepare(self, rows: int) -> None:
        """Make the source, of which version 1 is shown."""
        self.say(f"making {rows:,} rows")
        self.server.fresh_database(SOURCE)
        with self.server.connect(SOURCE) as connection:
            make_source(connection, rows)

    def show(self, version: int) -> None:
        """Let the source have version 1 or 2."""
        with self.server.connect(SOURCE) as connection:
            show_version(connection, version)

    def fresh_platform(self, *, milestoned: bool) -> Path:
        """Make an empty merge database with the model's tables and views; return the model's folder."""
        self.server.fresh_database(_TARGET)
        name = "milestoned" if milestoned else "live"
        model = orders_model(self.folder / name, self.server, SOURCE, _TARGET, milestoned=milestoned)
        apply_model(self.server, model)
        return model

    def verify(self) -> None:
        """Stop unless consumers see exactly the source's rows."""
        with self.server.connect(SOURCE) as source, self.server.connect(_TARGET) as target:
            wanted, found = checksum(source, "orders"), checksum(target, "reports_all.shop_orders")
        if wanted != found:
            raise SystemExit(f"wrong result: the source has {wanted}, consumers see {found} (rows, checksum)")


def speed(bench: Bench) -> Iterator[Line]:
    """Measure first loads and snapshots again, live and milestoned."""
    bench.prepare(bench.rows)
    bench.server.fresh_database(FLOOR)
    bench.say("warming up")
    measure_floor(bench.server, SOURCE)
    for milestoned in (False, True):
        yield from _merge(bench, milestoned=milestoned)
    bench.server.drop_database(FLOOR)
    bench.server.drop_database(_TARGET)


def _merge(bench: Bench, *, milestoned: bool) -> Iterator[Line]:
    kind = "milestoned" if milestoned else "live"
    bench.show(1)
    model = bench.folder
    state = {"version": 1}

    def first() -> Sample:
        nonlocal model
        model = bench.fresh_platform(milestoned=milestoned)
        return _batch(bench, model, Change(inserted=bench.rows, updated=0, deleted=0))

    def changed() -> Sample:
        state["version"] = 3 - state["version"]
        bench.show(state["version"])
        change = change_of(bench.rows)
        return _batch(bench, model, change if state["version"] == 2 else change.back)

    def unchanged() -> Sample:
        return _batch(bench, model, Change(inserted=0, updated=0, deleted=0))

    yield _pairs(bench, f"first load, {kind}", first)
    bench.verify()
    yield _pairs(bench, f"again, 1 % changed, {kind}", changed)
    bench.verify()
    yield _pairs(bench, f"again, nothing changed, {kind}", unchanged)
    bench.verify()


def _batch(bench: Bench, model: Path, expected: Change) -> Sample:
    samples, counts = run_batches(bench.server, model)
    found = Change(**{name: counts[0][name] for name in ("inserted", "updated", "deleted")})
    if found != expected:
        raise SystemExit(f"wrong result: the ledger says {found}, it should be {expected}")
    return samples[0]


def _pairs(bench: Bench, case: str, run: Callable[[], Sample]) -> Line:
    """Measure the floor and the case in turns."""
    floors: list[Sample] = []
    samples: list[Sample] = []
    for number in range(bench.runs):
        bench.say(f"{case}: {number + 1} of {bench.runs}")
        floors.append(measure_floor(bench.server, SOURCE))
        samples.append(run())
    ratios = [sample.wall / floor.wall for sample, floor in zip(samples, floors, strict=True)]
    return Line(
        group="DataSurface",
        case=case,
        unit="x floor",
        values=ratios,
        limit=limit_of(case, bench.server.version),
        judged=bench.rows >= BUDGET_ROWS,
        wall=statistics.median(s.wall for s in samples),
        whole=statistics.median(s.whole for s in samples),
        memory=max(s.memory for s in samples),
        note=f"floor {statistics.median(f.wall for f in floors):.2f} s",
        facts={"floors": [asdict(f) for f in floors], "samples": [asdict(s) for s in samples]},
    )


def idle(bench: Bench, batches: int = 50) -> Iterator[Line]:
    """Measure the client CPU of batches that find an unchanged table of 100 rows."""
    bench.prepare(_IDLE_ROWS)
    model = bench.fresh_platform(milestoned=True)
    bench.say(f"idle: {batches} batches")
    run_batches(bench.server, model)
    samples, counts = run_batches(bench.server, model, batches)
    if any(c["inserted"] or c["updated"] or c["deleted"] for c in counts):
        raise SystemExit("wrong result: a batch that found nothing changed something")
    milliseconds = [1000 * s.cpu for s in samples]
    bench.server.drop_database(_TARGET)
    yield Line(
        group="DataSurface",
        case="idle batch, 100 rows, client CPU",
        unit="ms",
        values=milliseconds,
        limit=_IDLE_LIMIT_MS,
        wall=statistics.median(s.wall for s in samples),
        whole=samples[0].whole,
        memory=samples[0].memory,
        note=f"{1000 * samples[0].whole_cpu / batches:.0f} ms a batch with start and imports, {batches} in a process",
        facts={"batches": batches, "whole_cpu": samples[0].whole_cpu},
    )


def memory(bench: Bench, sizes: list[int]) -> Iterator[Line]:
    """Measure how much memory the client takes for tables of several sizes."""
    for rows in sizes:
        bench.prepare(rows)
        model = bench.fresh_platform(milestoned=True)
        bench.say(f"memory: {rows:,} rows")
        first = run_batches(bench.server, model)[0][0]
        bench.show(2)
        again = run_batches(bench.server, model)[0][0]
        bench.verify()
        peak = max(first.memory, again.memory)
        yield Line(
            group="DataSurface",
            case=f"client memory, {rows:,} rows",
            unit="MB",
            values=[peak / _MB],
            limit=_MEMORY_LIMIT_MB,
            wall=again.wall,
            whole=again.whole,
            memory=peak,
            note=f"first load {first.memory / _MB:.0f} MB, again {again.memory / _MB:.0f} MB",
        )
    bench.server.drop_database(_TARGET)
