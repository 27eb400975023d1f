"""dlt at its best settings on the same rows in the same run: connectorx as an Arrow stream, parquet through ADBC.

Only its own process imports it; without the extra `bench` this part is left out.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import shutil
import statistics
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.cases import SOURCE, Bench
from benchmarks.data import change_of, checksum
from benchmarks.floor import DATABASE as FLOOR
from benchmarks.floor import measure_floor
from benchmarks.lines import BUDGET_ROWS, Line
from benchmarks.meter import Meter, Sample, report, run_child

__all__ = ["installed", "measure"]

_TARGET = "bench_peer"
_DATASET = "shop"
_NEEDED = ("dlt", "connectorx", "adbc_driver_postgresql", "pyarrow", "pandas")
_CHUNK = 100_000
_LOAD_WORKERS = 2
_SETTINGS = {
    "LOAD__WORKERS": str(_LOAD_WORKERS),
    "DATA_WRITER__BUFFER_MAX_ITEMS": str(_CHUNK),
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "ERROR",
}
_STRATEGIES = ("scd2", "upsert")
_MOST_PASSES = 2


def installed() -> bool:
    """Tell whether everything that dlt's best settings need is there."""
    return all(importlib.util.find_spec(name) for name in _NEEDED)


@dataclass(frozen=True, slots=True)
class _Pairs:
    """What was measured of one strategy's first or second runs."""

    floors: list[Sample] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)


def measure(bench: Bench) -> Iterator[Line]:
    """Measure first and second runs of each strategy, each after the floor."""
    bench.prepare(bench.rows)
    bench.server.fresh_database(FLOOR)
    for strategy in _STRATEGIES:
        first, again = _Pairs(), _Pairs()
        passes = min(bench.runs, _MOST_PASSES)
        for number in range(passes):
            bench.say(f"dlt {strategy}: {number + 1} of {passes}")
            bench.server.fresh_database(_TARGET)
            folder = bench.folder / "dlt"
            shutil.rmtree(folder, ignore_errors=True)
            for version, pairs in ((1, first), (2, again)):
                bench.show(version)
                pairs.floors.append(measure_floor(bench.server, SOURCE))
                pairs.samples.append(_run(bench, strategy, folder))
                _verify(bench, strategy, version)
        yield _line(bench, f"{strategy}, first run", first)
        yield _line(bench, f"{strategy}, again, 1 % changed", again)
    bench.server.drop_database(_TARGET)
    bench.server.drop_database(FLOOR)


def _line(bench: Bench, case: str, pairs: _Pairs) -> Line:
    return Line(
        group="dlt",
        case=case,
        unit="x floor",
        values=[s.wall / f.wall for s, f in zip(pairs.samples, pairs.floors, strict=True)],
        judged=bench.rows >= BUDGET_ROWS,
        wall=statistics.median(s.wall for s in pairs.samples),
        whole=statistics.median(s.whole for s in pairs.samples),
        memory=max(s.memory for s in pairs.samples),
        note=f"floor {statistics.median(f.wall for f in pairs.floors):.2f} s",
        facts={"floors": [asdict(f) for f in pairs.floors], "samples": [asdict(s) for s in pairs.samples]},
    )


def _run(bench: Bench, strategy: str, folder: Path) -> Sample:
    environment = {
        **_SETTINGS,
        "BENCH_SOURCE": bench.server.url(SOURCE),
        "BENCH_TARGET": bench.server.url(_TARGET),
        "BENCH_FOLDER": str(folder),
    }
    bench.server.settle()
    return run_child("peers", strategy, environment=environment)[0][0]


def _verify(bench: Bench, strategy: str, version: int) -> None:
    """Stop unless dlt's result is right: a ratio to a wrong result says nothing."""
    change = change_of(bench.rows)
    with bench.server.connect(SOURCE) as source, bench.server.connect(_TARGET) as target:
        wanted = checksum(source, "orders")
        table = f"{_DATASET}.orders"
        if strategy == "upsert":
            found = checksum(target, table)
            # It never sees deletes: what version 2 lacks stays.
            right = found == wanted if version == 1 else found[0] == bench.rows + change.inserted
        else:
            found = checksum(target, table, "_dlt_valid_to IS NULL")
            closed = checksum(target, table, "_dlt_valid_to IS NOT NULL")[0]
            right = found == wanted and closed == (change.updated + change.deleted if version == 2 else 0)
    if not right:
        raise SystemExit(f"wrong result of dlt {strategy}: the source has {wanted}, found {found} (rows, checksum)")


def main() -> None:
    """Run dlt once."""
    # Not imported by name: type checkers run without the extra.
    dlt = importlib.import_module("dlt")
    transform = importlib.import_module("dlt.sources.helpers.transform")
    database = importlib.import_module("dlt.sources.sql_database")
    strategy, source, target = sys.argv[1], os.environ["BENCH_SOURCE"], os.environ["BENCH_TARGET"]
    with Meter() as meter:
        resource = database.sql_table(
            source.replace("postgresql://", "postgresql+psycopg://", 1),
            table="orders",
            schema="public",
            backend="connectorx",
            chunk_size=_CHUNK,
            backend_kwargs={"conn": source, "return_type": "arrow_stream"},
            reflection_level="full_with_precision",
        )
        if strategy == "scd2":
            how = {"disposition": "merge", "strategy": "scd2", "row_version_column_name": "row_hash"}
            resource = resource.add_map(transform.add_row_hash_to_table("row_hash"))
        else:
            how = {"disposition": "merge", "strategy": "upsert"}
            resource.apply_hints(primary_key="o_orderkey")
        pipeline = dlt.pipeline(
            f"bench_{strategy}",
            destination=dlt.destinations.postgres(target),
            dataset_name=_DATASET,
            pipelines_dir=os.environ["BENCH_FOLDER"],
        )
        done = pipeline.run(resource, table_name="orders", write_disposition=how, loader_file_format="parquet")
        done.raise_on_failed_jobs()
    report([meter])


if __name__ == "__main__":
    main()
