"""DataSurface as a contestant: applies a model, or runs batches of its one stream. A process of its own.

A batch is measured from taking the stream to giving it back, connecting to the source included. The platform is open
before, as it is in a scheduler; the time of the whole process is reported beside it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from benchmarks.meter import Meter, Sample, report, run_child
from benchmarks.server import Server
from datasurface.errors import DataSurfaceError

__all__ = ["apply_model", "run_batches"]

_PLATFORM, _STREAM = "yellow", "shop"


def apply_model(server: Server, folder: Path) -> None:
    """Create tables and views, and write the job that later processes read."""
    run_child("client", "apply", str(folder), environment=server.environment)


def run_batches(server: Server, folder: Path, number: int = 1) -> tuple[list[Sample], list[dict[str, int]]]:
    """Run batches one after the other in one new process; return what each took, and what it did."""
    if number == 1:
        server.settle()
    samples, facts = run_child("client", "run", str(folder), str(number), environment=server.environment)
    return samples, facts["counts"]


def main() -> None:
    """Do what the arguments say."""
    verb, folder = sys.argv[1], Path(sys.argv[2])
    try:
        if verb == "apply":
            _apply(folder)
        else:
            _run(folder, int(sys.argv[3]))
    except DataSurfaceError as error:
        raise SystemExit(f"{error.code}: {error}") from error


def _apply(folder: Path) -> None:
    from datasurface.runtime.apply import plan_and_apply  # noqa: PLC0415 - a batch's process does without
    from datasurface.runtime.compile_model import compile_model, require_ok  # noqa: PLC0415
    from datasurface.runtime.platform import open_platform  # noqa: PLC0415

    release, findings = compile_model(folder)
    require_ok(findings)
    spec = next(p for p in release.platforms if p.name == _PLATFORM)
    # The platform as the model says it: how a job's process, which loads no model, finds the merge database.
    (folder / "platform.json").write_text(spec.to_json(), encoding="utf-8")
    with open_platform(spec, folder, os.environ) as running:
        plan_and_apply(running, spec, release)
    report([])


def _run(folder: Path, number: int) -> None:
    from datasurface.release.job import PlatformSpec  # noqa: PLC0415 - as above
    from datasurface.runtime.job import JobRunner  # noqa: PLC0415
    from datasurface.runtime.platform import open_platform  # noqa: PLC0415

    spec = PlatformSpec.from_json((folder / "platform.json").read_text(encoding="utf-8"))
    meters: list[Meter] = []
    counts: list[dict[str, int]] = []
    with open_platform(spec, folder, os.environ) as running:
        job, digest = running.job(_STREAM)
        runner = JobRunner(running)
        for _ in range(number):
            with Meter() as meter:
                result = runner.run(job, digest)
            if not result.ok:
                raise SystemExit(f"batch {result.batch_id} is {result.outcome.value}: {result.error}")
            meters.append(meter)
            done = result.counts
            counts.append({name: getattr(done, name) for name in ("rows_read", "inserted", "updated", "deleted")})
        runner.close()
    report(meters, counts=counts)


if __name__ == "__main__":
    main()
