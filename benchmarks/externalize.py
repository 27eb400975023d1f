"""How long the model of 100,000 datasets takes to become data: kept at `apply`, written and merged by a run.

The model is applied on a platform that only serves the model's own tables; all other streams and views are described
in them, but belong to a platform that is never applied. Each step is measured in a process of its own.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from unittest.mock import patch

import psycopg
from rich.console import Console
from rich.table import Table

from benchmarks.meter import Meter, Sample, report, run_child
from benchmarks.scale import model_of
from benchmarks.server import Server, own_server

__all__ = ["main"]

_DATABASE = "model"
_STREAM = "datasurface_model"
_LIMIT = 20.0
"""Seconds in which the transformer has to write 100,000 datasets; what `apply` does for it is told, not judged."""
_MB = 1024 * 1024
_STEPS = {
    "compile": "load, check and compile the model",
    "keep": "apply: keep its tables in the database",
    "write": "the transformer: write its output",
    "batch": "the whole batch, with that: staged and merged",
}
_ASK = """
from datasurface import model_datastore

ask = Workspace("ask", groups=[DatasetGroup("model", history=History.FULL, platform="models",
    sinks=[f"datasurface_model.{d.name}" for d in model_datastore().datasets])])
models = PostgresDatabase("models", host="HOST", port=PORT, database="DATABASE", tls=Tls.DISABLE)
whole = ecosystem
ecosystem = Ecosystem(
    whole.name,
    owner=whole.owner,
    platforms=[*whole.platforms, YellowPlatform("models", container=models, credential="bench")],
    assignments=[Assign("yellow")],
    zones=[*whole.zones, GovernanceZone("asking", teams=[Team("asking", workspaces=[ask])], doc="DOC")],
)
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure a first release and one after it that differs in one line; exit code 1 if it takes too long."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.externalize", description=__doc__)
    parser.add_argument("--datasets", type=int, default=100_000, help="40 to a datastore; default 100,000")
    parser.add_argument("--child", choices=["apply", "run"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        (_apply if options.child == "apply" else _run)(options.folder)
        return 0
    with tempfile.TemporaryDirectory(prefix="datasurface-bench-") as folder, own_server() as server:
        server.fresh_database(_DATABASE)
        rounds = []
        for doc in ("first", "second"):
            _write(Path(folder), server, options.datasets, doc)
            rounds.append(_round(Path(folder), server))
        counts = _counts(server)
    _print(options.datasets, rounds, counts)
    return 0 if all(steps["write"].wall <= _LIMIT for steps in rounds) else 1


def _write(folder: Path, server: Server, datasets: int, doc: str) -> None:
    own = _ASK.replace("HOST", server.host).replace("PORT", str(server.port)).replace("DATABASE", _DATABASE)
    (folder / "eco.py").write_text(model_of(datasets) + own.replace("DOC", doc), encoding="utf-8")


def _round(folder: Path, server: Server) -> dict[str, Sample]:
    found: dict[str, Sample] = {}
    for child, steps in (("apply", ("compile", "keep")), ("run", ("write", "batch"))):
        arguments = ("--child", child, "--folder", str(folder))
        samples, _facts = run_child("externalize", *arguments, environment=server.environment)
        found |= dict(zip(steps, samples, strict=True))
    return found


def _apply(folder: Path) -> None:
    """Do what `datasurface apply` does: compile, then keep what somebody consumes and make the release active."""
    from datasurface.runtime.apply import plan_and_apply  # noqa: PLC0415 - the parent does not need it
    from datasurface.runtime.compile_model import compile_model  # noqa: PLC0415
    from datasurface.runtime.platform import open_platform  # noqa: PLC0415

    gc.disable()
    meters = [Meter(), Meter()]
    with meters[0]:
        release, found = compile_model(folder)
    if found.errors:
        raise SystemExit(f"the model has errors, the first: {found.errors[0].to_text()}")
    spec = next(p for p in release.platforms if p.name == "models")
    (folder / "platform.json").write_text(spec.to_json(), encoding="utf-8")
    with open_platform(spec, folder, os.environ) as running, meters[1]:
        plan_and_apply(running, spec, release)
    report(meters)


def _run(folder: Path) -> None:
    """Run the stream's batch, and measure the part of it that writes the output tables by itself."""
    from datasurface.release.job import PlatformSpec  # noqa: PLC0415 - the parent does not need it
    from datasurface.runtime.job import JobRunner  # noqa: PLC0415
    from datasurface.runtime.platform import open_platform  # noqa: PLC0415

    spec = PlatformSpec.from_json((folder / "platform.json").read_text(encoding="utf-8"))
    meters = [Meter(), Meter()]
    with open_platform(spec, folder, os.environ) as running, _measured_code(meters[0]):
        job, digest = running.job(_STREAM)
        runner = JobRunner(running)
        with meters[1]:
            result = runner.run(job, digest)
        runner.close()
    if not result.ok or result.batch_id is None:
        raise SystemExit(f"the batch failed: {result}")
    report(meters)


def _measured_code(meter: Meter) -> AbstractContextManager[object]:
    """Return a context in which the runs of system code are measured."""
    from datasurface.transform.system import SystemFunction, SystemRun, system_function  # noqa: PLC0415 - as above

    def measured(name: str) -> SystemFunction:
        def write(run: SystemRun) -> None:
            with meter:
                system_function(name)(run)

        return write

    return patch("datasurface.transform.source.system_function", measured)


def _counts(server: Server) -> dict[str, int]:
    """Return how many rows consumers see of the largest datasets, and check that there is what there should be."""
    with psycopg.connect(server.url(_DATABASE)) as connection:
        found = {}
        for name in ("datasets", "columns", "sinks", "streams", "views", "releases"):
            row = connection.execute(f"SELECT count(*) FROM ask_model.datasurface_model_{name}".encode()).fetchone()
            found[name] = int(row[0]) if row else 0
    return found


def _print(datasets: int, rounds: Sequence[dict[str, Sample]], counts: dict[str, int]) -> None:
    told = ", ".join(f"{number:,} {name}" for name, number in counts.items())
    table = Table(title=f"{datasets:,} datasets; consumers see {told}", title_justify="left")
    table.add_column("step")
    for title in ("first release, s", "CPU, s", "MB", "next release, s", "CPU, s", "MB"):
        table.add_column(title, justify="right")
    for step, words in _STEPS.items():
        cells = [
            c for r in rounds for c in (f"{r[step].wall:.1f}", f"{r[step].cpu:.1f}", f"{r[step].memory / _MB:.0f}")
        ]
        table.add_row(words, *cells)
    Console(width=None if sys.stdout.isatty() else 120).print(table)


if __name__ == "__main__":
    sys.exit(main())
