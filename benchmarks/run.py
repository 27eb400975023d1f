"""The whole benchmark: `python -m benchmarks` prints one table and writes `benchmarks/results/<time>.json`."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks import cases, peers, streams
from benchmarks.lines import BUDGET_ROWS, Line
from benchmarks.server import Server, given_server, own_server

__all__ = ["main"]

_SECTIONS = ("speed", "idle", "memory", "peers", "streams")
_RESULTS = Path(__file__).parent / "results"
_MB = 1024 * 1024
_screen = Console(stderr=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the arguments ask for; 1 if `--strict` is given and a budget is missed."""
    options = _parser().parse_args(arguments)
    sections = options.only.split(",")
    if unknown := set(sections) - set(_SECTIONS):
        raise SystemExit(f"unknown section {', '.join(sorted(unknown))}; there are {', '.join(_SECTIONS)}")
    lines: list[Line] = []
    with _server(options) as server, tempfile.TemporaryDirectory(prefix="datasurface-bench-") as folder:
        bench = cases.Bench(server=server, rows=options.rows, runs=options.runs, folder=Path(folder), say=_say)
        machine = _machine(server)
        for section in [s for s in _SECTIONS if s in sections and s != "streams"]:
            lines += _measured(section, bench, options)
        server.drop_database(cases.SOURCE)
    if "streams" in sections:
        # After the other server has ended: two servers would share the cores.
        lines += streams.measure(minutes=options.minutes, number=options.streams, say=_say)
    _print(lines, machine, options.rows)
    _write(lines, machine, options)
    return 1 if options.strict and any(line.missed for line in lines) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rows", type=int, default=BUDGET_ROWS, help="rows of the large table, 100 or more")
    parser.add_argument("--runs", type=int, default=5, help="pairs of floor and case (default 5)")
    parser.add_argument("--only", default=",".join(_SECTIONS), help=f"some of {','.join(_SECTIONS)}")
    parser.add_argument("--server", metavar="URL", help="a PostgreSQL superuser's URL; default: a server of its own")
    parser.add_argument("--bin", metavar="DIR", type=Path, help="PostgreSQL's programs for the server of its own")
    parser.add_argument(
        "--memory", metavar="ROWS,ROWS", help="sizes for the memory section; default rows/10,rows,3*rows"
    )
    parser.add_argument("--minutes", type=float, default=5, help="how long the streams section runs (default 5)")
    parser.add_argument("--streams", type=int, default=500, help="how many streams it runs (default 500)")
    parser.add_argument("--strict", action="store_true", help="exit 1 if a budget is missed")
    return parser


def _server(options: argparse.Namespace) -> AbstractContextManager[Server]:
    return given_server(options.server) if options.server else own_server(options.bin)


def _measured(section: str, bench: cases.Bench, options: argparse.Namespace) -> Iterator[Line]:
    if section == "speed":
        yield from cases.speed(bench)
    elif section == "idle":
        yield from cases.idle(bench)
    elif section == "memory":
        sizes = [int(s) for s in options.memory.split(",")] if options.memory else []
        yield from cases.memory(bench, sizes or [max(100, bench.rows // 10), bench.rows, 3 * bench.rows])
    elif peers.installed():
        yield from peers.measure(bench)
    else:
        _screen.print('peers are left out: pip install "datasurface[bench]"', markup=False)


def _say(text: str) -> None:
    _screen.print(f"[dim]{datetime.now(UTC):%H:%M:%S}[/dim] {text}", highlight=False)


def _machine(server: Server) -> dict[str, object]:
    return {
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "postgresql": server.version_text,
    }


def _print(lines: Sequence[Line], machine: dict[str, object], rows: int) -> None:
    title = f"{rows:,} rows x 10 columns, PostgreSQL {machine['postgresql']}, {machine['cores']} cores"
    table = Table(title=title, title_justify="left")
    table.add_column("")
    table.add_column("case")
    for heading in ("budget", "median", "spread", "batch s", "process s", "client MB"):
        table.add_column(heading, justify="right")
    table.add_column("verdict")
    table.add_column("note")
    for line in lines:
        table.add_row(*_cells(line))
    Console(width=None if sys.stdout.isatty() else 180).print(table)


def _cells(line: Line) -> list[str]:
    verdict = "" if line.limit is None else "[red]missed[/red]" if line.missed else "[green]met[/green]"
    if not line.judged:
        verdict = "[dim]not judged[/dim]" if line.limit is not None else ""
    return [
        line.group,
        line.case,
        "" if line.limit is None else f"{line.limit:g} {line.unit}",
        f"{line.value:.2f} {line.unit}",
        f"{min(line.values):.2f}-{max(line.values):.2f}" if len(line.values) > 1 else "",
        "" if line.wall is None else f"{line.wall:.2f}",
        "" if line.whole is None else f"{line.whole:.2f}",
        "" if line.memory is None else f"{line.memory / _MB:.0f}",
        verdict,
        line.note,
    ]


def _write(lines: Sequence[Line], machine: dict[str, object], options: argparse.Namespace) -> None:
    moment = datetime.now(UTC)
    document = {
        "at": moment.isoformat(timespec="seconds"),
        "machine": machine,
        "rows": options.rows,
        "runs": options.runs,
        "lines": [line.to_json() for line in lines],
    }
    _RESULTS.mkdir(exist_ok=True)
    path = _RESULTS / f"{moment:%Y%m%dT%H%M%SZ}.json"
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    _screen.print(f"written to {path}", markup=False, highlight=False)


if __name__ == "__main__":
    sys.exit(main())
