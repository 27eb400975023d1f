"""How the model's size tells: load, check and build thousands of datasets, in seconds and memory, at two sizes.

Each size is measured in a process of its own. Twice the datasets may take twice as long: that is a linearity of 1.
"""

from __future__ import annotations

import argparse
import gc
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.meter import Meter, bare_interpreter, peak_memory, report, run_child

__all__ = ["main", "model_of"]

_PER_STORE = 40
_STORES_PER_TEAM = 10
_TEAMS_PER_ZONE = 10
_STEPS = ("load", "graph", "check", "compile", "write")
_MB = 1024 * 1024
_MODEL = """from datasurface import *

TYPES = [BigInt, String(80), Decimal(15, 2), Date, Timestamp, Integer, Boolean, String(20), Float64, String]


def dataset(number):
    columns = [Column(f"c{{i}}", kind, key=i == 0) for i, kind in enumerate(TYPES)]
    return Dataset(f"table_{{number}}", columns=columns)


def store(number):
    database = PostgresDatabase(f"db_{{number}}", host=f"db{{number}}.example", database="app")
    return Datastore(
        f"store_{{number}}",
        capture=Snapshot(database, credential="reader", every="1 hour"),
        datasets=[dataset(i) for i in range({per_store})],
    )


def team(number):
    numbers = range(number * {per_team}, min((number + 1) * {per_team}, {stores}))
    sinks = [f"store_{{n}}.table_{{i}}" for n in numbers for i in range({per_store})]
    return Team(
        f"team_{{number}}",
        datastores=[store(n) for n in numbers],
        workspaces=[
            Workspace(f"workspace_{{number}}", groups=[DatasetGroup("all", sinks=sinks, history=History.FULL)])
        ],
    )


teams = -(-{stores} // {per_team})
zones = -(-teams // {per_zone})
target = PostgresDatabase("merge", host="merge.example", database="merge")
ecosystem = Ecosystem(
    "scale",
    owner=LocalRepository("."),
    platforms=[YellowPlatform("yellow", container=target, credential="merge")],
    zones=[
        GovernanceZone(f"zone_{{z}}", teams=[team(t) for t in range(z * {per_zone}, min((z + 1) * {per_zone}, teams))])
        for z in range(zones)
    ],
)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """What one size took: seconds a step, and bytes of memory at the peak by the end of a step."""

    datasets: int
    seconds: dict[str, float]
    memory: dict[str, int]

    @property
    def total(self) -> float:
        """Seconds of all steps."""
        return sum(self.seconds.values())


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the asked number of datasets and a quarter of it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--datasets", type=int, default=40_000, help=f"{_PER_STORE} to a datastore; default 40,000")
    parser.add_argument("--child", metavar="FOLDER", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        _child(options.child)
        return 0
    most = max(4 * _PER_STORE, options.datasets // _PER_STORE * _PER_STORE)
    sizes = [_measure(max(_PER_STORE, most // 4 // _PER_STORE * _PER_STORE)), _measure(most)]
    _print(sizes)
    return 0


def _measure(datasets: int) -> Size:
    sys.stderr.write(f"{datasets:,} datasets\n")
    with tempfile.TemporaryDirectory(prefix="datasurface-bench-") as folder:
        stores = datasets // _PER_STORE
        (Path(folder) / "eco.py").write_text(model_of(datasets), encoding="utf-8")
        samples, facts = run_child("scale", "--child", folder, environment={})
    seconds = {step: sample.wall for step, sample in zip(_STEPS, samples, strict=True)}
    memory = {step: max(0, peak - bare_interpreter()) for step, peak in facts["peaks"].items()}
    if facts["streams"] != stores:
        raise SystemExit(f"wrong result: {facts['streams']} streams of {stores} datastores")
    return Size(datasets=datasets, seconds=seconds, memory=memory)


def model_of(datasets: int) -> str:
    """Return the source of a model with so many datasets, all consumed with full history."""
    shape = {"per_store": _PER_STORE, "per_team": _STORES_PER_TEAM, "per_zone": _TEAMS_PER_ZONE}
    return _MODEL.format(stores=datasets // _PER_STORE, **shape)


def _child(folder: Path) -> None:
    """Do what `check` and `build` do, step by step."""
    from datasurface.databases.base import capability_map  # noqa: PLC0415 - the parent does not need it
    from datasurface.govern.check import check  # noqa: PLC0415
    from datasurface.graph.build import build_graph  # noqa: PLC0415
    from datasurface.model.load import load  # noqa: PLC0415
    from datasurface.release.compile import compile_release  # noqa: PLC0415
    from datasurface.release.file import write_release  # noqa: PLC0415

    gc.disable()  # as `compile_model` does
    meters = {step: Meter() for step in _STEPS}
    peaks: dict[str, int] = {}
    with meters["load"]:
        ecosystem = load(folder)
    peaks["load"] = peak_memory()
    capabilities = capability_map()
    with meters["graph"]:
        graph = build_graph(ecosystem)
    peaks["graph"] = peak_memory()
    with meters["check"]:
        found = check(ecosystem, capabilities, graph=graph)
    peaks["check"] = peak_memory()
    if found.errors:
        raise SystemExit(f"the model has errors, the first: {found.errors[0].to_text()}")
    with meters["compile"]:
        release = compile_release(ecosystem, graph, found.findings, capabilities=capabilities)
    peaks["compile"] = peak_memory()
    with meters["write"]:
        write_release(release, folder / "release.db")
    peaks["write"] = peak_memory()
    report(list(meters.values()), peaks=peaks, streams=sum(len(p.jobs) for p in release.platforms))


def _print(sizes: Sequence[Size]) -> None:
    small, large = sizes
    table = Table(title=f"{_PER_STORE} datasets to a datastore, 10 columns to a dataset", title_justify="left")
    table.add_column("step")
    for size in sizes:
        table.add_column(f"{size.datasets:,} datasets, s", justify="right")
        table.add_column("peak MB", justify="right")
    table.add_column("linearity", justify="right")
    growth = large.datasets / small.datasets
    for step in _STEPS:
        cells = [c for s in sizes for c in (f"{s.seconds[step]:.2f}", f"{s.memory[step] / _MB:.0f}")]
        table.add_row(step, *cells, f"{large.seconds[step] / small.seconds[step] / growth:.2f}")
    cells = [c for s in sizes for c in (f"{s.total:.2f}", f"{max(s.memory.values()) / _MB:.0f}")]
    table.add_row("all", *cells, f"{large.total / small.total / growth:.2f}", style="bold")
    Console(width=None if sys.stdout.isatty() else 120).print(table)


if __name__ == "__main__":
    sys.exit(main())
